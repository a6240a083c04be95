"""Choices that a configuration leaves open, decided: methods, steps, task, metric, ladder, discriminator."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ...evaluators.features.catalog import AUTO, ENCODERS, choose_encoder
from ...evaluators.features.feature_maps import vgg_maps
from ...gan_models.data.layouts import detect_task
from ...gan_models.files.errors import UserError
from ..config import StudyConfig
from ..strategy.early_stopping import default_reduction
from ..strategy.proposals import ladder_size
from .compatibility import fitted
from .defaults import with_methods
from .pruned_generators import BOTH, pruned_network
from .weight_files import is_single_file


def decided(config: StudyConfig) -> tuple[StudyConfig, list[str]]:
    """Return the configuration with every open choice decided, and what a user should be told of it.

    Raises:
        UserError: The data's layout says no task, or Inception's weights are asked for and not there.
    """
    config, notes = with_methods(config)
    task = config.known_task() or detect_task(config.data)
    config = fitted(config, task)
    given = {"inception": Path(config.inception_weights)} if config.inception_weights else {}
    metric, found = choose_encoder(config.metric, given)
    if config.metric == AUTO and metric != next(iter(ENCODERS)):
        notes.append("no Inception weights at hand: quality is fd[shapes], a distance in the bundled encoder, not FID")
    weights = str(found.absolute()) if found else ""
    settings = dict(config.task_settings)
    if task == "unpaired" and is_single_file(config.teacher) and "directions" not in settings:
        if config.prune_network == BOTH:
            raise UserError("--prune-direction both needs both generators: --teacher AtoB=FILE,BtoA=FILE")
        settings["directions"] = [config.prune_network or "AtoB"]
        if not config.recipe.distils:
            raise UserError("one generator alone has no cycle to learn from: leave --distill above 0, or give both")
        notes.append(f"one generator given: {settings['directions'][0]} is distilled, without cycle")
    if config.teacher and not config.teacher_discriminator:
        notes.append(
            "no --teacher-discriminator: one is trained against the frozen teacher first, for "
            f"{config.teacher_steps:,} steps (--teacher-steps)"
        )
    if task != "unconditional":
        judge = dict(settings.get("discriminator", {}))
        settings["discriminator"] = judge | {"n_layers": judge.get("n_layers", _patch_layers(config.image_size))}
    resolved = replace(
        config,
        task=task,
        metric=metric,
        inception_weights=weights,
        vgg_weights=_vgg(config.vgg_weights),
        task_settings=settings,
        ladder=config.ladder or ladder_size(config.trials, config.methods),
        reduction=default_reduction(config.trials) if config.reduction is None else config.reduction,
    )
    return replace(resolved, prune_network=pruned_network(resolved)), notes


def _vgg(weights: str) -> str:
    """Return the absolute path of VGG-16's weights. Raises UserError: They are another network's."""
    if weights:
        vgg_maps(Path(weights))
    return str(Path(weights).absolute()) if weights else ""


def _patch_layers(image_size: int) -> int:
    """Return the strided layers of a PatchGAN whose output is still a map: upstream's 3 from 64 pixels on."""
    return 3 if image_size >= 64 else 2 if image_size >= 32 else 1
