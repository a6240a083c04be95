"""Checks of a generator's inputs against what a task gives it; one line each, with what to change."""

from __future__ import annotations

from ..files.errors import UserError
from ..networks.specs import Input, InputSpec

CHANNELS = 3  # images are read as RGB


def one_latent(task: str, model: str, inputs: InputSpec) -> Input:
    """Return the latent of a generator that starts from one.

    Raises:
        UserError: It takes something else.
    """
    if len(inputs) == 1 and inputs.inputs[0].kind == "latent":
        return inputs.inputs[0]
    raise UserError(
        f"the task {task} draws images from latents, {model} takes {_shown(inputs)}: give a generator of latents "
        "(--input-shape latent:N), or --task and data that give it what it takes"
    )


def one_image(task: str, model: str, inputs: InputSpec, image_size: int) -> Input:
    """Return the image of a generator that translates one, as it is read: square, RGB, of the study's size.

    Raises:
        UserError: It takes something else, other channels or another size.
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
    channels, height, width = only.shape
    if channels != CHANNELS:
        raise UserError(
            f"{model} takes {channels} channels, images are read as RGB: give a generator of {CHANNELS} "
            f"(--input-shape {CHANNELS},{height},{width})"
        )
    if (height, width) != (image_size, image_size):
        raise UserError(
            f"--input-shape {inputs.text} does not fit images of {image_size} pixels a side: "
            "images are read as squares; give a square shape, and leave --image-size out or alike"
        )
    return only


def patch_layers(image_size: int) -> int:
    """Return the strided layers of a PatchGAN that leave it a map to judge: upstream's 3 from 64 pixels on."""
    return 3 if image_size >= 64 else 2 if image_size >= 32 else 1


def _shown(inputs: InputSpec) -> str:
    if len(inputs) == 1 and inputs.inputs[0].kind == "image":
        return f"images of {inputs}"
    if len(inputs) == 1 and inputs.inputs[0].kind == "latent":
        return f"a latent of {inputs}"
    return str(inputs)
