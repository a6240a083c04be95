"""Noise: Gaussian, and the shot noise of a sensor; and the degradation for denoising networks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .blur import as_range, checked_range, drawn
from .degradation import WHITE_LEVEL
from .resizing import bicubic


def gaussian_noise(pixels: np.ndarray, sigma: float, gray: bool, random: np.random.Generator) -> np.ndarray:
    """Return pixels (H, W, C) with normal noise.

    Args:
        pixels: Pixels in 0 .. 255.
        sigma: Standard deviation on the scale of 0 .. 255.
        gray: True if all channels have the same noise.
        random: Source of the noise.
    """
    shape = (*pixels.shape[:2], 1 if gray else pixels.shape[2])
    return pixels + random.normal(0.0, sigma, shape).astype(np.float32)


def shot_noise(pixels: np.ndarray, photons: float, gray: bool, random: np.random.Generator) -> np.ndarray:
    """Return pixels (H, W, C) with Poisson noise.

    Args:
        pixels: Pixels in 0 .. 255.
        photons: Mean count of a white pixel; fewer photons mean stronger noise.
        gray: True if all channels have the same noise, that of their mean.
        random: Source of the noise.
    """
    light = pixels.clip(0, WHITE_LEVEL)
    light = light.mean(2, keepdims=True) if gray else light
    counted = random.poisson(light * (photons / WHITE_LEVEL)) * (WHITE_LEVEL / photons)
    return (pixels + (counted - light)).astype(np.float32)


@dataclass(frozen=True)
class Noise:
    """Gaussian noise after downsampling, clipped to 0 .. 255 as in a file.

    Args:
        sigma: Standard deviation on the scale of 0 .. 255; a number, or the range that it is drawn from.

    Raises:
        UserError: A setting is out of range.
    """

    sigma: float | tuple[float, ...] = 25.0

    def __post_init__(self) -> None:
        """Check the settings."""
        checked_range("sigma of noise", as_range(self.sigma), 0, WHITE_LEVEL)

    def __call__(self, pixels: np.ndarray, scale: int, random: np.random.Generator) -> np.ndarray:
        """Return the low side."""
        return gaussian_noise(bicubic(pixels, scale), drawn(self.sigma, random), False, random)
