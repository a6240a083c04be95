"""The rows of a cell: its study's trials with their measurements."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ...evaluators.measurement import Measurement, zero_shot_name
from ...search.records.ledger import TrialRecord
from ..database.reader import StudyRecord
from ..results.outcome import VERSION, Outcome, outcome_of, quality_of
from ..results.tables import trial_row
from .design import Cell
from .results.rows import BenchRow
from .teachers import MadeTeacher


def rows_of(cell: Cell, record: StudyRecord, teacher: MadeTeacher | None) -> list[BenchRow]:
    """Return the trials of a cell's study that have ended.

    Args:
        cell: The cell.
        record: Its study.
        teacher: Its teacher, with the distance of the mean image; None if that is not known.
    """
    outcome = outcome_of(record)
    return [_row(cell, outcome, trial, teacher) for trial in record.trials if trial.finished]


def _row(cell: Cell, outcome: Outcome, trial: TrialRecord, made: MadeTeacher | None) -> BenchRow:
    ended, dense = trial.ended(), outcome.dense.get(outcome.cost)
    measured = quality_of(trial)
    tested = next(iter(outcome.tested(trial.number)), None)
    known = tested or measured
    teachers = outcome.teacher_tested if tested is not None else outcome.teacher
    split = outcome.split if tested is None else "test"
    zero_shot = _zero_shot(ended.zero_shot, measured)
    before = ended.method_record.get("cost_before_landing", {})
    worst = made.worst if made is not None else None
    row = trial_row(outcome, trial)
    found = outcome.tested(trial.number) or (*filter(None, [measured]), *row.metrics.values())
    metrics = {m.name: m.value for m in found if m.reason is None}
    return BenchRow(
        task=cell.task.name,
        variant=cell.contender,
        target=outcome.limit / dense if outcome.limit and dense else float("nan"),
        seed=cell.seed,
        budget=cell.budget,
        teacher_number=cell.teacher.number,
        trial=trial.number,
        state=trial.state,
        cost=outcome.cost,
        macs=trial.cost,
        dense=dense,
        cost_over_target=trial.cost / outcome.limit if trial.cost and outcome.limit else None,
        own_cost_over_target=before.get("ratio") if isinstance(before, Mapping) else None,
        quality=_value(known),
        selection=_value(measured) if outcome.selects else None,
        metric=known.name if known is not None else outcome.metric,
        split=split,
        teacher=_value(teachers[0]) if teachers else None,
        worst=_value(worst) if worst is not None and (known is None or worst.name == known.name) else None,
        zero_shot=_value(zero_shot),
        zero_shot_metric=zero_shot.name if zero_shot is not None else "",
        prune_steps=ended.steps.prune if ended.steps else 0,
        finetune_steps=ended.steps.finetune if ended.steps else 0,
        compute_macs=ended.compute_macs,
        prune_seconds=ended.seconds.get("prune"),
        finetune_seconds=ended.seconds.get("finetune"),
        seconds=sum(ended.seconds.values()) if ended.seconds else None,
        widths=" ".join(map(str, ended.widths.values())),
        failed=trial.stopped or "",
        study=outcome.study.name,
        version=str(outcome.study.attributes.get(VERSION, "")),
        data=outcome.resolved.data.sha256 if outcome.resolved is not None else "",
        weights=ended.artifact.sha256 if ended.artifact is not None else "",
        macs_exact=row.counted.get("macs"),
        macs_published=row.counted.get("macs_published"),
        params=row.params,
        bytes=row.counted.get("bytes"),
        settings=json.dumps(row.settings),
        metrics=json.dumps(metrics),
    )


def _zero_shot(scores: Sequence[Measurement], measured: Measurement | None) -> Measurement | None:
    """Return the score in the quality's own metric if there is one, else the first; None without scores."""
    wanted = zero_shot_name(measured.name) if measured is not None else ""
    return next((score for score in scores if score.name == wanted), next(iter(scores), None))


def _value(measured: Measurement | None) -> float | None:
    return None if measured is None or measured.reason is not None else measured.value
