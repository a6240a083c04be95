"""The protocol of a degradation, and its application to a picture: a pure function of picture, scale and seed.

Shapes: H x W pixels of the high-resolution side, float32 in 0 .. 255, RGB.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ...files.errors import UserError

WHITE_LEVEL = 255.0


class Degradation(Protocol):
    """A function that makes a low-resolution, noisy, blurred or gray picture: a frozen dataclass of its settings."""

    def __call__(self, pixels: np.ndarray, scale: int, random: np.random.Generator) -> np.ndarray:
        """Return the low side of a picture.

        Args:
            pixels: (H, W, 3) float32 in 0 .. 255; H and W are multiples of the scale.
            scale: H / scale and W / scale are the result's sides.
            random: Source of all random numbers.

        Returns:
            (H / scale, W / scale, 3) of about 0 .. 255; it is clipped and rounded to 8 bits afterwards.
        """
        ...


def degraded(degradation: Degradation, pixels: np.ndarray, scale: int, seed: int) -> np.ndarray:
    """Return the low side of a picture as stored in a file, in 8 bits.

    Args:
        degradation: The degradation.
        pixels: (H, W, 3) in 0 .. 255, of any number type.
        scale: Pixels of the picture per pixel of the result, along a side.
        seed: Seed of the degradation's random numbers.

    Returns:
        (H / scale, W / scale, 3) uint8.

    Raises:
        UserError: The sides are not multiples of the scale, or the degradation returns another size or no numbers.
    """
    height, width = pixels.shape[:2]
    if height % scale or width % scale:
        raise UserError(
            f"scale {scale} does not fit a picture: got {width}x{height} pixels; expected multiples of {scale}"
        )
    low = np.asarray(degradation(pixels.astype(np.float32), scale, np.random.default_rng(seed)))
    expected = (height // scale, width // scale, 3)
    if low.shape != expected or not np.isfinite(low).all():
        found = "values that are not finite" if low.shape == expected else f"shape {low.shape}"
        name = getattr(degradation, "__name__", type(degradation).__name__)
        raise UserError(
            f"degradation {name} does not return a picture: got {found} of a picture "
            f"{pixels.shape} at scale {scale}; expected {expected} of 0 to 255"
        )
    return low.clip(0, WHITE_LEVEL).round().astype(np.uint8)
