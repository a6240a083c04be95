"""Whether a generator fits its task and data: what it eats, and what it gives by its traced graph."""

from __future__ import annotations

from dataclasses import replace

import torch

from ...gan_models.files.errors import UserError
from ...gan_models.groups.trace import output_shapes
from ...gan_models.networks.catalog import NETWORKS, build, example_input, find_builder
from ..config import StudyConfig

CHANNELS = 3  # images are read as RGB


def fitted(config: StudyConfig, task: str) -> StudyConfig:
    """The configuration with image size and latent length as the generator has them.

    Args:
        config: As given.
        task: The study's task, decided.

    Raises:
        ValueError: Generator, task and image size do not fit; one line with what to change.
        NotTraceable: The generator cannot be followed.
    """
    eats = config.example_shape()
    if not eats:
        find_builder(config.model)  # raises where there is no such model
        raise UserError(f"{config.model} is no generator: use one of {', '.join(NETWORKS)}, or one of your own")
    settings = dict(config.task_settings)
    if task == "unconditional":
        if len(eats) != 1:
            raise UserError(
                f"the task unconditional draws images from latents, {config.model} eats images of {_text(eats)}: "
                "give a generator of latents (--input-shape latent:N), or --task paired or unpaired with such data"
            )
        if settings.setdefault("latent", eats[0]) != eats[0]:
            raise UserError(
                f"{config.model} starts from a latent of {eats[0]}, the task's setting says {settings['latent']}: "
                "leave it out"
            )
    elif len(eats) == 1:
        raise UserError(
            f"the task {task} translates images, {config.model} starts from a latent of {eats[0]}: "
            "give --task unconditional, or a generator of images"
        )
    else:
        _check_input(config, eats)
    size = _output_size(config, eats)
    if config.image_size and size != config.image_size:
        cure = f"--image-size {size}" if len(eats) == 1 else "a generator that keeps the size"
        raise UserError(
            f"{config.model} gives images of {size} pixels a side from {_text(eats)}, the data's have "
            f"{config.image_size}: give {cure}"
        )
    return replace(config, image_size=size, task_settings=settings)


def _check_input(config: StudyConfig, eats: tuple[int, ...]) -> None:
    if eats[0] != CHANNELS:
        raise UserError(
            f"{config.model} eats {eats[0]} channels, images are read as RGB: give a generator of {CHANNELS} "
            f"(--input-shape {CHANNELS},{eats[1]},{eats[2]})"
        )
    if eats[1:] != (config.image_size, config.image_size):
        raise UserError(
            f"--input-shape {','.join(map(str, eats))} does not fit images of {config.image_size} pixels a side: "
            "images are read as squares; give a square shape, and leave --image-size out or alike"
        )


def _output_size(config: StudyConfig, eats: tuple[int, ...]) -> int:
    with torch.device("meta"):
        model = build(config.model, config.model_args)
    shapes = output_shapes(model, (example_input(eats),))
    one = len(shapes) == 1 and len(shapes[0]) == 4
    if not one or shapes[0][1] != CHANNELS or shapes[0][2] != shapes[0][3]:
        given = " and ".join(_text(shape[1:]) for shape in shapes) or "nothing"
        raise UserError(
            f"{config.model} gives {given} from {_text(eats)}: a generator must give one square image of "
            f"{CHANNELS} channels"
        )
    return shapes[0][2]


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a number"
