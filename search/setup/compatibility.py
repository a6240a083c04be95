"""Checks that networks fit task and data: what a generator takes and gives, and what a discriminator is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ...gan_models.files.errors import UserError
from ...gan_models.files.meta_device import build_for_shapes
from ...gan_models.files.pictures.image_size import image_size_of
from ...gan_models.files.user_code import one_line
from ...gan_models.networks.catalog import DISCRIMINATORS, find_builder
from ...gan_models.networks.output_selection import size_text
from ...gan_models.networks.specs import InputSpec, OutputSpec
from ...gan_models.tasks.catalog import TASKS
from ...gan_models.tasks.task import make_task, shown
from ...gan_models.tracing.graph.export import output_shapes
from ..config import StudyConfig
from .generator_checks import check_output
from .kept_files import judge_settings
from .pruned_generators import one_network

CHANNELS = 3  # images are read as RGB, and measured so


def fitted(config: StudyConfig, task: str) -> tuple[StudyConfig, OutputSpec]:
    """Return the configuration with image size and task settings as the generator has them, and what it gives.

    Args:
        config: As given.
        task: The study's task, decided.

    Raises:
        UserError: Generator, task and image size do not fit; one line with what to change.
        NotTraceable: The generator cannot be followed.
    """
    find_builder(config.model)  # raises if there is no such model
    inputs = config.inputs
    config.value_ranges.check(inputs)
    output = output_of(config, inputs)
    kind = TASKS.find(task).load()
    settings = kind.fit(config.task_settings, config.model, inputs, output)
    if inputs.pixels and not getattr(kind, "resizes", True):  # it enlarges as the generator does
        return replace(config, image_size=image_size_of(*inputs.pixels), task_settings=settings), output
    for channels, *sides in (one.shape for one in inputs.of_kind("image")):
        if channels != CHANNELS:
            raise UserError(
                f"{config.model} takes {channels} channels, images are read as RGB: give a generator of {CHANNELS}"
            )
        if len({config.image_size, *sides}) > 1:
            raise UserError(
                f"--input-shape {inputs.text} does not fit images of {config.image_size} pixels a side: "
                "images are read as squares; give a square shape, and leave --image-size out or alike"
            )
    size = image_size_of(*output.size)
    if config.image_size and size != config.image_size:
        cure = "a generator that keeps the size" if inputs.pixels else f"--image-size {size}"
        raise UserError(
            f"{config.model} gives images of {size} pixels a side from {inputs}, the data's have "
            f"{config.image_size}: give {cure}"
        )
    return replace(config, image_size=size, task_settings=settings), output


def output_of(config: StudyConfig, inputs: InputSpec) -> OutputSpec:
    """Return what the generator gives, by its traced graph; of several outputs the one that the configuration names.

    Raises:
        UserError: There are several and none is named, or it is not one square image of three channels.
        NotTraceable: The generator cannot be followed.
    """
    model = build_for_shapes(lambda: one_network(config))
    check_output(config.model, model, inputs)
    shapes = output_shapes(model, inputs.examples())
    one = len(shapes) == 1 and len(shapes[0]) == 4
    if not one or shapes[0][1] != CHANNELS or shapes[0][2] != shapes[0][3]:
        given = " and ".join(size_text(shape[1:]) for shape in shapes) or "nothing"
        raise UserError(
            f"{config.model} gives {given} from {inputs}: a generator must give one square image of {CHANNELS} channels"
        )
    output = OutputSpec.of_shape(shapes[0][1:], inputs, str(config.output))
    return replace(output, value_range=config.value_ranges.given)


def check_discriminators(config: StudyConfig, output: OutputSpec) -> None:
    """Build a user's own discriminators and show each of them two images, before anything is trained.

    Args:
        config: Resolved.
        output: What the generators give.

    Raises:
        UserError: The builder needs what it is not given, or the network does not take what it is shown.
    """
    model = judge_settings(config).get("model", "")
    if not model or model in DISCRIMINATORS.own:
        return
    task = make_task(config.task, config.task_settings, config.seed)
    judged = shown(task, config.inputs.examples(2), torch.zeros(2, output.channels, *output.size))
    for network in task.make_discriminators(config.seed).values():
        last = _LastCall()
        try:
            with torch.no_grad(), last:
                scores = network(*judged)
        except Exception as error:  # somebody else's code may raise anything
            what = " and ".join(size_text(tuple(x.shape[1:])) or "a label" for x in judged)
            raise UserError(
                f"discriminator {model} does not take what it is shown, {what}: "
                f"{one_line(error)}; its builder is told the channels if it has an argument input_channels"
            ) from error
        if not isinstance(scores, Tensor):
            raise UserError(f"discriminator {model} gives a {type(scores).__name__}; expected one tensor of scores")
        if last.name == "sigmoid" and task.adversarial != "lsgan":
            raise UserError(
                f"discriminator {model} gives probabilities, but the loss {task.adversarial} takes raw scores: got a "
                "sigmoid at its end. Try its forward without it."
            )


class _LastCall(TorchDispatchMode):
    """The name of the last operator that computed something."""

    name = ""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.name = func.overloadpacket.__name__
        return given
