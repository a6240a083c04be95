"""The perceptual distance of a student's output to its teacher's, in an encoder's maps.

OMGD (Ren et al. 2021) and DCD (Li et al. 2023) take |phi(S) - phi(T)| of VGG-16 (Johnson et al. 2016). Original to
ganprune: the difference is relative to the teacher's maps, so that one weight fits every encoder; see
`perceptual_loss`.
"""

from __future__ import annotations

from torch import Tensor

from ..tasks.restoration.perceptual_loss import perceptual_loss
from .term import Pair, Seen, Term


class Perceptual(Term):
    """The mean over maps of |phi(S) - phi(T)| / mean |phi(T)|."""

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        self._maps = pair.feature_maps

    def forward(self, seen: Seen) -> Tensor:
        """Return the relative difference of the maps."""
        assert self._maps is not None
        return perceptual_loss(self._maps.to(seen.output.device), seen.output, seen.goal)
