"""Kernel alignment of a student's features with its teacher's, without any map between their channels.

CAT (Jin et al. 2021): KA = <X X^T, Y Y^T> / (|X X^T| |Y Y^T|) of features X, Y flattened to [B, C H W], with the
Frobenius inner product and norm. KA is 1 if the similarities between the images of a batch agree. The loss is 1 - KA,
the mean over the layers; CAT has -KA.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .matched_layers import matched_layers
from .term import Pair, Seen, Term

_MIN_NORM = 1e-12  # threshold of a norm, below which features are empty


def kernel_alignment(a: Tensor, b: Tensor) -> Tensor:
    """Return the alignment of features [B, ...] of two networks for the same inputs, 0 to 1."""
    a, b = a.float().flatten(1), b.float().flatten(1)
    # Features are scaled first: products over many channels then do not overflow, and the alignment is unchanged.
    a, b = (x / x.norm().clamp_min(_MIN_NORM) for x in (a, b))
    own, goal = a @ a.T, b @ b.T
    return (own * goal).sum() / (own.norm() * goal.norm()).clamp_min(_MIN_NORM)


class KernelAlignment(Term):
    """One less the alignment, the mean over the layers whose channels differ."""

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        self.layers = matched_layers(pair).names
        self.compares = bool(self.layers) and len(pair.inputs[0]) > 1

    def forward(self, seen: Seen) -> Tensor:
        """Return the mean of 1 - KA."""
        found = [kernel_alignment(seen.features[name], seen.goal_features[name]) for name in self.layers]
        return 1 - torch.stack(found).mean()
