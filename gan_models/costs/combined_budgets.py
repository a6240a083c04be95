"""Several budgets at once as one cost, so that whatever meets a target from below meets all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from .catalog import stored_cost
from .cost_form import CostModel, Floats


@dataclass(frozen=True)
class Bound:
    """A budget beside the one that targets are in.

    Attributes:
        cost: Its name in the model.
        limit: The most that a plan may cost, in its unit.
        model: Prices plans.
    """

    cost: str
    limit: float
    model: CostModel

    def stored(self, bits: int, per_channel: bool) -> Bound:
        """The same for networks in so many bits."""
        return replace(self, cost=stored_cost(self.cost, bits, per_channel))


@dataclass(frozen=True)
class BindingCost:
    """What a plan costs by the budget that binds it most, in the target's unit: at or under the target it meets all.

    max(first(w), target * max over bounds of cost(w) / limit), our own: it rises with the excess over any bound, so
    that methods which steer towards a target are led under all of them by the same rule.

    Attributes:
        first: Prices plans in the cost that targets are in.
        target: Of this trial.
        bounds: The other budgets.
    """

    first: CostModel
    target: float
    bounds: tuple[Bound, ...]

    def predict(self, widths: ArrayLike, cost: str = "macs") -> Floats:
        """Cost [P] of plans with these widths [P, G]; `cost` is the first one's name."""
        costs = self.first.predict(widths, cost)
        for bound in self.bounds:
            costs = np.maximum(costs, self.target * (bound.model.predict(widths, bound.cost) / bound.limit))
        return costs


def priced_with(first: CostModel, target: float, bounds: Sequence[Bound]) -> CostModel:
    """What plans are priced with under one target: the first model itself where nothing else binds."""
    return BindingCost(first, target, tuple(bounds)) if bounds else first
