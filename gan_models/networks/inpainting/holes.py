"""Masks of missing pixels in networks."""

from __future__ import annotations

from torch import Tensor


def composed(image: Tensor, filled: Tensor, holes: Tensor) -> Tensor:
    """Return the image with the holes filled: image outside of them, `filled` inside.

    Args:
        image: (N, C, H, W).
        filled: The network's image, of the same shape.
        holes: (N, 1, H, W), 1 where pixels are missing.
    """
    return image * (1 - holes) + filled * holes
