"""Degradations that only lose resolution: mean of areas, and bicubic as in benchmarks of super-resolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...files.pictures.picture import resized


def area_mean(pixels: np.ndarray, scale: int) -> np.ndarray:
    """Return (H / scale, W / scale, C): the mean of each square of `scale` x `scale` pixels."""
    height, width, channels = pixels.shape
    return pixels.reshape(height // scale, scale, width // scale, scale, channels).mean((1, 3))


def bicubic(pixels: np.ndarray, scale: int) -> np.ndarray:
    """Return (H / scale, W / scale, C) by Pillow's antialiased bicubic filter; the same pixels at scale 1."""
    return resized(pixels, pixels.shape[1] // scale, pixels.shape[0] // scale)


@dataclass(frozen=True)
class Area:
    """The mean of areas, as in a sensor with larger pixels: no ringing, slight blur."""

    def __call__(self, pixels: np.ndarray, scale: int, random: np.random.Generator) -> np.ndarray:
        """Return the low side."""
        return area_mean(pixels, scale)


@dataclass(frozen=True)
class Bicubic:
    """Antialiased bicubic, the usual benchmark: the cubic kernel with a = -0.5, stretched by the scale.

    It is Pillow's filter. MATLAB's `imresize`, which made the published test sets, has the same kernel: results differ
    only by rounding.
    """

    def __call__(self, pixels: np.ndarray, scale: int, random: np.random.Generator) -> np.ndarray:
        """Return the low side."""
        return bicubic(pixels, scale)
