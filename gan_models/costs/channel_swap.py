"""The last percent of a budget, where a channel more of any group is too much: one group gives, another takes."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

LEFT = 0.01  # of a target: more than that is worth an exchange


class Pricer(Protocol):
    """Prices plans (`cost_form.CostModel`)."""

    def predict(self, widths: NDArray[np.int64], cost: str) -> Any:
        """Return the cost of each plan [..., G] -> [...]."""
        ...


class Widths(Pricer, Protocol):
    """A price that knows its groups (`cost_form.CostForm`)."""

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Full width of each group [G]."""
        ...

    def fit(self, ideal: Any, floor: int, multiple: int) -> NDArray[np.int64]:
        """Return widths brought to multiples, at or above the floor."""
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
    """The costliest plan within a target that is one group a step narrower and another one a step wider. Ours.

    Args:
        form: Knows the groups.
        widths: At or under the target [G], and no group can be widened.
        target: Upper bound on the cost.
        cost: The cost's name.
        floor: Fewest channels of a group.
        multiple: Step in channels.
        model: Prices plans in the place of the form.

    Returns:
        None where none costs more than this one, or less than 1 % of the target is left.
    """
    priced = model or form
    now = float(priced.predict(widths, cost))
    if now >= (1 - LEFT) * target:
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
