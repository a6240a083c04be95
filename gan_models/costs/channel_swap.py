"""Use of the last 1 % of a budget: if no group can be widened, one is narrowed and another widened."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

MIN_UNUSED_SHARE = 0.01  # share of a target; a larger remainder is worth a swap


class Pricer(Protocol):
    """A price of plans (`cost_form.CostModel`)."""

    def predict(self, widths: NDArray[np.int64], cost: str) -> Any:
        """Return the cost of each plan [..., G] -> [...]."""
        ...


class Widths(Pricer, Protocol):
    """A price with its groups (`cost_form.CostForm`)."""

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Full width of each group [G]."""
        ...

    def fit(self, ideal: Any, floor: int, multiple: int) -> NDArray[np.int64]:
        """Return widths rounded down to multiples, at or above the floor."""
        ...


def exchanged(
    form: Widths,
    widths: NDArray[np.int64],
    target: float,
    cost: str,
    floor: int,
    multiple: int,
    model: Pricer | None = None,
) -> NDArray[np.int64] | None:
    """Return the most expensive plan within a target with one group a step narrower and one a step wider, or None.

    Args:
        form: The cost form with the groups.
        widths: Widths [G] at or under the target, of which none can be increased.
        target: Upper bound on the cost.
        cost: The cost's name.
        floor: Minimum number of channels per group.
        multiple: Step in channels.
        model: Prices plans in place of the form.

    Returns:
        None if no such plan costs more than `widths`, or less than 1 % of the target is left. Original to ganprune.
    """
    priced = model or form
    now = float(priced.predict(widths, cost))
    if now >= (1 - MIN_UNUSED_SHARE) * target:
        return None
    up = np.minimum(widths - widths % multiple + multiple, form.sizes) - widths
    down = widths - form.fit(np.maximum(widths - multiple, 0), floor, multiple)
    give, take = np.nonzero((down[:, None] > 0) & (up[None, :] > 0) & ~np.eye(len(widths), dtype=bool))
    if not len(give):
        return None
    plans, rows = np.repeat(widths[None], len(give), 0), np.arange(len(give))
    plans[rows, give] -= down[give]
    plans[rows, take] += up[take]
    costs = np.where((found := priced.predict(plans, cost)) <= target, found, -np.inf)
    best = int(np.argmax(costs))
    return plans[best] if costs[best] > now else None
