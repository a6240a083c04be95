"""Directions of a table's metrics, and their notes on its rows. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ...evaluators.measurement import Measurement
    from .outcome import Outcome

ARROWS = {"higher": "↑", "lower": "↓"}
LEGEND = "↑ higher is better, ↓ lower is better"


class MeasuredRow(Protocol):
    """A row of a table, with its metrics; see `tables.Row`."""

    @property
    def trial(self) -> int | None:
        """Number of the trial; None for teacher and input."""
        ...

    @property
    def method(self) -> str:
        """Its pruning method, or the kind of a reference row."""
        ...

    @property
    def metrics(self) -> Mapping[str, Measurement]:
        """Measurements other than the quality, by name."""
        ...


def directions(rows: Iterable[MeasuredRow], outcome: Outcome) -> dict[str, str]:
    """Return the better direction of each metric, `lower` or `higher`, by its name; the quality first.

    Metrics in records of earlier versions, without a direction, are omitted.
    """
    found = {outcome.metric: outcome.better.partition(" ")[0]}
    for row in rows:
        found |= {name: m.better for name, m in row.metrics.items() if m.better and name not in found}
    return found


def headed(head: str, better: str) -> str:
    """Return a column's heading with the arrow of its direction; without one if it is not known."""
    return f"{head} {ARROWS[better]}" if better in ARROWS else head


def metric_notes(rows: Sequence[MeasuredRow]) -> dict[str, dict[str, list[str]]]:
    """Return the notes of metrics: the metric's name -> the note -> the rows concerned."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        for name, m in row.metrics.items():
            if m.note:
                found.setdefault(name, {}).setdefault(m.note, []).append(_called(row))
    return found


def saturation_line(rows: Sequence[MeasuredRow]) -> str:
    """Return one line on the metrics at an end of their scale, with rows; empty if there are none."""
    names: dict[tuple[str, ...], list[str]] = {}
    for name, notes in metric_notes(rows).items():
        noted = {each for note, named in notes.items() if note.startswith("saturated") for each in named}
        of = tuple(called for row in rows if (called := _called(row)) in noted)
        if of:
            names.setdefault(of, []).append(name.partition("[")[0])
    said = [f"{', '.join(metrics)} of {_listed(of, len(rows))}" for of, metrics in names.items()]
    return f"saturated, and no measure between such rows: {'; '.join(said)}" if said else ""


def _listed(rows: Sequence[str], all_rows: int) -> str:
    """Return rows as text: `all rows`, or `input, trials 1, 3`."""
    if len(rows) == all_rows:
        return "all rows"
    numbers = [row.removeprefix("trial ") for row in rows if row.startswith("trial ")]
    trials = [f"trial{'s' * (len(numbers) > 1)} {', '.join(numbers)}"] if numbers else []
    return ", ".join([row for row in rows if not row.startswith("trial ")] + trials)


def _called(row: MeasuredRow) -> str:
    return row.method if row.trial is None else f"trial {row.trial}"
