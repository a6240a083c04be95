"""PReLU as maximum and minimum."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .call import Call, Replacement


class MaxMinPrelu(nn.Module):
    """max(x, 0) + slope * min(x, 0).

    Args:
        slope: (C,) or (1,).
    """

    slope: Tensor

    def __init__(self, slope: Tensor) -> None:
        super().__init__()
        self.register_buffer("slope", slope)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, ...) of the same shape."""
        slope = self.slope.reshape(1, -1, *(1,) * (x.ndim - 2)) if x.ndim > 1 else self.slope
        return torch.clamp_min(x, 0) + slope * torch.clamp_max(x, 0)


def rewrite(call: Call) -> Replacement | None:
    """Return a PReLU of constant slopes as maximum and minimum."""
    slope = call.constant(call.arguments["weight"])
    return None if slope is None else Replacement(MaxMinPrelu(slope), (call.arguments["self"],))
