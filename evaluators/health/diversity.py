"""The diversity of a generator's outputs, and the share of duplicates among them.

Shapes: N outputs, C channels; images are in [-1, 1].
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_SIDE = 32  # maximum side in pixels: averaging removes differences that are noise alone
_TWIN = 1 / 127.5  # one of 255 gray levels


def diversity_of(images: Tensor) -> float:
    """Return the root mean square distance between two outputs, over all pairs, pixels and channels; 0 for equal ones.

    Images are averaged down to at most 32 x 32 pixels first: fine noise on one picture does not count as diversity.

    Raises:
        ValueError: There are fewer than 2 images, or they are not (N, C, H, W).
    """
    flat = _small(images)
    # Mean over the pairs i != j of |x_i - x_j|^2 is twice the unbiased variance.
    return float((2 * flat.var(0)).mean().sqrt())


def duplicates_of(images: Tensor) -> float:
    """Return the share of outputs within one gray level (root mean square distance) of another output.

    Raises:
        ValueError: There are fewer than 2 images, or they are not (N, C, H, W).
    """
    flat = _small(images)
    distance = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist") / flat.shape[1] ** 0.5
    distance.fill_diagonal_(float("inf"))
    return float((distance.min(1).values <= _TWIN).double().mean())


def accuracy_of(scores: Tensor, real: bool, boundary: float) -> float:
    """Return the share of a discriminator's raw scores on the right side of the boundary; a score on it counts half.

    Args:
        scores: Scores of any shape; every patch counts alike.
        real: True if the images are real (scores should be above), False if generated (below).
        boundary: 0.5 for least squares, 0 for hinge and vanilla.
    """
    side = torch.sign(scores.detach().double() - boundary) * (1 if real else -1)
    return float(((side + 1) / 2).mean())


def _small(images: Tensor) -> Tensor:
    if images.dim() != 4 or len(images) < 2:
        raise ValueError(f"diversity needs more images: got {tuple(images.shape)}; expected (N, C, H, W) of at least 2")
    values = images.detach().double().clamp(-1, 1)
    if max(values.shape[-2:]) > _SIDE:
        values = F.adaptive_avg_pool2d(values, tuple(min(side, _SIDE) for side in values.shape[-2:]))
    return values.flatten(1)
