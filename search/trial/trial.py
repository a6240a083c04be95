"""A trial, from request to outcome, as a list of named stages. It runs in a worker, without a database."""

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
    """Count the cut network's costs, and compare it with its plan."""
    work.checked = check_cut(work.study, work.pruned, work.request)


def _score(work: TrialWork) -> None:
    """Score the plan on the teacher's weights, cut and refitted, instead of the method's."""
    work.zero_shot = zero_shot_scores(work.study, work.pruned)


def _quantize(work: TrialWork) -> None:
    """Make the cut networks run in 8 bits, if required."""
    work.generators, settings = work.networks(), work.pruned.quantized
    work.quantizers = {}
    if settings:
        work.quantizers, work.quantize_macs = quantize(work.study, work.generators, settings, work.request.seed)


def _finetune(work: TrialWork) -> None:
    """Train to the last rung; measure, report and store pictures at each one, and before the first."""
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
        request: The request; its workspace may contain an earlier attempt's checkpoint.
        report: Called at each rung; False stops the trial.

    Returns:
        COMPLETE with all measurements, or PRUNED with the curve so far.

    Raises:
        Exception: Any exception; the executor records it as FAIL with its message.
    """
    if request.study is None:
        raise ValueError(f"trial {request.number} cannot be run: got a request without a study; expected one")
    study = open_study(request.study, request.prepared)
    if OWN_CODE in request.prepared.artifacts:
        study.load(OWN_CODE)  # raises an error if the worker's code differs from its driver's
    work = TrialWork(study, request, report)
    for name, stage in STAGES.items():
        stage(work)
        work.clock.lap(name)
    return work.outcome
