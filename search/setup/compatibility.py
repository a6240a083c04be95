"""Checks that networks fit task and data: inputs and outputs of generators, and inputs of discriminators."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ...gan_models.data.spec import BUILTIN, is_own
from ...gan_models.files.errors import UserError
from ...gan_models.files.meta_device import build_for_shapes, run_for_shapes
from ...gan_models.files.pictures.colors import CHANNELS
from ...gan_models.files.pictures.image_size import image_size_of
from ...gan_models.files.user_code import one_line
from ...gan_models.networks.catalog import DISCRIMINATORS, NETWORKS, find_builder
from ...gan_models.networks.output_selection import size_text
from ...gan_models.networks.specs import InputSpec, OutputSpec, checked_color
from ...gan_models.tasks.catalog import TASKS
from ...gan_models.tasks.task import make_task, shown
from ...gan_models.tasks.task_data import picture_sizes
from ...gan_models.tracing.graph.export import output_shapes
from ..checks.data_size import resized_note, size_for_crops, size_for_data, stride_of
from ..config import StudyConfig
from .generator_checks import check_output
from .kept_files import judge_settings
from .pruned_generators import one_network

MAX_EXAMINED_IMAGES = 50  # number of training images whose sizes determine the study's


def fitted(config: StudyConfig, task: str) -> tuple[StudyConfig, OutputSpec]:
    """Return the configuration with the generator's image size and task settings, and the generator's output.

    Args:
        config: The configuration as given.
        task: The study's task.

    Raises:
        UserError: Generator, task and image size do not fit; one line with the change to make.
        NotTraceable: The generator cannot be followed.
    """
    find_builder(config.model)  # raises an error if there is no such model
    config.value_ranges.check(config.inputs)
    output = output_of(config, config.inputs)
    config, output = _in_lab(config, output)
    inputs = config.inputs
    settings = TASKS.find(task).load().fit(config.task_settings, config.model, inputs, output)
    size = image_size_of(*(inputs.pixels or output.size))
    if config.image_size and size != config.image_size:
        stated = f"--input-shape {inputs.text}" if inputs.pixels else f"{config.model}, which gives {output}"
        raise UserError(
            f"--image-size {config.image_size} does not fit {stated}: got images of {size} pixels. Try omitting "
            f"--image-size"
        )
    return replace(config, image_size=size, task_settings=settings), output


def sized(config: StudyConfig, task: str) -> tuple[StudyConfig, OutputSpec, list[str]]:
    """Return the result of `fitted`, at the data's own size if none is given, and notes on the images' sizes.

    Args:
        config: The configuration as given.
        task: The study's task.

    Raises:
        UserError: As for `fitted`.
    """
    _check_size(config)
    fitting, output = fitted(config, task)
    kind = TASKS.find(task).load()
    if fitting.data in BUILTIN:
        return fitting, output, []
    try:
        # The load size is checked together with the size that is determined here.
        found = picture_sizes(replace(fitting, load_size=None).data_spec(output, task), MAX_EXAMINED_IMAGES)
    except UserError:
        found = []  # opening the data reports it, with the layouts
    if not found:
        return fitting, output, []
    own = fitting.inputs.pixels or (output.size[0], output.size[1])
    if not kind.resizes:
        size, note = (
            (own, "") if config.size else size_for_crops(own, found, lambda size: runs_at(config, size, output.scales))
        )
        if size != own:
            fitting, output = fitted(replace(config, image_size=image_size_of(*size)), task)
        return fitting, output, [note] * bool(note)
    if is_own(config.data):
        (size,) = found
        if not config.size and size != own and fitting.inputs.pixels and runs_at(config, size, output.scales):
            fitting, output = fitted(replace(config, image_size=image_size_of(*size)), task)
        return fitting, output, []  # nothing is resized: items of other sizes are refused
    if config.size or not fitting.inputs.pixels:
        note = resized_note(found, own)
        given = bool(config.image_size) and not config.input_shape
        return fitting, output, [note] * (bool(note) and not (given and "shrunk" in note))
    size, note = size_for_data(own, found, lambda size: runs_at(config, size, output.scales))
    if size != own:
        fitting, output = fitted(replace(config, image_size=image_size_of(*size)), task)
    return fitting, output, [note] * bool(note)


def runs_at(config: StudyConfig, size: tuple[int, int], scales: tuple[Fraction, Fraction]) -> bool:
    """Return True if the generator runs at a size, and its output is `scales` times as large."""
    inputs = config.inputs.at_size(size)

    def run(network: nn.Module, values: tuple[Tensor, ...]) -> tuple[int, ...]:
        with torch.no_grad(), torch.device(values[0].device):
            return tuple(network(*values).shape[2:])

    try:
        made = run_for_shapes(build_for_shapes(lambda: one_network(config)), inputs.examples(), run)
    except Exception:  # a user's network may raise anything
        return False
    return made == tuple(side * scale for side, scale in zip(size, scales, strict=True))


def _check_size(config: StudyConfig) -> None:
    """Raise UserError if a network of the catalog does not run at the given size."""
    if config.model not in NETWORKS or config.size is None or config.input_shape:
        return
    own = NETWORKS[config.model].inputs_for(config.model_args)
    if own.pixels in (None, config.size):
        return
    usual = replace(config, image_size=image_size_of(*own.pixels), load_size=None)
    model = build_for_shapes(lambda: one_network(usual))
    shapes = output_shapes(model, usual.inputs.examples())
    scales = OutputSpec.of_shape(shapes[0][1:], usual.inputs).scales
    if runs_at(config, config.size, scales):
        return
    stride = stride_of(config.size, lambda size: runs_at(config, size, scales))
    if stride is None:
        return  # running it gives the reason
    near = image_size_of(*(-(-side // stride) * stride for side in config.size))
    raise UserError(
        f"{config.model} does not run at this size: got --image-size {config.image_size}; expected multiples of "
        f"{stride}. Try --image-size {near}"
    )


def _in_lab(config: StudyConfig, output: OutputSpec) -> tuple[StudyConfig, OutputSpec]:
    """Return configuration and output in L*a*b*, which one input and two output channels mean."""
    images = config.inputs.of_kind("image")
    if (
        config.output_color
        or output.channels != CHANNELS["ab"]
        or len(config.inputs) > 1
        or not images
        or images[0].shape[0] != 1
    ):
        return config, output
    inputs = InputSpec((replace(config.stated_inputs.inputs[0], color="lightness"),))
    return replace(config, input_shape=inputs.text), replace(output, color="ab")


def output_of(config: StudyConfig, inputs: InputSpec) -> OutputSpec:
    """Return the generator's output, by its traced graph; of several outputs, the one that the configuration names.

    Raises:
        UserError: There are several and none is named, or it is not one image.
        NotTraceable: The generator cannot be followed.
    """
    model = build_for_shapes(lambda: one_network(config))
    check_output(config.model, model, inputs)
    shapes = output_shapes(model, inputs.examples())
    if len(shapes) != 1 or len(shapes[0]) != 4:
        given = " and ".join(size_text(shape[1:]) for shape in shapes) or "nothing"
        raise UserError(
            f"{config.model} returns no image: got {given} from {inputs}; expected one image, channels x height x width"
        )
    output = OutputSpec.of_shape(shapes[0][1:], inputs, str(config.output))
    color = checked_color(config.output_color, output.channels, "the output") if config.output_color else output.color
    return replace(output, value_range=config.value_ranges.given, color=color)


def check_discriminators(config: StudyConfig, output: OutputSpec) -> None:
    """Build a user's own discriminators, and call each of them with two images, before any training.

    Args:
        config: The resolved configuration.
        output: The generators' output.

    Raises:
        UserError: The builder needs other arguments, or the network does not accept its inputs.
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
        except Exception as error:  # third-party code may raise anything
            what = " and ".join(size_text(tuple(x.shape[1:])) or "a label" for x in judged)
            raise UserError(
                f"discriminator {model} does not accept its inputs, {what}: got {one_line(error)}; expected scores. "
                f"Try an argument input_channels of its builder, which then gets the channels"
            ) from error
        if not isinstance(scores, Tensor):
            raise UserError(
                f"discriminator {model} returns another type: got {type(scores).__name__}; expected one tensor of "
                f"scores"
            )
        if last.name == "sigmoid" and task.adversarial != "lsgan":
            raise UserError(
                f"discriminator {model} returns probabilities, but the loss {task.adversarial} takes raw scores: got a "
                "sigmoid at its end. Try its forward without it."
            )


class _LastCall(TorchDispatchMode):
    """A recorder of the name of the last operator that ran."""

    name = ""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.name = func.overloadpacket.__name__
        return given
