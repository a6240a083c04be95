"""The optimizer of slimming's scales: SGD with momentum, then the proximal step of the L1 norm with weight rho.

The published form has rate 0.1, momentum 0.5, and equal shrinkage of all scales (Wang et al., ECCV 2020). The form
`led`, original to ganprune, ends at the budget. Its gradients are relative to their size, so that one rate fits every
network and loss, and its norm is weighted. C is the number of all channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..method import PruneJob
from ..ranking import ranked
from ..sensitivity import pull_of
from .settings import SlimmingSettings
from .sparsity_control import Sparsity, cosine, shrunk, to_numpy, to_tensor

_MOMENTUM = 0.5
_MEMORY = 0.9  # decay of the running size of the gradients


@dataclass(frozen=True)
class Shrinking:
    """The settings of the scales' updates.

    Attributes:
        rate: Rate of SGD at a factor of 1.
        relative: True if gradients are divided by their running root mean square over all channels.
        knee: Scale below which a gate fades (`Scales`).
        importance_exponent, cost_exponent: Exponents of the weights of the L1 norm (`penalties`).
        sensitivity: Exponent by which scales that the loss depends on weigh less (`pull_of`).
    """

    rate: float
    relative: bool
    knee: float
    importance_exponent: float
    cost_exponent: float
    sensitivity: float


PUBLISHED = Shrinking(rate=0.1, relative=False, knee=1.0, importance_exponent=0.0, cost_exponent=0.0, sensitivity=0.0)


def shrinking(settings: SlimmingSettings, steps: int) -> Shrinking:
    """Return the form that slimming's settings name.

    In the form `led`, a scale with a constant gradient of the mean size moves by `scale_rate` over all steps.
    """
    if settings.form == "published":
        return PUBLISHED
    traveled = sum(cosine(step, steps) for step in range(steps)) / (1 - _MOMENTUM)
    return Shrinking(
        rate=settings.scale_rate / traveled,
        relative=True,
        knee=settings.knee,
        importance_exponent=settings.importance_exponent,
        cost_exponent=settings.cost_exponent,
        sensitivity=settings.sensitivity,
    )


def penalties(job: PruneJob, form: Shrinking) -> np.ndarray:
    """Return the weight [C], median 1, of each scale in the L1 norm before cost and sensitivity; all 1 as published.

    One over a channel's score in the ranking to a power: the adaptive lasso (Zou 2006), which drives weak channels to
    zero first and leaves strong ones nearly unchanged.
    """
    if form.importance_exponent == 0:
        return np.ones(sum(job.groups.sizes.values()))
    scores = ranked(job)
    importance = np.maximum(np.concatenate([scores[name] for name in job.groups.names]), 1e-3)
    weights = importance**-form.importance_exponent
    return weights / np.median(weights)


class ScaleSteps:
    """The scales and the state of their optimizer.

    Args:
        start: Scales [C] before the first step.
        sparsity: The control of rho.
        form: The settings of their updates.
        weights: Weight [C] > 0 of each scale in the L1 norm before the sensitivity (`penalties`).

    Attributes:
        scales: Scales [C], a leaf tensor with gradients.
        margin: Distance [C] of each scale above its last threshold, which ranks the channels of a plan, including those
            at zero.
    """

    def __init__(self, start: Tensor, sparsity: Sparsity, form: Shrinking, weights: np.ndarray) -> None:
        self.scales = start.clone().requires_grad_(True)
        self.margin = start.clone()
        self._sparsity, self._form, self._weights = sparsity, form, to_tensor(weights, start)
        self._felt = torch.zeros_like(start)  # mean over the steps of the squared gradient of each channel's gate
        self._momentum = torch.zeros_like(start)
        self._square = torch.zeros(2, dtype=torch.float64)  # running mean of the gradients' squares, and its weight

    def step(self, step: int, gradient: Tensor | None) -> tuple[float, float]:
        """Update the scales by SGD with momentum, then by the proximal step.

        Args:
            step: Number of the step, from 0.
            gradient: Gradient of the scales [C]; None if nothing depends on them.

        Returns:
            Rho, and the cost of the remaining channels as a share of the target.
        """
        with torch.no_grad():
            slope = torch.zeros_like(self.scales) if gradient is None else gradient
            before = to_numpy(self.scales)
            self._momentum.mul_(_MOMENTUM).add_(slope / self._size(slope))
            weights = self._weights * self._prices(before) * self._pull(step, slope)
            now = self._form.rate * cosine(step, self._sparsity.steps)
            moved = self.scales - now * self._momentum
            rho = self._sparsity.rho(step, self._form.rate, before, to_numpy(moved), to_numpy(weights))
            self.scales.copy_(shrunk(moved, rho * now * weights))
            self.margin = moved.abs() / weights - rho * now
        return rho, self.cost() / self._sparsity.target.value

    def left(self) -> int:
        """Return the number of scales that are not zero."""
        return int((self.scales != 0).sum())

    def widths(self) -> NDArray[np.int64]:
        """Return the widths [G] of the channels whose scales are not zero."""
        return self._sparsity.widths(to_numpy(self.scales) > 0)

    def cost(self) -> float:
        """Return the cost of the channels whose scales are not zero."""
        return self._sparsity.cost(to_numpy(self.scales) > 0)

    def _prices(self, before: np.ndarray) -> Tensor:
        """Return weights [C], larger for channels that are expensive in the network as it is now."""
        if self._form.cost_exponent == 0:
            return torch.ones_like(self.scales)
        costs = self._sparsity.channel_costs(before > 0)
        return to_tensor((costs / np.median(costs)) ** self._form.cost_exponent, self.scales)

    def _pull(self, step: int, slope: Tensor) -> Tensor:
        """Return factors [C], smaller for scales that the loss depends on (`pull_of`)."""
        if self._form.sensitivity == 0:
            return torch.ones_like(self.scales)
        felt = torch.where(self.scales.abs() < self._form.knee, self._form.knee * slope, slope)
        self._felt += (felt.square() - self._felt) / (step + 1)
        return pull_of(self._felt, self._form.sensitivity)

    def _size(self, gradient: Tensor) -> float:
        if not self._form.relative:
            return 1.0
        self._square = _MEMORY * self._square
        self._square += (1 - _MEMORY) * torch.tensor([float(gradient.double().square().mean()), 1.0])
        return max(float((self._square[0] / self._square[1]).sqrt()), 1e-30)

    def state(self) -> dict[str, Tensor]:
        """Return the whole state as tensors."""
        return {
            "scales": self.scales.detach(),
            "momentum": self._momentum,
            "square": self._square,
            "margin": self.margin,
            "felt": self._felt,
            "movement": torch.from_numpy(self._sparsity.movement),
        }

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore the result of `state`."""
        with torch.no_grad():
            self.scales.copy_(tensors["scales"])
        self._momentum = tensors["momentum"].to(self.scales)
        self._square = tensors["square"].cpu()
        self.margin = tensors["margin"].to(self.scales)
        self._felt = tensors["felt"].to(self.scales)
        self._sparsity.movement = tensors["movement"].cpu().numpy()
