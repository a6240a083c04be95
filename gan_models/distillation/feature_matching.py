"""Features matched through trained 1x1 maps, after GAN Compression (Li et al. 2020, eq. 4).

Features of the student, mapped by a learnable 1x1 convolution to the teacher's channels, should equal the teacher's.
Original to ganprune: each layer's squared error is a share of the teacher's variance there, so that one weight fits
every network; maps start at the least-squares solution, so that inherited channels match from the first step.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .matched_layers import matched_layers
from .term import Pair, Seen, Term

_FIT_ROWS = 16384  # number of positions for the initial solution
_RIDGE = 1e-4


class FeatureMatching(Term):
    """The 1x1 maps from one student to its teacher, and the loss over them.

    Attributes:
        maps: One per layer, in order of execution.
    """

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        found = matched_layers(pair)
        self.layers, self.compares = found.names, bool(found.names)
        self.maps = nn.ModuleList(_fitted(found.student[name], found.teacher[name]) for name in found.names)

    def forward(self, seen: Seen) -> Tensor:
        """Return the mean over the layers of |map(student) - teacher|^2 / variance of the teacher's features."""
        losses = []
        for name, convert in zip(self.layers, self.maps, strict=True):
            goal = seen.goal_features[name].float()
            error = (_mapped(convert, seen.features[name].float()) - goal).square().mean()
            losses.append(error / (goal.var() + 1e-6))
        return torch.stack(losses).mean()


def _mapped(convert: nn.Module, features: Tensor) -> Tensor:
    if features.dim() == 4:
        return convert(features)
    return convert(features.flatten(2).unsqueeze(-1)).squeeze(-1).unflatten(2, features.shape[2:])


def _fitted(mine: Tensor, theirs: Tensor) -> nn.Conv2d:
    """Return a 1x1 convolution at the ridge solution of theirs = W mine + b."""
    convert = nn.Conv2d(mine.shape[1], theirs.shape[1], 1).to(mine.device)
    rows, goals = (t.movedim(1, -1).flatten(0, -2) for t in (mine, theirs))
    stride = max(1, len(rows) // _FIT_ROWS)
    rows, goals = rows[::stride].double(), goals[::stride].double()
    center, goal_center = rows.mean(0), goals.mean(0)
    rows, goals = rows - center, goals - goal_center
    gram = rows.T @ rows
    ridge = _RIDGE * gram.diagonal().mean().clamp_min(1e-12)
    weight = torch.linalg.solve(
        gram + ridge * torch.eye(len(gram), device=gram.device, dtype=gram.dtype), rows.T @ goals
    )
    with torch.no_grad():
        convert.weight.copy_(weight.T[..., None, None])
        assert convert.bias is not None
        convert.bias.copy_(goal_center - center @ weight)
    return convert
