"""The relative difference of an encoder's maps: a perceptual loss whose weight fits every encoder."""

from __future__ import annotations

import torch
from torch import Tensor

from ..task_parts import Maps

_MIN_MEAN_SHARE = 1e-6  # of a map's mean, below which the map is empty


def perceptual_loss(maps: Maps, images: Tensor, targets: Tensor) -> Tensor:
    """Return the mean over maps of |maps(images) - maps(targets)| as a share of the mean |maps(targets)|.

    Johnson et al. 2016 compare features of VGG-16; the share is original to ganprune: maps of every depth and of every
    encoder count alike, 0 for equal images and about 1 for unrelated ones.

    Args:
        maps: The encoder; no gradient is taken of its weights.
        images: [N, 3, H, W] in [-1, 1].
        targets: The same shape; no gradient flows to them.
    """
    with torch.no_grad():
        wanted = maps(targets)
    shares = [
        (a.float() - b.float()).abs().mean() / b.float().abs().mean().clamp_min(_MIN_MEAN_SHARE)
        for a, b in zip(maps(images), wanted, strict=True)
    ]
    return torch.stack(shares).mean()
