"""A chain of degradations of photographs: blur, resizing, noise and JPEG, once or several times, and ringing.

Order and kinds are those of Real-ESRGAN (Wang et al. 2021), with its shares and cutoffs, and sinc filters among the
blurs and at the end. Shot noise is given in photons. Other ranges are original to ganprune, for small crops.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np

from ...files.errors import UserError
from ...files.pictures.picture import resized
from .blur import MAX_SIGMA, blurred, checked_range, drawn, drawn_kernel, sinc_kernel
from .degradation import WHITE_LEVEL
from .noise import gaussian_noise, shot_noise

MAX_ROUNDS = 4
SMALLEST = 8  # minimum pixels per side between two steps
SINC_REACHES = (3, 10)  # pixels: kernels of 7 x 7 to 21 x 21, as published


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    """Return pixels (H, W, 3) after JPEG compression of this quality (1 to 95); rounded to 8 bits before."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, WHITE_LEVEL).round().astype(np.uint8)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), np.float32)


@dataclass(frozen=True)
class Real:
    """Blur, resizing, noise, JPEG and ringing with random strengths per picture.

    Args:
        rounds: Number of runs of the chain; Real-ESRGAN has 2.
        sigma: Range of the blur's standard deviations, in pixels.
        anisotropic: Share of elliptical kernels.
        sinc: Share of blurs that are sinc filters.
        last_sinc: Share of pictures with a sinc filter at the end, before or after JPEG.
        cutoff: Range of sinc filters' cutoff, in radians per pixel.
        resize: Range of the factor of intermediate resizing; the last resizing gives the low side's size.
        noise: Range of the Gaussian noise's standard deviation, on the scale of 0 .. 255.
        shot: Share of pictures with shot noise instead of Gaussian noise.
        photons: Range of a white pixel's mean count, for shot noise.
        gray: Share of pictures whose noise is the same in all channels.
        quality: Range of JPEG's quality.

    Raises:
        UserError: A setting is out of range.
    """

    rounds: int = 1
    sigma: tuple[float, ...] = (0.2, 3.0)
    anisotropic: float = 0.5
    sinc: float = 0.1
    last_sinc: float = 0.8
    cutoff: tuple[float, ...] = (np.pi / 5, np.pi)
    resize: tuple[float, ...] = (0.5, 1.5)
    noise: tuple[float, ...] = (1.0, 25.0)
    shot: float = 0.5
    photons: tuple[float, ...] = (50.0, 1000.0)
    gray: float = 0.4
    quality: tuple[float, ...] = (30, 95)

    def __post_init__(self) -> None:
        """Check the settings."""
        if not 1 <= self.rounds <= MAX_ROUNDS:
            raise UserError(f"invalid rounds of degradation: got {self.rounds}; expected 1 to {MAX_ROUNDS}")
        checked_range("sigma of blur", self.sigma, 0, MAX_SIGMA)
        checked_range("resize", self.resize, 0.1, 4)
        checked_range("noise", self.noise, 0, WHITE_LEVEL)
        checked_range("photons", self.photons, 1, 1e6)
        checked_range("quality of JPEG", self.quality, 1, 95)
        checked_range("cutoff", self.cutoff, 0.1, np.pi)
        for name in ("anisotropic", "sinc", "last_sinc", "shot", "gray"):
            checked_range(name, (getattr(self, name),), 0, 1)

    def __call__(self, pixels: np.ndarray, scale: int, random: np.random.Generator) -> np.ndarray:
        """Return the low side."""
        height, width = pixels.shape[0] // scale, pixels.shape[1] // scale
        for left in reversed(range(self.rounds)):
            gaussian = drawn_kernel(self.sigma, self.anisotropic, random)
            pixels = blurred(pixels, self._ringing(random) if random.random() < self.sinc else gaussian)
            pixels = _resized(pixels, drawn(self.resize, random), random)
            gray = bool(random.random() < self.gray)
            if random.random() < self.shot:
                photons = float(np.exp(drawn(tuple(np.log(self.photons)), random)))
                pixels = shot_noise(pixels, photons, gray, random)
            else:
                pixels = gaussian_noise(pixels, drawn(self.noise, random), gray, random)
            if left:
                pixels = jpeg(pixels, round(drawn(self.quality, random)))
        # A shared file is first downsampled and then compressed; it is sharpened before or after that.
        low = resized(pixels.clip(0, WHITE_LEVEL), width, height)
        kernel, before = self._ringing(random), bool(random.random() < 0.5)
        if random.random() >= self.last_sinc:
            return jpeg(low, round(drawn(self.quality, random)))
        low = jpeg(blurred(low, kernel) if before else low, round(drawn(self.quality, random)))
        return low if before else blurred(low, kernel).clip(0, WHITE_LEVEL)

    def _ringing(self, random: np.random.Generator) -> np.ndarray:
        """Return a sinc filter of random cutoff and size."""
        return sinc_kernel(drawn(self.cutoff, random), int(random.integers(SINC_REACHES[0], SINC_REACHES[1] + 1)))


def _resized(pixels: np.ndarray, factor: float, random: np.random.Generator) -> np.ndarray:
    """Return pixels (H, W, 3) resized by a factor, with one of three filters at random."""
    from PIL import Image

    width, height = (max(SMALLEST, round(factor * side)) for side in (pixels.shape[1], pixels.shape[0]))
    ways = (Image.Resampling.BOX, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)
    way = ways[int(random.integers(len(ways)))]
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32)
    return np.stack([np.asarray(Image.fromarray(plane).resize((width, height), way)) for plane in planes], 2)
