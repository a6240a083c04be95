"""A call of a study's requested metrics on a few images, before any training."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ...evaluators.features.encoders import feature_batches
from ...evaluators.measurement import Measurement
from ...evaluators.quality.catalog import METRICS, MetricSet
from ...evaluators.quality.suite import measure_quality
from ...gan_models.checkpoints.checkpoint import load_into
from ...gan_models.files.errors import UserError
from ...gan_models.files.user_code import UserCodeFailed
from ..preparations.opened_study import OpenedStudy
from ..preparations.quality import StudyQuality
from ..setup.pruned_generators import one_network
from ..setup.weight_files import files_by_network
from .finding import Finding
from .launch import Launch

N_EXAMPLE_IMAGES = 8  # number of images


def metrics(launch: Launch) -> Iterator[Finding]:
    """Yield errors of the requested metrics other than ganprune's default ones, or that they work.

    Each is measured on a few images: outputs of the teacher if one is given, else of fresh weights.
    """
    study = launch.study
    asked = tuple(dict.fromkeys(filter(None, (launch.config.objective, *launch.config.also_measure))))
    if study is None or not asked:
        return
    counts = study.resolved.data.images
    n = min(filter(None, (counts.get(study.config.scored_on), study.config.n_eval)), default=0)
    for name in asked:
        fewest = METRICS.find(name).fewest
        if 0 < n < fewest:
            raise UserError(f"metric {name} needs more images: got {n} to compare trials on; expected {fewest} or more")
    called_with = max(N_EXAMPLE_IMAGES, *(METRICS.find(name).fewest for name in asked))
    try:
        found = _called(study, asked, called_with)
    except UserCodeFailed as error:
        wrong = UserError(str(error))
        wrong.traceback = error.traceback
        raise wrong from error
    absent = [m for m in found if m.reason is not None]
    for m in absent:
        kind = "error" if launch.config.objective and m is found[0] else "warning"
        yield Finding(kind, f"{m.name} has no value on {called_with} images: {m.reason}")
    told = [f"{m.name} {m.value:.4g} ({m.better} is better)" for m in found if m.reason is None]
    if told:
        yield Finding("passed", f"metrics on {called_with} images: {'; '.join(told)}")


def _called(study: OpenedStudy, asked: tuple[str, ...], count: int) -> list[Measurement]:
    """Return these metrics' measurements on a few images, some repeated if there are fewer."""
    config, name = study.config, study.names[0]
    quality = StudyQuality(study, {}, config.scored_on)
    example = quality.example(name).first(count, study.device)
    again = count if max(METRICS.find(name).fewest for name in asked) > len(example.reals) else len(example.reals)
    inputs, reals = tuple(_again(x, again) for x in example.inputs), _again(example.reals, again)
    reference = None if example.reference is None else _again(example.reference, again)
    images = study.rgb(reals, inputs).cpu()
    real_ND = torch.cat(list(feature_batches([images], study.encoder, study.device)))
    chosen = MetricSet(asked, config.weight_files, study.told_of_task, config.objective, usual=False)
    return measure_quality(
        quality.runner(_network(study, name)),
        [(inputs, reference)],
        study.encoder,
        real_ND,
        device=study.device,
        aligned=False,
        metrics=chosen,
        real_images=lambda: [images],
        rgb=study.rgb,
        strict=True,
    )


def _again(images: Tensor, count: int) -> Tensor:
    """Return `count` images, the first ones repeated if there are fewer."""
    return images[torch.arange(count, device=images.device) % len(images)]


def _network(study: OpenedStudy, name: str) -> nn.Module:
    """Return the dense generator with the teacher's weights if given, else with fresh ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(study.config.seed)
        network = one_network(study.config)
    if study.config.teacher:
        files = files_by_network(study.config.teacher, study.task().generator_names, "--teacher")
        load_into(network, files[name])
    return network
