"""The degradation that a colorizing network undoes: the luma in the place of each channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .resizing import bicubic

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


@dataclass(frozen=True)
class Gray:
    """No color: each channel is the luma of ITU-R BT.601. A generator of one channel takes the same picture."""

    def __call__(self, pixels: np.ndarray, scale: int, random: np.random.Generator) -> np.ndarray:
        """Return the low side."""
        return np.repeat(bicubic(pixels, scale) @ LUMA[:, None], 3, 2)
