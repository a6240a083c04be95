"""Checks of a generator's inputs and output against a task; one line each, with what to change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..files.errors import UserError
from ..networks.specs import Input, InputSpec

USUAL_CHANNELS = 3  # settings that say no channels mean RGB


def only_latents(task: str, model: str, inputs: InputSpec) -> tuple[Input, ...]:
    """Return the latents of a generator that starts from one or several.

    Raises:
        UserError: It takes something else.
    """
    latents = inputs.of_kind("latent")
    if len(latents) == len(inputs):
        return latents
    cure = "give a generator of latents (--input-shape latent:N), or --task and data that give it what it takes"
    if latents and {one.kind for one in inputs.inputs} == {"latent", "label"}:
        cure = "give --task class_conditional, whose data are folders of classes"
    raise UserError(f"the task {task} draws images from latents, {model} takes {_shown(inputs)}: {cure}")


def latents_and_label(task: str, model: str, inputs: InputSpec) -> Input:
    """Return the class label of a generator that starts from latents and one label.

    Raises:
        UserError: It takes something else.
    """
    latents, labels = inputs.of_kind("latent"), [one for one in inputs.of_kind("label") if not one.is_map]
    if latents and len(labels) == 1 and len(latents) + 1 == len(inputs):
        return labels[0]
    raise UserError(
        f"the task {task} draws images from latents and the label of a class, {model} takes {_shown(inputs)}: give a "
        "generator of both (--input-shape 'latent:N;label:CLASSES'), or --task and data that give it what it takes"
    )


def one_image(task: str, model: str, inputs: InputSpec) -> Input:
    """Return the image of a generator that translates one.

    Raises:
        UserError: It takes something else.
    """
    only = inputs.inputs[0]
    if len(inputs) > 1:
        raise UserError(
            f"the task {task} gives a generator one image, {model} takes {_shown(inputs)}: give a generator of one "
            "image, or a task of your own that provides them (--task file.py:Name)"
        )
    if only.kind != "image":
        raise UserError(
            f"the task {task} translates images, {model} starts from {_shown(inputs)}: give --task unconditional, or a "
            "generator of images"
        )
    return only


def with_channels(settings: Mapping[str, Any], model: str, **channels: int) -> dict[str, Any]:
    """Return a task's settings with the channels of a generator's images.

    Args:
        settings: As the user gave them.
        model: The generator, for messages.
        **channels: Setting -> channels; the usual ones are not written, as in studies of earlier versions.

    Raises:
        UserError: The user's settings say others.
    """
    for name, number in channels.items():
        if settings.get(name, number) != number:
            raise UserError(
                f"the task's setting {name} does not fit {model}: got {settings[name]}; expected {number}. Try leaving "
                "it out."
            )
    others = {name: number for name, number in channels.items() if number != USUAL_CHANNELS}
    return {**settings, **others}


def patch_layers(side: int) -> int:
    """Return the strided layers of a PatchGAN that leave it a map to judge: upstream's 3 from 64 pixels on.

    Args:
        side: Pixels of the shorter side of what it judges.
    """
    return 3 if side >= 64 else 2 if side >= 32 else 1


def _shown(inputs: InputSpec) -> str:
    if len(inputs) == 1 and inputs.inputs[0].kind == "image":
        return f"images of {inputs}"
    if len(inputs) == 1 and inputs.inputs[0].kind == "latent":
        return f"a latent of {inputs}"
    return str(inputs)
