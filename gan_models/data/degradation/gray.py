"""The degradation for colorizing networks: each channel is replaced by the luma."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .resizing import bicubic

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


@dataclass(frozen=True)
class Gray:
    """A removal of color: each channel is the luma of ITU-R BT.601, as is the picture of a generator of one channel."""

    def __call__(self, pixels: np.ndarray, scale: int, random: np.random.Generator) -> np.ndarray:
        """Return the low side."""
        return np.repeat(bicubic(pixels, scale) @ LUMA[:, None], 3, 2)
