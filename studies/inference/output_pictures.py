"""Outputs of a generator as pictures."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...gan_models.files.errors import UserError
from ...gan_models.files.pictures.picture_reader import resized
from ...gan_models.networks.specs import RANGES

CHANNELS = (1, 2, 3, 4)  # gray, gray and alpha, RGB, RGB and alpha


def to_picture(image: Tensor, bounds: tuple[float, float] = RANGES["image"]) -> Image.Image:
    """Return an image (C, H, W) of 1 to 4 channels as a picture.

    Args:
        image: The image.
        bounds: The values of black and white.

    Raises:
        UserError: Another shape, or values that are not finite.
    """
    if image.dim() != 3 or len(image) not in CHANNELS:
        raise UserError(f"outputs of shape {tuple(image.shape)} are no images of 1 to 4 channels")
    if not bool(torch.isfinite(image).all()):
        raise UserError("the generator's output is not finite")
    low, high = bounds
    values = image.float().cpu().clamp(low, high).sub(low).mul(255 / (high - low)).round().to(torch.uint8)
    pixels = values.permute(1, 2, 0).numpy()
    return Image.fromarray(pixels[:, :, 0] if len(image) == 1 else pixels)


def with_alpha(picture: Image.Image, alpha: np.ndarray | None) -> Image.Image:
    """Return a picture with the transparency (h, w) of another one, resized to it, unless it has its own."""
    if alpha is None or picture.has_transparency_data:
        return picture
    plane = resized(np.ascontiguousarray(alpha)[:, :, None], *picture.size)[:, :, 0]
    return Image.merge(f"{picture.mode}A", (*picture.split(), Image.fromarray(plane)))
