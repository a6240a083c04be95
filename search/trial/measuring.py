"""The last stage of a trial: measurement of its quality, writing of its files, and its outcome."""

from __future__ import annotations

import os
import platform

import torch

from ...gan_models.checkpoints.checkpoint import save_weights
from ...gan_models.files.atomic_files import write_json
from ...gan_models.files.hashes import file_sha256
from ...gan_models.files.plain_values import to_json
from ...gan_models.training.loop import TrainRecord
from ..execution.worker import stop_reason
from ..records.messages import Artifact, ComputeSpent, StepsSpent, TrainingSummary, TrialOutcome
from .cut_check import ROUNDING
from .quantized import QUANTIZATION, detach
from .saved_network import PLAN, WEIGHTS
from .work import TrialWork


def measure(work: TrialWork) -> TrialOutcome:
    """Measure a trial that was trained to its end, write its weights and plan, and return its outcome.

    A stopped trial keeps the quality of its last rung, and its present weights.
    """
    model, stopped = work.study.joined(work.generators), work.trained.stopped
    if stopped:
        measured, quality = [], work.curve[max(work.curve)] if work.curve else None
    else:
        measured = work.study.measure(model, full=True)
        quality = work.study.config.sign * measured[0].value
        end = work.step_of_trial(work.finetune_steps)
        work.curve[end] = quality
        work.picture(end, last=True)
    number, workspace = work.request.number, work.workspace
    write_json(workspace / PLAN, work.pruned.plan.to_json())
    ranges, ranges_sha256 = "", ""
    if work.quantizers:
        write_json(workspace / QUANTIZATION, detach(work.quantizers))
        ranges, ranges_sha256 = f"{number}/{QUANTIZATION}", file_sha256(workspace / QUANTIZATION)
    digest = save_weights(model.cpu(), workspace / WEIGHTS)
    work.clock.lap("measure")
    return TrialOutcome(
        state="PRUNED" if stopped else "COMPLETE",
        quality=quality,
        cost=work.cost,
        measurements=(*measured, *work.checked.costs),
        rungs=dict(work.curve),
        widths=work.pruned.plan.widths,
        architecture=work.architecture,
        artifact=Artifact(f"{number}/{WEIGHTS}", digest, f"{number}/{PLAN}", ranges, ranges_sha256),
        stopped=(work.collapse or stop_reason(max(work.curve, default=0))) if stopped else None,
        seconds=dict(work.clock.seconds),
        constraints=_constraints(work),
        worker=f"{platform.node()}:{os.getpid()} {work.study.device} {torch.get_num_threads()} threads",
        quantized=work.pruned.quantized,
        steps=StepsSpent(work.pruned.steps, work.finetune_steps),
        compute=_compute(work),
        training=_summary(work.trained),
        health=work.health,
        cost_check=work.checked.record,
        method_record=to_json(work.pruned.record),
        reconstructions=dict(work.pruned.reconstructions),
        zero_shot=work.zero_shot,
        curves=work.curves,
    )


def _constraints(work: TrialWork) -> dict[str, float]:
    """Return every budget after the first one as cost over bound, minus 1; above 0 the trial is infeasible."""
    # with several generators, each one's budget is met by its own plan
    others = work.study.resolved.others
    excess = {each.budget.text: work.checked.counted[each.budget.cost] / each.limit - 1 for each in others}
    return {text: 0.0 if abs(value) < ROUNDING else value for text, value in excess.items()}


def _compute(work: TrialWork) -> ComputeSpent | None:
    """Return the compute of the trial: all passes except checks and measurements; None if a user's code trains."""
    if work.study.config.own_training:
        return None
    pruned = work.pruned
    refits = sum(done.macs for done in pruned.reconstructions.values())
    return ComputeSpent(pruned.training_macs, pruned.calibration_macs + refits + work.quantize_macs, work.trained.macs)


def _summary(trained: TrainRecord) -> TrainingSummary | None:
    """Return the end of a training; None if no losses were recorded."""
    if not trained.curve:
        return None
    step, losses = trained.curve[-1]
    return TrainingSummary(trained.seconds, step, losses)
