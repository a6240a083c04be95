"""A combination of several budgets into one cost: a plan at or under its target meets all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from .catalog import stored_cost
from .cost_form import CostModel, Floats


@dataclass(frozen=True)
class Bound:
    """A budget in addition to the one of the targets.

    Attributes:
        cost: Its cost's name in the model.
        limit: Upper bound on a plan's cost, in its unit.
        model: Prices plans.
    """

    cost: str
    limit: float
    model: CostModel

    def stored(self, bits: int, per_channel: bool) -> Bound:
        """Return the same bound for networks in this many bits."""
        return replace(self, cost=stored_cost(self.cost, bits, per_channel))


@dataclass(frozen=True)
class BindingCost:
    """The cost of a plan in the budget that binds it most, in the target's unit: at or under the target, it meets all.

    max(first(w), target * max over bounds of cost(w) / limit), original to ganprune. It rises with the excess over any
    bound, so that methods that approach a target meet all budgets by the same rule.

    Attributes:
        first: Prices plans in the cost that targets are in.
        target: The target of this trial.
        bounds: The other budgets.
    """

    first: CostModel
    target: float
    bounds: tuple[Bound, ...]

    def predict(self, widths: ArrayLike, cost: str = "macs") -> Floats:
        """Return the cost [P] of plans with these widths [P, G]; `cost` is the first one's name."""
        costs = self.first.predict(widths, cost)
        for bound in self.bounds:
            costs = np.maximum(costs, self.target * (bound.model.predict(widths, bound.cost) / bound.limit))
        return costs


def priced_with(first: CostModel, target: float, bounds: Sequence[Bound]) -> CostModel:
    """Return the price of plans under one target: the first model itself if no other budget applies."""
    return BindingCost(first, target, tuple(bounds)) if bounds else first
