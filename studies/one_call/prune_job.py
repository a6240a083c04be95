"""The job that a method is given in one call: budgets as bounds, and widths if the method takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...gan_models.costs.catalog import CONVENTIONS
from ...gan_models.costs.combined_budgets import Bound, priced_with
from ...gan_models.files.errors import UserError
from ...gan_models.pruning.method import MethodSpec, PruneJob, Target
from ...gan_models.pruning.proposal import Proposal
from ...gan_models.reconstruction.calibration import Calibration
from ...spaces.budget import Budgets, describe
from ...spaces.widths import WidthSpace
from .given_widths import ratios_of, widths_of
from .traced_network import TracedNetwork

NETWORK = "G"  # the name of the only generator, in budgets and records


@dataclass(frozen=True)
class Given:
    """The choices of a call that its method decides on.

    Attributes:
        spec: The method's row.
        method: Its name.
        settings: Settings by name.
        ratios: Shell pattern of groups -> ratio; None if none are given.
        widths: Shell pattern of groups -> channels; None if none are given.

    Raises:
        UserError: Ratios or widths for a method that takes none, or both.
    """

    spec: MethodSpec
    method: str
    settings: Mapping[str, Any]
    ratios: Mapping[str, float] | None = None
    widths: Mapping[str, int] | None = None

    def __post_init__(self) -> None:
        """Check that the method takes what is given."""
        for name, given in (("ratios", self.ratios), ("widths", self.widths)):
            if given is not None and not self.spec.searches_ratios:
                raise UserError(
                    f"method {self.method} takes no {name}: got {dict(given)}; expected none. Try method='widths'"
                )
        if self.ratios is not None and self.widths is not None:
            raise UserError("widths are given twice: got ratios and widths; expected one of them. Try widths alone")


def job_of(
    traced: TracedNetwork, given: Given, budgets: Budgets, multiple: int, seed: int, calibration: Calibration | None
) -> PruneJob:
    """Return the job of a call.

    Args:
        traced: The network.
        given: Method, settings, and ratios or widths.
        budgets: The budgets; none only if widths are given.
        multiple: Widths are multiples of this, or full.
        seed: Of everything that the method draws.
        calibration: Inputs to rank channels with; None without any.

    Raises:
        UserError: A budget cannot be met, or settings, ratios or widths are not understood or over a budget.
    """
    form, prices = traced.groups.form, traced.prices
    priced = [(b.budget.cost, b.limit) for b in budgets.priced(prices.dense(), prices.cheapest(1, multiple), NETWORK)]
    widths = None
    if given.widths is not None:
        widths = widths_of(traced.groups.sizes, given.widths)
        costs = {cost: float(prices.predict(form.widths(widths), cost)) for cost in prices.costs}
        for text, (cost, limit) in zip(budgets.texts, priced, strict=True):
            if costs[cost] > limit:
                raise UserError(
                    f"widths are over the budget {text}: got {describe(costs[cost], cost)}; expected at most "
                    f"{describe(limit, cost)}. Try fewer channels, or ratios, which are scaled to the budget"
                )
        cost = CONVENTIONS[budgets.convention]
        priced = priced or [(cost, costs[cost])]
    (cost, limit), *others = priced
    bounds = tuple(Bound(name, most, prices.model(name) or form) for name, most in others)
    model = prices.model(cost)
    if given.spec.widths == "given" and widths is None:
        space = WidthSpace(form, cost, multiple=multiple, model=model, bounds=bounds)
        widths = space.decode(ratios_of(traced.groups.sizes, given.ratios or {}), limit)
    target = Target(
        cost, limit, multiple=multiple, model=priced_with(model or form, limit, bounds) if bounds else model
    )
    proposal = Proposal(given.method, given.spec.read_settings(given.settings), limit, cost, widths)
    return PruneJob(traced.network, NETWORK, traced.groups, proposal, target, seed, calibration=calibration)
