"""The space of widths: a point is one ratio a group (or tied set), a plan is at or under its target."""

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

# A ratio is relative to the plan's own mean: 1 everywhere is the uniform plan at any cost. Said in absolute widths,
# the same shape would be another point at every cost, and no sampler could learn it from one to the next.
# Two octaves: wider draws are so far from any good plan that a short search learns nothing (one trial: 91 where uniform
# has 39), and a group at 2 beside one at 0.5 is a factor of 4 between neighbors.
RATIO_RANGE = (0.5, 2.0)
_DRAWN = 64  # plans that are priced to know how much the other budgets leave of the first


@dataclass(frozen=True)
class WidthSpace:
    """Ratios of groups, decoded to widths inside a target by construction.

    Attributes:
        form: The cost form, which knows the groups.
        cost: The cost that targets are in.
        floor: Fewest channels a group keeps.
        multiple: Widths are multiples of this, or full.
        ties: Patterns of group names (shell style); all groups that match one share one ratio.
        model: Prices plans in the place of the form (a latency table).
        bounds: The other budgets: a plan is at or under each of them as well.
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
        """The same space with plans priced as they are stored in so many bits."""
        bounds = tuple(bound.stored(bits, per_channel) for bound in self.bounds)
        return replace(self, cost=stored_cost(self.cost, bits, per_channel), bounds=bounds)

    def decode(self, ratios: Mapping[str, float], target: float) -> dict[str, int]:
        """Widths in proportion to the ratios (only their quotients count), scaled to meet the target from below.

        Raises:
            InfeasibleBudget: Even the smallest plan costs more.
            KeyError: A dimension is missing.
        """
        values = [ratios[self._owner(name)] for name in self.form.names]
        model = priced_with(self.model or self.form, target, self.bounds) if self.bounds else self.model
        widths = self.form.solve(values, target, self.cost, self.floor, self.multiple, model)
        return dict(zip(self.form.names, widths.tolist(), strict=True))

    def encode(self, widths: Mapping[str, int]) -> dict[str, float]:
        """The ratios that were really built: width / size over its geometric mean, inside RATIO_RANGE.

        A tied set has the mean of its groups.
        """
        shares = np.log(self.form.widths(widths) / self.form.sizes)
        parts: dict[str, list[float]] = {}
        for name, share in zip(self.form.names, shares - shares.mean(), strict=True):
            parts.setdefault(self._owner(name), []).append(float(share))
        low, high = RATIO_RANGE
        return {name: float(np.clip(np.exp(np.mean(values)), low, high)) for name, values in parts.items()}

    def uniform(self, target: float) -> dict[str, int]:
        """The plan with the same ratio everywhere. Raises InfeasibleBudget."""
        return self.decode(dict.fromkeys(self.dimensions, 1.0), target)

    def dearest(self, target: float) -> float:
        """The most that a plan of the space costs at or under a target: less than it where another budget binds.

        Found among the uniform plan and others drawn from the space.
        """
        if not self.bounds:
            return target
        draw, (low, high) = np.random.default_rng(0), np.log(RATIO_RANGE)
        ratios = np.exp(draw.uniform(low, high, (_DRAWN, len(self.dimensions))))
        ratios[0] = 1.0
        return max(self.price(self.decode(dict(zip(self.dimensions, row, strict=True)), target)) for row in ratios)

    def price(self, widths: Mapping[str, int]) -> float:
        """Cost of a plan, in the unit of targets."""
        return float((self.model or self.form).predict(self.form.widths(widths), self.cost))

    def target_of(self, widths: Mapping[str, int]) -> float:
        """Return the least target that a plan meets: its price."""
        return self.price(widths)

    def cheapest(self) -> float:
        """Cost of the smallest plan."""
        smallest = self.form.floors(self.floor, self.multiple)
        return float((self.model or self.form).predict(smallest, self.cost))


def ladder(low: float, high: float, n: int) -> list[float]:
    """`n` targets from `high` down, in equal steps of the logarithm; the first is `high`."""
    return np.geomspace(high, low, n).tolist() if n > 1 else [high]


def select(names: Sequence[str], include: Sequence[str], exclude: Sequence[str]) -> dict[str, UnprunedReason]:
    """Return the groups that patterns leave whole: name -> reason.

    Args:
        names: Groups found.
        include: Shell patterns of what to prune; empty means everything.
        exclude: Shell patterns of what to keep.

    Raises:
        UserError: A pattern matches no group.
    """
    for pattern in [*include, *exclude]:
        if not any(fnmatchcase(name, pattern) for name in names):
            shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
            raise UserError(f"pattern {pattern!r} matches no group; groups are {shown}")
    kept = {}
    for name in names:
        if include and not any(fnmatchcase(name, pattern) for pattern in include):
            kept[name] = Why.NOT_CHOSEN()
        elif pattern := next((p for p in exclude if fnmatchcase(name, p)), None):
            kept[name] = Why.CHOSEN_TO_STAY(pattern=pattern)
    return kept
