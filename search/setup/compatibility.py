"""Checks that a generator fits its task and data: what it takes, and what it gives by its traced graph."""

from __future__ import annotations

from dataclasses import replace

import torch

from ...gan_models.files.errors import UserError
from ...gan_models.groups.trace import output_shapes
from ...gan_models.networks.catalog import build, find_builder
from ...gan_models.networks.specs import InputSpec, OutputSpec
from ...gan_models.tasks.catalog import TASKS
from ..config import StudyConfig

CHANNELS = 3  # images are read as RGB, and measured so


def fitted(config: StudyConfig, task: str) -> StudyConfig:
    """Return the configuration with image size and task settings as the generator has them.

    Args:
        config: As given.
        task: The study's task, decided.

    Raises:
        UserError: Generator, task and image size do not fit; one line with what to change.
        NotTraceable: The generator cannot be followed.
    """
    find_builder(config.model)  # raises if there is no such model
    inputs = config.inputs
    settings = TASKS.find(task).load().fit(config.task_settings, config.model, inputs, config.image_size)
    output = output_of(config, inputs)
    size = output.size[0]
    if config.image_size and size != config.image_size:
        cure = "a generator that keeps the size" if inputs.pixels else f"--image-size {size}"
        raise UserError(
            f"{config.model} gives images of {size} pixels a side from {inputs}, the data's have "
            f"{config.image_size}: give {cure}"
        )
    return replace(config, image_size=size, task_settings=settings)


def output_of(config: StudyConfig, inputs: InputSpec) -> OutputSpec:
    """Return what the generator gives, by its traced graph.

    Raises:
        UserError: It is not one square image of three channels.
        NotTraceable: The generator cannot be followed.
    """
    with torch.device("meta"):
        model = build(config.model, config.model_args)
    shapes = output_shapes(model, inputs.examples())
    one = len(shapes) == 1 and len(shapes[0]) == 4
    if not one or shapes[0][1] != CHANNELS or shapes[0][2] != shapes[0][3]:
        given = " and ".join(_text(shape[1:]) for shape in shapes) or "nothing"
        raise UserError(
            f"{config.model} gives {given} from {inputs}: a generator must give one square image of {CHANNELS} channels"
        )
    return OutputSpec(shapes[0][1], (shapes[0][2], shapes[0][3]))


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a number"
