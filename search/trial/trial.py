"""One trial, from request to outcome, as a list of named stages. Runs in a worker; knows no database."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..preparations.opened_study import open_study
from ..preparations.own_code import NAME as OWN_CODE
from ..records.messages import TrialOutcome, TrialReport, TrialRequest
from .calibration import zero_shot_scores
from .cut_check import check_cut
from .fine_tuning import FineTuning, OwnTraining
from .measuring import measure
from .pruning import prune
from .quantized import quantize
from .work import TrialWork

Stage = Callable[[TrialWork], None]


def _prune(work: TrialWork) -> None:
    """Cut the teacher's generators to the target."""
    work.pruned = prune(work.study, work.request)


def _check(work: TrialWork) -> None:
    """Count what was cut, and compare it with what was planned."""
    work.checked = check_cut(work.study, work.pruned, work.request)


def _score(work: TrialWork) -> None:
    """Score the plan on the teacher's weights, cut and refitted, and not on the method's."""
    work.zero_shot = zero_shot_scores(work.study, work.pruned)


def _quantize(work: TrialWork) -> None:
    """Let the cut networks run in 8 bits if they are to."""
    work.generators, settings = work.networks(), work.pruned.quantized
    work.quantizers = {}
    if settings:
        work.quantizers, work.quantize_macs = quantize(work.study, work.generators, settings, work.request.seed)


def _finetune(work: TrialWork) -> None:
    """Train to the last rung, measuring, reporting and keeping pictures at each one, and before the first."""
    work.picture(work.step_of_trial(0))
    work.clock.lap("measure")
    if work.study.config.own_training:
        work.trained = OwnTraining(work).train()
        return
    tuning = FineTuning(work)
    work.trained = tuning.train()
    work.losses = work.trained.curve
    work.collapse, work.health = tuning.watch.reason or "", tuple(tuning.watch.entries)


def _measure(work: TrialWork) -> None:
    """Measure the result, and write its files."""
    work.outcome = measure(work)


STAGES: Mapping[str, Stage] = {
    "prune": _prune,
    "check": _check,
    "score": _score,
    "quantize": _quantize,
    "finetune": _finetune,
    "measure": _measure,
}


def run(request: TrialRequest, report: Callable[[TrialReport], bool]) -> TrialOutcome:
    """Run one trial through its stages.

    Args:
        request: What to build and where to keep it; the workspace may hold an earlier attempt's checkpoint.
        report: Called at each rung; False stops the trial.

    Returns:
        COMPLETE with everything measured, or PRUNED with the curve so far.

    Raises:
        Exception: Anything; the executor records it as FAIL with its message.
    """
    if request.study is None:
        raise ValueError(f"trial {request.number} cannot be run: its request holds no study")
    study = open_study(request.study, request.prepared)
    if OWN_CODE in request.prepared.artifacts:
        study.load(OWN_CODE)  # raises if a worker has other code than its driver
    work = TrialWork(study, request, report)
    for name, stage in STAGES.items():
        stage(work)
        work.clock.lap(name)
    return work.outcome
