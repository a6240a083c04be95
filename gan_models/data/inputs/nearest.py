"""Planes of whole numbers at another size: no value in between."""

from __future__ import annotations

import numpy as np


def nearest(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return a plane (h, w, ...) at another size, by nearest neighbor at the pixel's center."""
    rows, columns = (
        ((np.arange(wanted) + 0.5) * there / wanted).astype(int)
        for wanted, there in ((height, plane.shape[0]), (width, plane.shape[1]))
    )
    return plane[rows][:, columns]
