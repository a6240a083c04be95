"""The total variation of a student's output, OMGD's term |d_x S| + |d_y S| (Ren et al. 2021), as means.

It is not a distance to the teacher: it penalizes artifacts that the other terms allow, such as checkerboards. OMGD sums
over pixels with weight 1e-5; means do not depend on the size.
"""

from __future__ import annotations

from torch import Tensor

from .term import Pair, Seen, Term


class TotalVariation(Term):
    """The mean absolute difference of vertical and of horizontal neighbors."""

    def __init__(self, pair: Pair) -> None:
        super().__init__()

    def forward(self, seen: Seen) -> Tensor:
        """Return mean |d_y S| + mean |d_x S|."""
        output = seen.output.float()
        return output.diff(dim=-2).abs().mean() + output.diff(dim=-1).abs().mean()
