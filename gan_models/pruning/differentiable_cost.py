"""The cost form in torch: gradients of the cost with respect to gates, and a log-ratio penalty for a target."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..costs.cost_form import CostForm


class SoftCost:
    """The cost of gates as a share of the dense cost, differentiable in every gate.

    Args:
        form: The exact cost form.
        cost: `macs`, `macs_published`, `params` or `bytes`.
    """

    def __init__(self, form: CostForm, cost: str) -> None:
        self.names, self.dense = form.names, form.dense(cost)
        a = form.coefficients[cost]
        used = a != 0
        self._left, self._right = torch.from_numpy(form.left[used]), torch.from_numpy(form.right[used])
        self._left_fixed = torch.from_numpy(form.left_fixed[used])
        self._right_fixed = torch.from_numpy(form.right_fixed[used])
        self._a = torch.from_numpy(a[used])

    def __call__(self, gates: Mapping[str, Tensor]) -> Tensor:
        """Return the share of the dense cost, a float64 scalar; equals the form's for gates of 0 and 1."""
        widths = torch.stack([gates[name].double().sum() for name in self.names]).cpu()
        left = self._left @ widths + self._left_fixed
        right = self._right @ widths + self._right_fixed
        return ((left * right) @ self._a) / self.dense


def log_shortfall(share: Tensor, floor: float) -> Tensor:
    """Return log(floor / min(share, floor)), a penalty on plans far below their target. Original to ganprune."""
    return torch.log(floor / share.clamp(max=floor)) if float(share.detach()) < floor else share * 0


def log_ratio(share: Tensor, target: float) -> Tensor:
    """Return R = log(max(share, target) / target): 0 at or under the target, with gradient 0 (released code of ISP)."""
    return torch.log(share.clamp(min=target) / target) if float(share.detach()) > target else share * 0
