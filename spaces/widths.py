"""The space of widths: a point is one ratio per group (or tied set), and its plan is at or under its target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np

from ..gan_models.costs.catalog import stored_cost
from ..gan_models.costs.combined_budgets import Bound, priced_with
from ..gan_models.costs.cost_form import CostForm, CostModel
from ..gan_models.files.errors import UserError
from ..gan_models.tracing.unpruned_reasons import UnprunedReason, Why

# A ratio is relative to the plan's own mean, so 1 everywhere is the uniform plan at any cost. In absolute widths, the
# same shape would be another point at every cost, and a sampler could not learn it across costs. The range is two
# octaves: wider draws are so far from any good plan that a short search learns nothing (one trial: 91, uniform: 39). A
# group at 2 next to one at 0.5 is already a factor of 4 between neighbors.
RATIO_RANGE = (0.5, 2.0)
_N_DRAWN_PLANS = 64  # number of plans that are priced to find how much of the first budget the other budgets leave


@dataclass(frozen=True)
class WidthSpace:
    """Ratios of groups, decoded to widths inside a target by construction.

    Attributes:
        form: The cost form, which knows the groups.
        cost: The cost that targets are in.
        floor: Minimum number of channels per group.
        multiple: Widths are multiples of this, or the full width.
        ties: Patterns of group names (shell style); all groups that match one share one ratio.
        model: Prices plans in place of the form (a latency table).
        bounds: The other budgets, which every plan also meets.
    """

    form: CostForm
    cost: str = "macs"
    floor: int = 1
    multiple: int = 1
    ties: tuple[str, ...] = ()
    model: CostModel | None = None
    bounds: tuple[Bound, ...] = ()

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Names of the ratios, in the order of the groups; a tied set has its pattern's name."""
        return tuple(dict.fromkeys(self._owner(name) for name in self.form.names))

    def _owner(self, group: str) -> str:
        return next((pattern for pattern in self.ties if fnmatchcase(group, pattern)), group)

    def stored(self, bits: int, per_channel: bool) -> WidthSpace:
        """Return the same space with plans priced as stored with this many bits."""
        bounds = tuple(bound.stored(bits, per_channel) for bound in self.bounds)
        return replace(self, cost=stored_cost(self.cost, bits, per_channel), bounds=bounds)

    def decode(self, ratios: Mapping[str, float], target: float) -> dict[str, int]:
        """Return widths in proportion to the ratios (only their quotients count), scaled to meet the target from below.

        Raises:
            InfeasibleBudget: Even the smallest plan costs more than the target.
            KeyError: A dimension is missing.
        """
        values = [ratios[self._owner(name)] for name in self.form.names]
        model = priced_with(self.model or self.form, target, self.bounds) if self.bounds else self.model
        widths = self.form.solve(values, target, self.cost, self.floor, self.multiple, model)
        return dict(zip(self.form.names, widths.tolist(), strict=True))

    def encode(self, widths: Mapping[str, int]) -> dict[str, float]:
        """Return the ratios that were built: width / size over its geometric mean, inside RATIO_RANGE.

        A tied set has the mean of its groups.
        """
        shares = np.log(self.form.widths(widths) / self.form.sizes)
        parts: dict[str, list[float]] = {}
        for name, share in zip(self.form.names, shares - shares.mean(), strict=True):
            parts.setdefault(self._owner(name), []).append(float(share))
        low, high = RATIO_RANGE
        return {name: float(np.clip(np.exp(np.mean(values)), low, high)) for name, values in parts.items()}

    def uniform(self, target: float) -> dict[str, int]:
        """Return the plan of equal ratios. Raises InfeasibleBudget if even the smallest plan costs more."""
        return self.decode(dict.fromkeys(self.dimensions, 1.0), target)

    def dearest(self, target: float) -> float:
        """Return the maximum cost of a plan at or under a target: less than the target if another budget binds.

        Estimated from the uniform plan and others drawn from the space.
        """
        if not self.bounds:
            return target
        draw, (low, high) = np.random.default_rng(0), np.log(RATIO_RANGE)
        ratios = np.exp(draw.uniform(low, high, (_N_DRAWN_PLANS, len(self.dimensions))))
        ratios[0] = 1.0
        return max(self.price(self.decode(dict(zip(self.dimensions, row, strict=True)), target)) for row in ratios)

    def price(self, widths: Mapping[str, int]) -> float:
        """Return the cost of a plan, in the unit of targets."""
        return float((self.model or self.form).predict(self.form.widths(widths), self.cost))

    def target_of(self, widths: Mapping[str, int]) -> float:
        """Return the smallest target that a plan meets: its price."""
        return self.price(widths)

    def cheapest(self) -> float:
        """Return the cost of the smallest plan."""
        smallest = self.form.floors(self.floor, self.multiple)
        return float((self.model or self.form).predict(smallest, self.cost))


def ladder(low: float, high: float, n: int) -> list[float]:
    """Return `n` targets from `high` down, equally spaced on a log scale; the first is `high`."""
    return np.geomspace(high, low, n).tolist() if n > 1 else [high]


def select(names: Sequence[str], include: Sequence[str], exclude: Sequence[str]) -> dict[str, UnprunedReason]:
    """Return the groups that patterns leave unpruned: name -> reason.

    Args:
        names: Names of the groups.
        include: Shell patterns of groups to prune; empty means all.
        exclude: Shell patterns of groups to leave unpruned.

    Raises:
        UserError: A pattern matches no group.
    """
    for pattern in [*include, *exclude]:
        if not any(fnmatchcase(name, pattern) for name in names):
            shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
            raise UserError(f"a pattern matches no group: got {pattern!r}; expected one of {shown}")
    kept = {}
    for name in names:
        if include and not any(fnmatchcase(name, pattern) for pattern in include):
            kept[name] = Why.NOT_CHOSEN()
        elif pattern := next((p for p in exclude if fnmatchcase(name, p)), None):
            kept[name] = Why.CHOSEN_TO_STAY(pattern=pattern)
    return kept
