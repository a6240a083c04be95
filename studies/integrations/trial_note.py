"""The note on one trial for other programs' pages: Markdown with quality, costs, widths and lineage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...evaluators.measurement import Measurement
from ...gan_models.costs.catalog import shown_cost
from ...gan_models.files.plain_values import to_json
from ...gan_models.files.texts.number_text import percent
from ...search.records.ledger import TrialRecord
from ...spaces.budget import describe
from ..results.measurement_text import with_interval
from ..results.outcome import Outcome, cost_name, measurements_of, quality_of
from ..results.tables import bits_of
from ..results.trial_page import seed_of


def trial_note(outcome: Outcome, trial: TrialRecord, front: bool) -> str:
    """Return a trial's note.

    Args:
        outcome: Of its study.
        trial: The trial.
        front: True if it is on the front now.
    """
    return "\n\n".join(_parts(outcome, trial, front)) + "\n"


def _parts(outcome: Outcome, trial: TrialRecord, front: bool) -> Iterator[str]:
    """Yield paragraphs and tables."""
    if outcome.note:
        yield f"**{outcome.note}**"
    about = f"**{_plain(trial.new.method)}**, {trial.state}" + ", on the front" * front
    yield f"{about}: {_plain(trial.stopped)}" if trial.stopped else about
    yield "\n".join(("| measured | value |", "|---|---|", *_rows(outcome, trial)))
    if trial.widths:
        dense = {} if outcome.resolved is None else outcome.resolved.groups
        sizes = {} if isinstance(dense, dict) else dict(zip(dense.names, dense.sizes, strict=True))
        yield f"Channels kept of the dense network's, by group: {', '.join(_widths(trial, sizes))}"
    yield f"Lineage: {'; '.join(_lineage(outcome, trial))}"


def _rows(outcome: Outcome, trial: TrialRecord) -> Iterator[str]:
    """Yield a line of the table per number: the quality first, then the cost, then everything else."""
    quality, cost = quality_of(trial), trial.cost
    if quality is None and trial.quality is not None:
        yield f"| {_plain(outcome.metric)} at its last rung | {outcome.value(trial.quality):.4g} |"
    if cost is not None:
        share = outcome.share(cost)
        of_dense = "" if share is None else f" ({percent(share)} % of dense)"
        yield f"| {_plain(outcome.cost)} | {describe(cost, outcome.cost)}{of_dense} |"
    yield f"| target | {describe(trial.new.target, trial.new.proposal.cost)} |"
    for split, measured in (
        (outcome.split, measurements_of(trial)),
        ("test", outcome.tested(trial.number)),
        ("after the search", outcome.finalists(trial.number)),
    ):
        for m in measured:
            if cost_name(m) != outcome.cost or split == "after the search":
                yield f"| {_plain(m.name)}, {split} | {_plain(_shown(m))} |"


def _shown(m: Measurement) -> str:
    """Return a measurement with interval, unit and sample size."""
    if m.reason is None and m.unit != "1" and m.low is None:
        return shown_cost(cost_name(m), m.unit).show(m.value)
    unit = "" if m.unit == "1" else f" {m.unit}"
    return f"{with_interval(m)}{unit}" + (f", n={m.n}" if m.n else "")


def _widths(trial: TrialRecord, sizes: dict[str, int]) -> Iterator[str]:
    for name, kept in trial.widths.items():
        yield f"`{name}` {kept}" + (f" of {sizes[name]}" if name in sizes else "")


def _lineage(outcome: Outcome, trial: TrialRecord) -> Sequence[str]:
    """Return where a trial comes from: its sampler, seed and settings, and the trials that it follows from."""
    parts = [f"chosen by {_plain(trial.new.origin)}", f"seed {seed_of(outcome, trial)}", f"{bits_of(trial)} bits"]
    settings = to_json(trial.new.proposal.settings)
    parts += [f"{_plain(name)} {_plain(str(value))}" for name, value in settings.items()]
    if trial.new.proposal.parent is not None:
        parts.append(f"cut from trial {trial.new.proposal.parent}")
    if trial.outcome is not None and trial.outcome.same_as is not None:
        parts.append(f"same network as trial {trial.outcome.same_as}")
    return parts


def _plain(text: str) -> str:
    """Return a text that Markdown shows as it is, also in a cell of a table."""
    for mark in "\\`*_[]<>|":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
