"""Budgets as users write them: 2.5GMACs, 25%, 1.2Mparams, 2MB, 20ms."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from ..gan_models.costs.catalog import CONVENTIONS, COSTS, cost_of, shown_cost
from ..gan_models.costs.cost import Cost
from ..gan_models.files.errors import UserError
from ..gan_models.files.texts.number_text import percent


class BudgetError(UserError):
    """An error: a budget cannot be read or cannot be met."""


@dataclass(frozen=True)
class Budget:
    """An upper bound on one cost.

    Attributes:
        text: The text that the user wrote.
        cost: Name of a row of the table of costs.
        amount: Bound in the cost's unit (MACs, parameters, bytes, ms); a share (0, 1] if `relative`.
        relative: True if the amount is a share of the dense network's cost.
        network: The generator it is for (`AtoB`), or None for the only one.
        note: The conversion of units that was made, to be printed; empty if there was none.
    """

    text: str
    cost: str
    amount: float
    relative: bool = False
    network: str | None = None
    note: str = ""

    def resolve(self, dense: Mapping[str, float], cheapest: Mapping[str, float]) -> float:
        """Return the bound in the cost's own unit.

        Args:
            dense: Cost name -> cost of the dense network.
            cheapest: Cost name -> cost of the smallest plan.

        Raises:
            BudgetError: The bound is below the cheapest plan, or not below the dense network.
        """
        whole, least = dense[self.cost], cheapest[self.cost]
        value = self.amount * whole if self.relative else self.amount
        allowed = (
            f"between {describe(least, self.cost)} (smallest plan) and {describe(whole, self.cost)} (dense network)"
        )
        share = f" or {percent(least / whole)}% to 100%"
        if value < least:
            raise BudgetError(
                f"budget {self.text} = {describe(value, self.cost)} cannot be met; expected one {allowed}{share}"
            )
        if value >= whole:
            raise BudgetError(
                f"budget {self.text} = {describe(value, self.cost)} leaves nothing to prune; expected one "
                f"{allowed}{share}"
            )
        return value


@dataclass(frozen=True)
class PricedBudget:
    """A budget with its bound for one generator.

    Attributes:
        budget: The budget as parsed.
        limit: Upper bound, in the cost's unit.
    """

    budget: Budget
    limit: float


@dataclass(frozen=True)
class Budgets:
    """All budgets of a study, parsed once. The first is the cost objective, the others are constraints.

    Attributes:
        stated: The budgets in the order that the user wrote them.
        convention: `exact` or `published`: what MACs and percentages mean.
    """

    stated: tuple[Budget, ...]
    convention: str = "exact"

    @classmethod
    def parse(cls, texts: Sequence[str], convention: str = "exact") -> Budgets:
        """Return the budgets that texts state.

        Raises:
            BudgetError: A budget cannot be read, or there is none.
        """
        if not texts:
            raise BudgetError(f"no budget is given: {allowed_budgets()}")
        return cls(tuple(parse_budget(text, convention) for text in texts), convention)

    def __iter__(self) -> Iterator[Budget]:
        return iter(self.stated)

    def __len__(self) -> int:
        return len(self.stated)

    @property
    def texts(self) -> tuple[str, ...]:
        """The budgets as the user wrote them."""
        return tuple(budget.text for budget in self.stated)

    @property
    def first(self) -> Budget:
        """The budget whose cost is the second objective."""
        return self.stated[0]

    @property
    def cost(self) -> str:
        """Name of the cost objective."""
        return self.first.cost

    @property
    def costs(self) -> tuple[str, ...]:
        """Names of the costs that the budgets are in, each once."""
        return tuple(dict.fromkeys(budget.cost for budget in self.stated))

    @property
    def profiled(self) -> tuple[str, ...]:
        """Names of the costs that need a profile of a device."""
        return tuple(name for name in self.costs if not cost_of(name).exact)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return the conversions of units that were made, to be printed."""
        return tuple(budget.note for budget in self.stated if budget.note)

    def priced(
        self, dense: Mapping[str, float], cheapest: Mapping[str, float], network: str
    ) -> tuple[PricedBudget, ...]:
        """Return every budget of the one generator that a study prunes, with its bound.

        Args:
            dense: Cost name -> cost of the dense network.
            cheapest: Cost name -> cost of the smallest plan.
            network: The generator's name.

        Raises:
            BudgetError: A budget is below the smallest plan, not below the dense network, or for another generator.
        """
        for budget in self.stated:
            if budget.network not in (None, network):
                raise BudgetError(f"budget {budget.text} is for {budget.network}; this study prunes {network}")
        return tuple(PricedBudget(budget, budget.resolve(dense, cheapest)) for budget in self.stated)

    def by_network(self, names: Sequence[str]) -> dict[str, Budget]:
        """Return the budget of each of several generators that are pruned together.

        Raises:
            BudgetError: There is neither one budget per generator nor one for all, or the costs differ.
        """
        given = self.stated
        if len(given) == 1 and given[0].network is None:
            return dict.fromkeys(names, given[0])
        found = {budget.network or "": budget for budget in given}
        if set(found) != set(names) or len(given) != len(names):
            form = " ".join(f"--budget {name}=25%" for name in names)
            raise BudgetError(
                f"--prune-direction both has other budgets: got {', '.join(self.texts)}; expected one per generator, "
                f"{form}, or one for both, --budget 25%"
            )
        if len(self.costs) > 1:
            raise BudgetError(
                f"the two budgets are in different costs: got {', '.join(self.texts)}; expected one cost (both in "
                f"MACs, ...)"
            )
        return found


def parse_budget(text: str, convention: str = "exact") -> Budget:
    """Return the budget that a text states.

    Args:
        text: `25%`, `2.5GMACs`, `5GFLOPs` (2 FLOPs per MAC), `1.2Mparams`, `2MB` (10^6), `2MiB` (2^20), `20ms`, or a
            number with another unit of the table of costs; a generator's name and `=` may precede it.
        convention: `exact` or `published`: what MACs and percentages mean.

    Raises:
        BudgetError: The text has another form, is not above zero, or is a percentage above 100.
    """
    if convention not in CONVENTIONS:
        raise BudgetError(f"the convention is unknown: got {convention!r}; expected exact or published")
    network, equals, amount = text.strip().rpartition("=")
    match = re.fullmatch(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z%]*)", amount.strip())
    if not match or (equals and not network.strip()):
        raise BudgetError(f"budget {text!r} is not understood: {allowed_budgets()}")
    number, unit = float(match[1]), match[2].lower()
    if not (isfinite(number) and number > 0):
        raise BudgetError(f"budget {text!r} is not above zero: {allowed_budgets()}")
    name = network.strip() or None
    if unit == "%":
        if number > 100:
            raise BudgetError(f"budget {text!r} is above 100%: {allowed_budgets()}")
        return Budget(text, CONVENTIONS[convention], number / 100, relative=True, network=name)
    cost = _cost_in(unit, convention)
    if cost is None:
        if not unit:
            raise BudgetError(f"budget {text!r} has no unit: {allowed_budgets()}")
        advice = "Try to install the package that adds the unit."
        raise BudgetError(f"budget {text!r} has the unknown unit {match[2]!r}: {allowed_budgets()}. {advice}")
    value = number * (cost.amount_of(unit) or 0.0)
    note = cost.note_of(unit)
    return Budget(text, cost.name, value, network=name, note=f"{text} = {cost.show(value)} ({note})" if note else "")


def _cost_in(unit: str, convention: str) -> Cost | None:
    """Return the cost with this unit; other packages are imported only if no cost of ganprune has it."""
    own = COSTS.own.values()
    for rows in (own, (COSTS[name] for name in COSTS if name not in COSTS.own)):
        for cost in rows:
            if unit and cost.convention in ("", convention) and cost.amount_of(unit) is not None:
                return cost
    return None


def allowed_budgets() -> str:
    """Return the forms of a budget, with an example of every cost, for the end of an error message."""
    examples = ["25%"]
    for name in COSTS:
        try:
            examples += COSTS[name].examples
        except UserError:  # a package that cannot be loaded must not hide the error that is being reported
            continue
    return f"write {', '.join(examples[:-1])} or {examples[-1]}, above 0"


def describe(value: float, cost: str) -> str:
    """Return a cost in readable units: 2.5 GMACs, 1.2 M parameters, 2 MB, 20 ms."""
    return shown_cost(cost).show(value)
