"""The generators that a study prunes: one, or both directions together, each under its own budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import nn

from ...evaluators.measurement import Measurement
from ...gan_models.files.errors import UserError
from ...gan_models.groups.plan import ChannelPlan
from ...gan_models.networks.catalog import build
from ...gan_models.networks.generator_pair import GeneratorPair
from ...gan_models.networks.specs import OutputSpec
from ...gan_models.networks.value_ranges import judging_usual, with_usual_ranges
from ...gan_models.tasks.task import Task, make_task
from ..config import BOTH_DIRECTIONS, StudyConfig

V = TypeVar("V")


def own_entries(name: str, values: Mapping[str, V]) -> dict[str, V]:
    """Return the entries of one of several generators, without its name."""
    start = f"{name}."
    return {key.removeprefix(start): value for key, value in values.items() if key.startswith(start)}


def own_plan(name: str, plan: ChannelPlan) -> ChannelPlan:
    """Return one generator's part of a plan of several."""
    kept = own_entries(name, plan.kept)
    return ChannelPlan({group: channels for group, channels in kept.items() if isinstance(channels, tuple)})


def pruned_network(config: StudyConfig) -> str:
    """Return the generator that a study prunes, or `both`.

    Raises:
        ValueError: The task has no generator of the given name.
    """
    names = _generators(config)
    allowed = (*names, BOTH_DIRECTIONS) if len(names) > 1 else names
    if config.prune_network and config.prune_network not in allowed:
        raise UserError(
            f"unknown generator of the task {config.task}: got {config.prune_network!r}; expected one of "
            f"{', '.join(allowed)}"
        )
    return config.prune_network or next(iter(names))


def pruned_names(config: StudyConfig) -> tuple[str, ...]:
    """Return the names of the generators that a study prunes."""
    chosen = pruned_network(config)
    return _generators(config) if chosen == BOTH_DIRECTIONS else (chosen,)


def _generators(config: StudyConfig) -> tuple[str, ...]:
    task: Task = make_task(config.task, config.task_settings, config.seed)
    return task.generator_names


def joined(config: StudyConfig, generators: Mapping[str, nn.Module]) -> nn.Module:
    """Return the pruned ones of all generators as one network."""
    names = pruned_names(config)
    return generators[names[0]] if len(names) == 1 else GeneratorPair({name: generators[name] for name in names})


def one_network(config: StudyConfig) -> nn.Module:
    """Return one generator of the study, at full width with fresh weights; its images have the default range."""
    network = build(config.model, config.model_args, str(config.output))
    return with_usual_ranges(network, config.own_inputs, config.value_ranges.given)


def new_discriminators(config: StudyConfig, task: Task, output: OutputSpec) -> nn.ModuleDict:
    """Return the teacher's discriminators with fresh weights.

    A user's own was trained with the generator, so it takes images in the generator's own range.

    Args:
        config: The resolved configuration.
        task: The study's task.
        output: The generators' output.
    """
    discriminators = task.make_discriminators(config.seed)
    if config.teacher_discriminator:
        for network in discriminators.values():
            judging_usual(network, config.value_ranges, output)
    return discriminators


def new_network(config: StudyConfig) -> nn.Module:
    """Return the pruned generators at full width, with fresh weights."""
    return joined(config, {name: one_network(config) for name in pruned_names(config)})


def examples(config: StudyConfig, n: int = 1) -> tuple[torch.Tensor, ...]:
    """Return inputs [n, ...] of the pruned generators, in order."""
    return config.inputs.examples(n) * len(pruned_names(config))


def mean_quality(found: Mapping[str, list[Measurement]]) -> list[Measurement]:
    """Return the generators' mean quality, then the measurements of each under its name.

    Args:
        found: Measurements by generator, quality first.
    """
    first = [measured[0] for measured in found.values()]
    protocol = f"mean over {' and '.join(found)}; {first[0].protocol.partition('; interval')[0]}"
    mean = sum(m.value for m in first) / len(first)
    lows, highs = [m.low for m in first if m.low is not None], [m.high for m in first if m.high is not None]
    low = high = None
    if len(lows) == len(highs) == len(first):
        # They share images, so their errors may correlate; the mean of the ends is wide enough even then.
        low, high = sum(lows) / len(first), sum(highs) / len(first)
        protocol += "; interval: mean of the sides' intervals"
    named = [
        replace(m, name=f"{name.lower()}_{m.name}", protocol=f"{name}; {m.protocol}")
        for name, measured in found.items()
        for m in measured
    ]
    whole = Measurement(first[0].name, mean, first[0].unit, low, high, first[0].n, protocol, better=first[0].better)
    return [whole, *named]


def own_measurements(found: Sequence[Measurement], name: str) -> tuple[Measurement, ...]:
    """Return one generator's measurements of `mean_quality`, under the names of a single generator."""
    start = f"{name.lower()}_"
    return tuple(replace(m, name=m.name.removeprefix(start)) for m in found if m.name.startswith(start))
