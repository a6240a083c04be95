"""The distance of a student's output to its teacher's: mean |S(x) - T(x)| (GAN Compression, Li et al. 2020, eq. 3)."""

from __future__ import annotations

from torch import Tensor

from ..tasks.losses import l1
from .term import Pair, Seen, Term


class OutputDistance(Term):
    """The mean absolute difference of the outputs."""

    def __init__(self, pair: Pair) -> None:
        super().__init__()

    def forward(self, seen: Seen) -> Tensor:
        """Return mean |output - goal|."""
        return l1(seen.output, seen.goal)
