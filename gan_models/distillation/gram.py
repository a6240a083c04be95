"""Gram matrices of an encoder's maps: the style of images (Gatys et al. 2016), as a distance to a teacher's output.

OMGD (Ren et al. 2021): sum over four layers of |Gram(phi(S)) - Gram(phi(T))|, Gram(F) = F F^T / (C H W), L1 as a mean,
with weight 1e4. Original to ganprune: the difference is relative to the teacher's matrices and averaged over the
layers, so that one weight fits every encoder.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .term import Pair, Seen, Term

_LEAST = 1e-8  # of a matrix's mean, below which the maps are empty


def gram(maps: Tensor) -> Tensor:
    """Return the Gram matrices [N, C, C] of maps [N, C, H, W], divided by C H W."""
    n, channels, height, width = maps.shape
    flat = maps.reshape(n, channels, height * width)
    return flat @ flat.transpose(1, 2) / (channels * height * width)


class Gram(Term):
    """The mean over maps of |Gram(phi(S)) - Gram(phi(T))| / mean |Gram(phi(T))|."""

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        self._maps = pair.feature_maps

    def forward(self, seen: Seen) -> Tensor:
        """Return the relative difference of the Gram matrices."""
        assert self._maps is not None
        maps = self._maps.to(seen.output.device)
        with torch.no_grad():
            wanted = [gram(each.float()) for each in maps(seen.goal)]
        shares = [
            (gram(own.float()) - goal).abs().mean() / goal.abs().mean().clamp_min(_LEAST)
            for own, goal in zip(maps(seen.output), wanted, strict=True)
        ]
        return torch.stack(shares).mean()
