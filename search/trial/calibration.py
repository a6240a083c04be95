"""Calibration inputs of a study's generators, the refit of a cut generator, and scores before training."""

from __future__ import annotations

from math import isfinite

import torch
from torch import Tensor

from ...evaluators.measurement import Measurement, zero_shot_name
from ...gan_models.data.dataset import batches
from ...gan_models.files.seeds import mixed
from ...gan_models.plan_scores.zero_shot import ERROR as ERROR_NAME
from ...gan_models.plan_scores.zero_shot import NotScored, ZeroShot, ZeroShotScorer, cpu_features
from ...gan_models.pruning.method import Pruned, PruneJob
from ...gan_models.reconstruction.calibration import MEMORY, Calibration
from ...gan_models.reconstruction.reconstruction import RefitOptions, reconstruct
from ...gan_models.reconstruction.record import Reconstruction
from ..preparations.opened_study import OpenedStudy
from ..records.plan_score import PlanErrors, error_scores, mean_errors
from ..setup.pruned_generators import own_plan

BATCH = 16
GIGABYTE = 1_000_000_000
ZERO_SHOT_PROTOCOL = "squared error to the teacher's outputs over their variance, cut and refitted, not trained"


def calibration_of(bench: OpenedStudy, name: str) -> Calibration | None:
    """Return the calibration inputs of a generator, the same in every trial; None if the study has none.

    They are training inputs, never selection or test inputs.

    Args:
        bench: The study.
        name: The generator.
    """
    config = bench.config
    if not config.calibration_images:
        return None
    if name in bench.calibrations:
        return bench.calibrations[name]
    memory = MEMORY if config.calibration_memory is None else round(config.calibration_memory * GIGABYTE)
    bench.calibrations[name] = Calibration(
        lambda: _inputs(bench, name, judging=False),
        mixed(config.seed, 61),
        memory,
        lambda: _inputs(bench, name, judging=True),
    )
    return bench.calibrations[name]


def _inputs(bench: OpenedStudy, name: str, judging: bool) -> tuple[Tensor, ...]:
    """Return the inputs to fit, or as many others for comparison, as far as the training data suffice."""
    config, task = bench.config, bench.task()
    count = task.n_inputs(bench.train_data, name)
    wanted = min(config.calibration_images or 0, count)
    begin, end = (wanted, min(2 * wanted, count)) if judging else (0, wanted)
    source, drawn, n = (
        batches(bench.train_data, min(BATCH, wanted), mixed(config.seed, 62)),
        list[tuple[Tensor, ...]](),
        0,
    )
    try:
        while n < end:
            drawn.append(task.inputs(next(source), name))
            n += len(drawn[-1][0])
    finally:
        source.close()
    return tuple(torch.cat(parts)[begin:end].cpu() for parts in zip(*drawn, strict=True))


def refitted(job: PruneJob, pruned: Pruned, calibration: Calibration) -> Reconstruction:
    """Refit a method's cut network to its teacher's activations, in place.

    Args:
        job: The method's job.
        pruned: The method's result.
        calibration: The calibration inputs.
    """
    options = RefitOptions(memory_bytes=calibration.memory_bytes)
    return reconstruct(job.model, pruned.model, job.groups, pruned.plan, calibration.inputs, calibration.seed, options)


def zero_shot_scores(bench: OpenedStudy, pruned: Pruned) -> tuple[Measurement, ...]:
    """Return the errors of the teacher cut to a trial's plan and refitted; empty without calibration inputs.

    The method's weights are not used, so that scores within one study are comparable.

    Args:
        bench: The study.
        pruned: The result of the trial's method; only its plan is used. Errors of several generators are averaged.
    """
    found: list[ZeroShot] = []
    for name in bench.names:
        calibration = calibration_of(bench, name)
        if calibration is None:
            return ()
        groups = bench.own_groups.get(name, bench.groups)
        plan = own_plan(name, pruned.plan) if bench.own_groups else pruned.plan
        features = cpu_features(bench.output_encoder, bench.device)
        try:
            found.append(ZeroShotScorer(bench.generators[name].cpu(), groups, calibration, features).score(plan))
        except NotScored as fault:  # the trial continues: its plan has no score, and the record has the reason
            return (Measurement.absent(zero_shot_name(ERROR_NAME), "1", str(fault), protocol=ZERO_SHOT_PROTOCOL),)
    errors = mean_errors([PlanErrors(one.error, one.feature_error) for one in found])
    inputs = sum(one.n for one in found)
    if not isfinite(errors.outputs) or not inputs:
        return ()
    return error_scores(errors, bench.encoder.name, inputs, ZERO_SHOT_PROTOCOL)
