"""The control of the sparsity weight rho, so that scales end at a target cost; and the proximal step.

GAN Slimming leaves rho to the user (0.01 to 5e-4 in its README), and the resulting cost is known only at the end. Here
rho is predicted: a scale without gradient shrinks by rho times the future rates. After every step, rho is set so that
the remaining channels meet the target, if scales continue to move as now. Original to ganprune (model predictive
control with one unknown).

C is the number of all channels.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...costs.cost_form import CostForm
from ..method import Target

Floats = NDArray[np.float64]

_TARGET_STEP_SHARE = (
    0.75  # share of the steps after which the target should be met; the others train the remaining channels
)
_MIN_HORIZON_SHARE = 0.05  # minimum share of the steps that the control looks ahead
_EXTRAPOLATION_SHARE = 0.1  # share of the steps for which a scale's present movement is extrapolated
_THRESHOLD_MARGIN = 1 + 1e-6  # margin by which float32 removes the channel whose score is the threshold
_MEMORY = 0.8  # decay of the running mean of the movement


def shrunk(scales: Tensor, threshold: Tensor | float) -> Tensor:
    """Return the soft threshold, the proximal step of the L1 norm: sign(s) max(|s| - threshold, 0)."""
    return scales.sign() * (scales.abs() - threshold).clamp(min=0)


def cosine(step: int, steps: int) -> float:
    """Return the factor of all learning rates at `step` (from 0): from 1 along a half cosine towards 0."""
    return 0.5 * (1 + math.cos(math.pi * step / steps))


class Sparsity:
    """A controller of rho, one value per step.

    Args:
        form: The network's cost form.
        target: The cost at the end.
        steps: Number of all steps.

    Attributes:
        movement: Change [C] of a scale's size by its gradient, in units of the rate.
    """

    def __init__(self, form: CostForm, target: Target, steps: int) -> None:
        self.form, self.target, self.steps = form, target, steps
        self.movement: Floats = np.zeros(int(sum(form.sizes)))
        self._bounds = np.cumsum([0, *form.sizes])
        self._rates = np.array([cosine(step, steps) for step in range(steps)])

    def rho(self, step: int, rate: float, before: Floats, after: Floats, weights: Floats) -> float:
        """Return the weight for this step's proximal step.

        Args:
            step: Number of the step, from 0.
            rate: Learning rate of the scales at a factor of 1.
            before: |scales| [C] before this step's gradient step.
            after: |scales| [C] after it.
            weights: Weights [C] > 0; a channel's threshold is rho * rate * weight.
        """
        now = rate * self._rates[step]
        alive = before > 0
        moved = np.where(alive, (after - before) / now, 0.0)
        self.movement = np.where(alive, _MEMORY * self.movement + (1 - _MEMORY) * moved, 0.0)
        left = max(math.ceil(_TARGET_STEP_SHARE * self.steps) - step, math.ceil(_MIN_HORIZON_SHARE * self.steps), 1)
        shrinking = rate * self._rates[step : step + left].sum()
        believed = (
            rate * self._rates[step + 1 : step + min(left, max(1, round(_EXTRAPOLATION_SHARE * self.steps)))].sum()
        )
        predicted = np.maximum(after + self.movement * believed, 0)
        # A scale at 0 stays there while every step removes the change by its gradient.
        predicted = np.where(alive, predicted, after * shrinking / now)
        return self._threshold(predicted / weights) / shrinking

    def _threshold(self, scores: Floats) -> float:
        """Return the least T >= 0, plus rounding, at which the channels with scores above T cost at most the target."""
        levels = np.unique(scores)
        low, high = -1, len(levels) - 1  # dropping all channels is assumed to fit
        while high - low > 1:
            middle = (low + high) // 2
            if self.cost(scores > levels[middle]) <= self.target.value:
                high = middle
            else:
                low = middle
        if self.cost(scores > 0) <= self.target.value:
            return 0.0
        return float(levels[high]) * _THRESHOLD_MARGIN

    def cost(self, kept: NDArray[np.bool_]) -> float:
        """Return the cost of keeping these channels [C]."""
        return float((self.target.model or self.form).predict(self.widths(kept), self.target.cost))

    def channel_costs(self, kept: NDArray[np.bool_]) -> Floats:
        """Return the cost of one more channel of its group [C] > 0, given the kept channels; in MACs under a latency.

        Costs at full width mislead: most of a trunk channel's cost falls with the widths around it, but that of a
        channel next to the images does not.
        """
        cost = self.target.exact_cost
        per_group = self.form.gradient(self.widths(kept), cost)
        return np.repeat(np.maximum(per_group, 1e-12 * self.form.dense(cost)), self.form.sizes)

    def widths(self, kept: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the widths [G] of keeping these channels [C]; a group without any is at its floor."""
        counts = np.add.reduceat(kept.astype(np.int64), self._bounds[:-1]) if len(kept) else np.zeros(0)
        return self.form.fit(counts, self.target.floor, self.target.multiple)


def to_numpy(values: Tensor) -> Floats:
    """Return |values| as float64 on the CPU."""
    return np.abs(values.detach().double().cpu().numpy())


def to_tensor(values: Floats, like: Tensor) -> Tensor:
    """Return an array as a tensor like another one."""
    return torch.from_numpy(np.asarray(values)).to(like)
