"""Gram matrices of an encoder's maps: the style of images (Gatys et al. 2016), as a distance to a teacher's output.

OMGD (Ren et al. 2021): sum over four layers of |Gram(phi(S)) - Gram(phi(T))|, Gram(F) = F F^T / (C H W), L1 as a mean,
with weight 1e4. Original to ganprune: the difference is relative to the teacher's matrices and averaged over the
layers, so that one weight fits every encoder.
"""

from __future__ import annotations

from torch import Tensor

from ..tasks.stylization.style_losses import gram_loss
from .term import Pair, Seen, Term


class Gram(Term):
    """The mean over maps of |Gram(phi(S)) - Gram(phi(T))| / mean |Gram(phi(T))|."""

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        self._maps = pair.feature_maps

    def forward(self, seen: Seen) -> Tensor:
        """Return the relative difference of the Gram matrices."""
        assert self._maps is not None
        return gram_loss(self._maps.to(seen.output.device), seen.output, seen.goal)
