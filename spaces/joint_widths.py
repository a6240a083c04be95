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
        sides: Name (before each of its groups, with a dot), its own cost form, its share of the target, and what
            prices its plans in the form's place.
    """

    sides: tuple[tuple[str, CostForm, float, CostModel | None], ...] = ()

    def decode(self, ratios: Mapping[str, float], target: float) -> dict[str, int]:
        """Widths of each network in proportion to its ratios, scaled to meet its share of the target from below.

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
        """Return the least target whose share each network meets."""
        found = []
        for name, form, share, model in self.sides:
            own = form.widths({group: widths[f"{name}.{group}"] for group in form.names})
            found.append(float((model or form).predict(own, self.cost)) / share)
        return max(found)

    def cheapest(self) -> float:
        """The least target at which every network meets its share."""
        return max(
            float((model or form).predict(form.floors(self.floor, self.multiple), self.cost)) / share
            for _, form, share, model in self.sides
        )
