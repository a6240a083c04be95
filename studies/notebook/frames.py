"""A study's trials and curves as data frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from ...gan_models.files.plain_values import from_json
from ...search.records.learning_curve import LearningCurve
from ...search.records.ledger import TrialRecord
from ..results.outcome import TEACHER, Outcome
from ..results.tables import frame, more_keys, trial_rows

CURVE_COLUMNS = ("trial", "phase", "name", "step", "value")
RUNG = "rung"  # phase of the qualities that trials are compared by


def trial_frame(outcome: Outcome, metrics: bool = False, curves: bool = False) -> pd.DataFrame:
    """Return a row per trial, by number.

    Args:
        outcome: The study.
        metrics: Add a column per metric and cost.
        curves: Add `rungs`, step -> quality, and `losses`, phase -> term -> step -> value.
    """
    rows = [row for row in trial_rows(outcome) if row.trial is not None]
    table = frame(rows)
    if not metrics:
        table = table.drop(columns=list(more_keys(rows)))
    table = table.sort_values("trial").reset_index(drop=True)
    trials = sorted(outcome.study.trials, key=lambda trial: trial.number)
    if curves:
        table["rungs"] = pd.Series([_rungs(outcome, trial) for trial in trials], dtype=object)
        table["losses"] = pd.Series([_losses(curves_of(trial)) for trial in trials], dtype=object)
    return table


def curve_frame(outcome: Outcome) -> pd.DataFrame:
    """Return a row per recorded point: trial (missing for the teacher), phase, name, step, value."""
    lines = [*_points(None, teacher_curves(outcome))]
    for trial in outcome.study.trials:
        lines += [(trial.number, RUNG, outcome.metric, step, value) for step, value in _rungs(outcome, trial).items()]
        lines += _points(trial.number, curves_of(trial))
    return pd.DataFrame(lines, columns=list(CURVE_COLUMNS)).astype({"trial": "Int64"})


def curves_of(trial: TrialRecord) -> Mapping[str, LearningCurve]:
    """Return a trial's losses by phase, so far if it has not ended."""
    known = trial.outcome or trial.report
    return {} if known is None else known.curves


def teacher_curves(outcome: Outcome) -> Mapping[str, LearningCurve]:
    """Return the losses of the teacher's training by phase."""
    stored = (outcome.study.attributes.get(TEACHER) or {}).get("curves", {})
    return from_json(dict[str, LearningCurve], stored, "the teacher's curves")


def _rungs(outcome: Outcome, trial: TrialRecord) -> dict[int, float]:
    return {step: outcome.value(quality) for step, quality in sorted(trial.rungs.items())}


def _losses(curves: Mapping[str, LearningCurve]) -> dict[str, dict[str, dict[int, float]]]:
    return {
        phase: {
            term: {s: v for s, v in zip(curve.steps, values, strict=True) if v is not None}
            for term, values in curve.losses.items()
        }
        for phase, curve in curves.items()
    }


def _points(
    trial: int | None, curves: Mapping[str, LearningCurve]
) -> Iterator[tuple[int | None, str, str, int, float]]:
    for phase, terms in _losses(curves).items():
        for term, values in terms.items():
            yield from ((trial, phase, term, step, value) for step, value in values.items())
