"""The space of widths of several networks that are pruned together, each under its own share of the target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..gan_models.costs.cost_form import CostForm, CostModel
from .widths import WidthSpace


@dataclass(frozen=True)
class JointWidths(WidthSpace):
    """A `WidthSpace` over the groups of all networks; the target is the sum of their costs.

    Attributes:
        sides: Per network: its name (the prefix of its groups, with a dot), its cost form, its share of the target, and
            a model that prices its plans in place of the form.
    """

    sides: tuple[tuple[str, CostForm, float, CostModel | None], ...] = ()

    def decode(self, ratios: Mapping[str, float], target: float) -> dict[str, int]:
        """Return each network's widths in proportion to its ratios, scaled to meet its share of the target from below.

        Raises:
            InfeasibleBudget: Even the smallest plan of a network costs more than its share.
            KeyError: A dimension is missing.
        """
        widths: dict[str, int] = {}
        for name, form, share, model in self.sides:
            values = [ratios[self._owner(f"{name}.{group}")] for group in form.names]
            solved = form.solve(values, share * target, self.cost, self.floor, self.multiple, model)
            widths |= {f"{name}.{group}": n for group, n in zip(form.names, solved.tolist(), strict=True)}
        return widths

    def target_of(self, widths: Mapping[str, int]) -> float:
        """Return the smallest target at which each network meets its share."""
        found = []
        for name, form, share, model in self.sides:
            own = form.widths({group: widths[f"{name}.{group}"] for group in form.names})
            found.append(float((model or form).predict(own, self.cost)) / share)
        return max(found)

    def cheapest(self) -> float:
        """Return the smallest target at which a plan of every network meets its share."""
        return max(
            float((model or form).predict(form.floors(self.floor, self.multiple), self.cost)) / share
            for _, form, share, model in self.sides
        )
