"""Outputs of a generator as files: PNGs, or arrays (`.npy`) of more channels than a picture has.

Shapes: C channels, H x W pixels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...gan_models.files.errors import UserError
from ...gan_models.files.pictures.picture import MAX_COLOR_CHANNELS, resized
from ...gan_models.files.pictures.picture_names import ARRAY
from ...gan_models.networks.specs import RANGES

CHANNELS = (1, 2, 3, 4)  # gray, gray and alpha, RGB, RGB and alpha


def write_output(
    image: Tensor,
    path: Path,
    bounds: tuple[float, float] = RANGES["image"],
    size: tuple[int, int] | None = None,
    alpha: np.ndarray | None = None,
) -> Path:
    """Write an output (C, H, W) as a picture, or as an array if it has more than 4 channels.

    An array is float32 (C, H, W) of 0, black, to 1, white, which is read as it is written.

    Args:
        image: The output.
        path: The picture's file; an array has another suffix. Its folder is made.
        bounds: The output's values of black and white.
        size: Width and height of what is written; None: the output's.
        alpha: Transparency (h, w) for a picture without its own.

    Returns:
        The file that was written.

    Raises:
        UserError: Another shape, or values that are not finite.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if image.dim() == 3 and len(image) > MAX_COLOR_CHANNELS:
        values = _unit(image, bounds).permute(1, 2, 0).numpy()
        values = values if size is None else resized(values * 255, *size) / 255
        path = path.with_suffix(ARRAY)
        np.save(path, np.ascontiguousarray(values.transpose(2, 0, 1), np.float32))
        return path
    picture = to_picture(image, bounds)
    if size not in (None, picture.size):
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    with_alpha(picture, alpha).save(path)
    return path


def to_picture(image: Tensor, bounds: tuple[float, float] = RANGES["image"]) -> Image.Image:
    """Return an image (C, H, W) of 1 to 4 channels as a picture.

    Args:
        image: The image.
        bounds: The values of black and white.

    Raises:
        UserError: Another shape, or values that are not finite.
    """
    if image.dim() != 3 or len(image) not in CHANNELS:
        raise UserError(f"outputs of shape {tuple(image.shape)} are not images of 1 to 4 channels")
    pixels = _unit(image, bounds).mul(255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return Image.fromarray(pixels[:, :, 0] if len(image) == 1 else pixels)


def _unit(image: Tensor, bounds: tuple[float, float]) -> Tensor:
    """Return an image on the CPU with 0 for black and 1 for white. Raises UserError if a value is not finite."""
    if not bool(torch.isfinite(image).all()):
        raise UserError("the generator's output is not finite")
    low, high = bounds
    return image.float().cpu().clamp(low, high).sub(low).div(high - low)


def with_alpha(picture: Image.Image, alpha: np.ndarray | None) -> Image.Image:
    """Return a picture with the transparency (h, w) of another one, resized to it, unless it has its own."""
    if alpha is None or picture.has_transparency_data:
        return picture
    plane = resized(np.ascontiguousarray(alpha)[:, :, None], *picture.size)[:, :, 0]
    return Image.merge(f"{picture.mode}A", (*picture.split(), Image.fromarray(plane)))
