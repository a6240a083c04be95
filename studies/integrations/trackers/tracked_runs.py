"""Runs that trackers are given: the teacher and the trials of a record."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from ....evaluators.measurement import Measurement
from ....gan_models.files.plain_values import from_json, to_json
from ....search.artifacts.study_folder import StudyFolder
from ....search.pictures.kept_pictures import strip_files
from ....search.records.learning_curve import LearningCurve
from ....search.records.ledger import TrialRecord
from ....search.records.teacher_artifact import TeacherArtifact
from ...results.outcome import TEACHER, Outcome, measurements_of
from ...results.tables import bits_of
from ...results.trial_page import seed_of
from ..trial_note import trial_note
from .tracker import Experiment, TrackedPicture, TrackedRun, plain_name

Curves = dict[str, tuple[tuple[int, float], ...]]


def experiment_of(outcome: Outcome, identity: str, folder: StudyFolder) -> Experiment:
    """Return a study as trackers name it."""
    config = outcome.config
    facts = {
        "network": config.model,
        "data": str(config.data),
        "budgets": ", ".join(config.budgets),
        "metric": outcome.metric,
        "direction": outcome.better,
        "dense cost": f"{outcome.dense.get(outcome.cost, math.nan):g} {outcome.unit_of(outcome.cost)}",
    }
    return Experiment(outcome.study.name, identity, folder.path, facts)


def teacher_run(outcome: Outcome, folder: StudyFolder) -> TrackedRun | None:
    """Return the teacher as a run; None if the record does not have it yet."""
    stored = outcome.study.attributes.get(TEACHER)
    if not stored:
        return None
    teacher = from_json(TeacherArtifact, stored, TEACHER)
    curves = _losses(teacher.curves)
    step = max((points[-1][0] for points in curves.values()), default=0)
    curves |= _results((*teacher.measurements,), "result", step)
    curves |= _results((*teacher.tested,), "result-test", step)
    pictures = _pictures(folder, "teacher")
    origin = teacher.origin if isinstance(teacher.origin, str) else "given weights"
    return TrackedRun("teacher", "COMPLETE", step, {"origin": origin}, curves, pictures)


def trial_run(outcome: Outcome, trial: TrialRecord, front: bool, folder: StudyFolder) -> TrackedRun:
    """Return a trial as a run.

    Args:
        outcome: Of its study.
        trial: The trial.
        front: True if it is on the front now.
        folder: The study's files, for pictures.
    """
    ended, known = trial.outcome, trial.outcome or trial.report
    curves = _losses({} if known is None else known.curves)
    pictures = _pictures(folder, str(trial.number))
    steps = [*trial.rungs, *(points[-1][0] for points in curves.values()), *(one.step for one in pictures)]
    step = max(steps, default=0)
    quality = plain_name(f"rung/{outcome.metric}")
    if trial.rungs:
        curves[quality] = tuple((at, outcome.value(value)) for at, value in trial.rungs.items() if math.isfinite(value))
    if ended is not None:
        curves |= _results(measurements_of(trial), "result", step)
        curves |= _results(outcome.tested(trial.number), "result-test", step)
        curves |= _results(outcome.finalists(trial.number), "result-after-search", step)
        curves |= {plain_name(f"seconds/{phase}"): ((step, float(value)),) for phase, value in ended.seconds.items()}
        if ended.cost is not None:
            curves[plain_name(f"result/{outcome.cost}")] = ((step, ended.cost),)
    proposal = trial.new.proposal
    settings = {plain_name(f"{proposal.method}.{k}"): str(v) for k, v in to_json(proposal.settings).items()}
    params = {"method": proposal.method, "target": trial.new.target, "bits": bits_of(trial)}
    params |= {"seed": seed_of(outcome, trial), "chosen_by": trial.new.origin}
    note = trial_note(outcome, trial, front) if ended is not None else ""
    return TrackedRun(_name(trial.number), trial.state, step, params | settings, curves, pictures, note)


def _name(number: int) -> str:
    """Return a run's name; names sort as numbers do."""
    return f"trial-{number:04d}"


def _losses(curves: Mapping[str, LearningCurve]) -> Curves:
    """Return losses as curves, one per phase and term; values that are missing or not finite are left out."""
    found: Curves = {}
    for phase, curve in curves.items():
        for term, values in curve.losses.items():
            points = zip(curve.steps, values, strict=True)
            kept = tuple((step, value) for step, value in points if value is not None and math.isfinite(value))
            if kept:
                found[plain_name(f"loss-{phase}/{term}")] = kept
    return found


def _results(measured: Iterable[Measurement], group: str, step: int) -> Curves:
    """Return measurements as curves of one point, with the ends of their intervals."""
    found: Curves = {}
    for m in measured:
        values = {m.name: m.value if m.reason is None else None, f"{m.name}/low": m.low, f"{m.name}/high": m.high}
        found |= {plain_name(f"{group}/{name}"): ((step, v),) for name, v in values.items() if v is not None}
    return found


def _pictures(folder: StudyFolder, name: str) -> tuple[TrackedPicture, ...]:
    """Return the pictures that a training left on this machine."""
    files = strip_files(folder.path / name)
    return tuple(TrackedPicture(plain_name(f"pictures/{file.network}"), file.step, file.path) for file in files)
