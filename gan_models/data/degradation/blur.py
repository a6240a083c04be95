"""Kernels of blur (isotropic and anisotropic Gaussian, sinc), and the degradation for deblurring networks.

Shapes: H x W pixels, K x K kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...files.errors import UserError
from .resizing import bicubic

KERNEL_REACH = 3.0  # a kernel ends at this many standard deviations
MAX_SIGMA = 20.0  # maximum in pixels; a kernel of 121 x 121


def checked_range(name: str, bounds: tuple[float, ...], low: float, high: float) -> None:
    """Raise UserError unless `bounds` are one or two ascending numbers between `low` and `high`."""
    if len(bounds) not in (1, 2) or list(bounds) != sorted(bounds) or not low <= bounds[0] <= bounds[-1] <= high:
        raise UserError(
            f"invalid {name}: got {list(bounds)}; expected one number, or minimum and maximum, from {low:g} to {high:g}"
        )


def as_range(value: float | tuple[float, ...]) -> tuple[float, ...]:
    """Return a number or a range as a range."""
    return (value,) if isinstance(value, int | float) else tuple(value)


def drawn(bounds: float | tuple[float, ...], random: np.random.Generator) -> float:
    """Return a uniform random number from a range; a range of one number returns that number."""
    bounds = as_range(bounds)
    return float(random.uniform(bounds[0], bounds[-1]))


def gaussian_kernel(sigma: float, across: float, angle: float) -> np.ndarray:
    """Return a kernel (K, K) that sums to 1.

    Args:
        sigma: Standard deviation in pixels along the first axis of the ellipse.
        across: Standard deviation along the second axis.
        angle: Angle of the first axis, in radians.
    """
    reach = max(1, int(np.ceil(KERNEL_REACH * max(sigma, across))))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    along, aside = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    kernel = np.exp(-0.5 * ((along / max(sigma, 1e-3)) ** 2 + (aside / max(across, 1e-3)) ** 2))
    return kernel / kernel.sum()


def sinc_kernel(cutoff: float, reach: int) -> np.ndarray:
    """Return a circular low-pass filter (K, K) that sums to 1 and rings at edges, like sharpened or compressed files.

    Wang et al. 2021 (Real-ESRGAN), section 3.3: cutoff / (2 pi r) times the Bessel function J1 of cutoff times r.

    Args:
        cutoff: Frequency in radians per pixel, up to pi.
        reach: Pixels from the center to the kernel's end; K is twice that plus one.
    """
    from scipy.special import j1  # imported here, because most runs need no scipy

    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    radius = np.hypot(x, y)
    radius[reach, reach] = 1.0  # the limit at 0 is set below
    kernel = cutoff * j1(cutoff * radius) / (2 * np.pi * radius)
    kernel[reach, reach] = cutoff**2 / (4 * np.pi)
    return kernel / kernel.sum()


def blurred(pixels: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return pixels (H, W, C) blurred by a kernel (K, K); borders are reflected."""
    from scipy.signal import fftconvolve  # imported here, because most runs need no scipy

    reach = len(kernel) // 2
    padded = np.pad(pixels, ((reach, reach), (reach, reach), (0, 0)), mode="symmetric")
    return fftconvolve(padded, kernel[:, :, None], mode="valid", axes=(0, 1)).astype(np.float32)


@dataclass(frozen=True)
class Blur:
    """A Gaussian blur before downsampling.

    Args:
        sigma: Standard deviation in pixels of the high side; a number, or the range that it is drawn from.
        anisotropic: Share of pictures whose kernel is an ellipse of two such widths at any angle.

    Raises:
        UserError: A setting is out of range.
    """

    sigma: float | tuple[float, ...] = (1.0, 3.0)
    anisotropic: float = 0.0

    def __post_init__(self) -> None:
        """Check the settings."""
        checked_range("sigma of blur", as_range(self.sigma), 0, MAX_SIGMA)
        checked_range("anisotropic", (self.anisotropic,), 0, 1)

    def __call__(self, pixels: np.ndarray, scale: int, random: np.random.Generator) -> np.ndarray:
        """Return the low side."""
        return bicubic(blurred(pixels, drawn_kernel(self.sigma, self.anisotropic, random)), scale)


def drawn_kernel(sigma: float | tuple[float, ...], anisotropic: float, random: np.random.Generator) -> np.ndarray:
    """Return a Gaussian kernel of random width; a share of kernels are ellipses at a random angle."""
    first, second, angle = drawn(sigma, random), drawn(sigma, random), random.uniform(0, np.pi)
    return gaussian_kernel(first, second if random.random() < anisotropic else first, angle)
