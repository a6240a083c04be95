"""A study's trials as rows: on screen, as a data frame, CSV or JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.table import Table
from rich.text import Text

from ...evaluators.measurement import Measurement
from ...gan_models.costs.catalog import cost_of
from ...gan_models.costs.cost_form import LATENCY
from ...gan_models.quantization.settings import FULL_BITS
from ...search.records.ledger import TrialRecord
from ...search.strategy.early_stopping import agreements
from ...spaces.budget import describe
from .measurement_text import with_interval
from .outcome import TEACHER, Outcome, measurements_of, named, quality_of

DENSE_TEACHER = "dense teacher"
ALWAYS = ("trial", "method")
TIMES = ("ms (predicted)", "ms (measured)")


@dataclass(frozen=True)
class Row:
    """One trial, or the dense teacher, as a line of a table.

    Attributes:
        trial: Its number; None for the teacher.
        method: The pruning method.
        state: COMPLETE, PRUNED, FAIL, RUNNING, WAITING.
        front: Whether it is on the study's front.
        cost_name: Which cost, by its convention.
        cost: In `unit`; None where it was not measured.
        unit: Of cost and target.
        share: Cost as a share of the dense generator's.
        metric: The name of the quality, as it was measured.
        quality: Lower is better; at a trial's last rung where it did not end.
        low, high: 90 % interval of the quality.
        l1: Mean absolute difference to the target (paired data).
        params: Parameters.
        bits: Of weights and activations: 8, or 32 for float32.
        predicted_ms: Latency by the device's profile, where a budget is in ms.
        measured_ms: Latency measured alone on the device after the search.
        target: The cost that was aimed at.
        seconds: Of the whole trial.
        chosen_by: `ladder:<i>` or a sampler.
        reason: Why it ended early, failed or may not stand on the front; by how much it is over a budget in ms
            when it is measured.
    """

    trial: int | None
    method: str
    state: str
    front: bool
    cost_name: str
    cost: float | None
    unit: str
    share: float | None
    metric: str
    quality: float | None
    low: float | None
    high: float | None
    l1: float | None
    params: float | None
    bits: int
    predicted_ms: float | None
    measured_ms: float | None
    target: float | None
    seconds: float | None
    chosen_by: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return dataclasses.asdict(self)


def front_rows(outcome: Outcome) -> tuple[Row, ...]:
    """The dense teacher as reference, then the front by rising cost."""
    return (teacher_row(outcome), *(_row(outcome, trial, True) for trial in outcome.front))


def trial_rows(outcome: Outcome) -> tuple[Row, ...]:
    """The dense teacher as reference, then all trials by rising cost; those without a cost last."""
    front = {trial.number for trial in outcome.front}
    rows = [_row(outcome, trial, trial.number in front) for trial in outcome.study.trials]
    rows.sort(key=lambda row: (row.cost is None, row.cost or 0.0, row.trial))
    return (teacher_row(outcome), *rows)


def teacher_row(outcome: Outcome) -> Row:
    """The dense generator that the study started from."""
    quality = outcome.teacher[0] if outcome.teacher else None
    cost = outcome.dense.get(outcome.cost)
    seconds = (outcome.study.attributes.get(TEACHER) or {}).get("seconds")
    return Row(
        trial=None,
        method=DENSE_TEACHER,
        state="",
        front=False,
        cost_name=outcome.cost,
        cost=cost,
        unit=cost_of(outcome.cost).named_unit,
        share=outcome.share(cost),
        metric=outcome.metric,
        quality=_value(quality),
        low=quality.low if quality else None,
        high=quality.high if quality else None,
        l1=_value(named(outcome.teacher, "l1")),
        params=outcome.dense.get("params"),
        bits=FULL_BITS,
        predicted_ms=outcome.dense.get(LATENCY),
        measured_ms=None,
        target=None,
        seconds=seconds,
        chosen_by="",
        reason="",
    )


def _row(outcome: Outcome, trial: TrialRecord, front: bool) -> Row:
    measured, quality = measurements_of(trial), quality_of(trial)
    spent = trial.attributes.get("seconds", {})
    return Row(
        trial=trial.number,
        method=trial.new.method,
        state=trial.state,
        front=front,
        cost_name=outcome.cost,
        cost=trial.cost,
        unit=cost_of(outcome.cost).named_unit,
        share=outcome.share(trial.cost),
        metric=quality.name if quality else outcome.metric,
        quality=trial.quality,
        low=quality.low if quality else None,
        high=quality.high if quality else None,
        l1=_value(named(measured, "l1")),
        params=_value(named(measured, "params")),
        bits=bits_of(trial),
        predicted_ms=_value(named(measured, LATENCY)),
        measured_ms=_value(outcome.finalist(trial.number)),
        target=trial.new.target,
        seconds=sum(spent.values()) if spent else None,
        chosen_by=trial.new.origin,
        reason=_reason(outcome, trial),
    )


def bits_of(trial: TrialRecord) -> int:
    """Bits of a trial's weights: as it was trained, else as it was asked for."""
    quantised = trial.attributes.get("record", {}).get("quantised") or {}
    return int(quantised.get("bits") or trial.new.request.get("bits", FULL_BITS))


def _value(m: Measurement | None) -> float | None:
    return None if m is None or m.reason is not None else m.value


def _reason(outcome: Outcome, trial: TrialRecord) -> str:
    finalist, over = outcome.finalist(trial.number), outcome.over_when_measured(trial.number)
    parts = [trial.stopped] if trial.stopped else []
    if finalist is not None and finalist.reason is not None:
        parts.append(f"latency not measured: {finalist.reason.partition(',')[0]}")
    parts += trial.violated
    parts += [over] if over else []
    if "same_as" in trial.attributes.get("record", {}):
        parts.append(f"same network as trial {trial.attributes['record']['same_as']}")
    return "; ".join(parts)


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Rows as a data frame, one column a field; the teacher's trial number is missing."""
    table = pd.DataFrame([row.to_json() for row in rows], columns=[f.name for f in dataclasses.fields(Row)])
    return table.astype({"trial": "Int64"})


def csv_text(rows: Sequence[Row]) -> str:
    """Rows as CSV with a header; numbers in full, units in their own column."""
    return frame(rows).to_csv(index=False, lineterminator="\n")


def rows_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows as plain JSON."""
    return [row.to_json() for row in rows]


def cells(row: Row, metric: str) -> tuple[str, ...]:
    """A row for people: number, method, cost, share, quality, L1, parameters, bits below 32, latency predicted and
    measured, target, seconds, state.

    Args:
        row: The row.
        metric: What the table's heading calls the quality; a row measured otherwise says so itself.
    """
    quality = ""
    if row.quality is not None:
        other = "" if row.metric == metric else f" {row.metric}"
        quality = with_interval(Measurement(row.metric, row.quality, "1", row.low, row.high)) + other
    state = f"{row.state}: {row.reason}" if row.reason else row.state
    return (
        "" if row.trial is None else f"{row.trial}{'*' if row.front else ''}",
        row.method,
        "" if row.cost is None else describe(row.cost, row.cost_name),
        "" if row.share is None else f"{100 * row.share:.1f} %",
        quality,
        "" if row.l1 is None else f"{row.l1:.4f}",
        "" if row.params is None else describe(row.params, "params").removesuffix(f" {cost_of('params').unit}"),
        str(row.bits) if row.bits != FULL_BITS else "",
        "" if row.predicted_ms is None else f"{row.predicted_ms:.4g}",
        "" if row.measured_ms is None else f"{row.measured_ms:.4g}",
        "" if row.target is None else describe(row.target, row.cost_name),
        "" if row.seconds is None else f"{row.seconds:.1f}",
        state,
    )


def headings(outcome: Outcome) -> tuple[str, ...]:
    """Headings of `cells`."""
    quality = f"{outcome.metric} [90 %]"
    end = ("target", "seconds", "state")
    return ("trial", "method", outcome.cost, "of dense", quality, "l1", "params", "bits", *TIMES, *end)


def rich_table(rows: Sequence[Row], outcome: Outcome, title: str = "") -> Table:
    """Rows as a table for the screen; the front's trials are marked with a star."""
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    lines = [cells(row, outcome.metric) for row in rows]
    heads = headings(outcome)
    # What no row has is left out: a column of blanks costs room on a screen.
    shown = [i for i, head in enumerate(heads) if head in ALWAYS or any(line[i] for line in lines)]
    for i in shown:
        left = heads[i] in ("method", "state")
        table.add_column(Text(heads[i]), justify="left" if left else "right", overflow="fold")
    for line in lines:
        table.add_row(*(Text(line[i]) for i in shown))
    return table


def hypervolume_line(outcome: Outcome) -> str:
    """One line: how much of the space the front dominates, and how much of that its own ladder does."""
    volume = outcome.hypervolume()
    if volume is None:
        return "hypervolume: not known before one of the first trials is complete"
    return (
        f"hypervolume: front {volume.front:.4f}, {outcome.ladder_name} alone {volume.ladder:.4f}, "
        f"gained {volume.gain:+.4f} (shares of the rectangle up to {outcome.metric} = {volume.quality:.4g} and "
        f"{outcome.cost} = {describe(volume.cost, outcome.cost)})"
    )


def remarks(outcome: Outcome) -> list[str]:
    """What is said under a table: the hypervolume, how well rungs foretold the end; first of all what is not real."""
    rungs = "; ".join(found.line() for found in agreements(outcome.study.trials))
    said = [outcome.note] if outcome.note else []
    said.append(hypervolume_line(outcome))
    return said + ([f"rank correlation of rungs with the end: {rungs}"] if rungs else [])
