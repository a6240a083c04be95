"""Plans at one cost: the uniform one, the one that the score table finds, and those of a local search around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...gan_models.costs.combined_budgets import Bound
from ...gan_models.costs.cost_form import CostForm, CostModel
from ...gan_models.plan_scores.local_search import local_search
from ...gan_models.plan_scores.solver import solve
from ...spaces.widths import WidthSpace
from ..preparations.opened_study import OpenedStudy
from .plan_scorer import PlanScorer

MIN_SHARE = 0.5  # of its uniform width that each group keeps: untrained scores underrate some groups

Widths = Mapping[str, int]


@dataclass(frozen=True)
class FoundPlans:
    """Plans at one cost.

    Attributes:
        uniform: The same share of every group.
        table: Of the least summed scores in the table.
        best: Of the least error among all that were scored.
        visited: All that were scored, the best one included.
    """

    uniform: dict[str, int]
    table: dict[str, int]
    best: dict[str, int]
    visited: tuple[dict[str, int], ...]

    def origin(self, widths: Widths) -> str:
        """Return the origin of a plan in words."""
        if widths == self.uniform:
            return "uniform"
        return "score table" if widths == self.table else "local search"


@dataclass(frozen=True)
class _Side:
    """One generator with its part of a target."""

    name: str
    form: CostForm
    share: float
    model: CostModel | None
    others: tuple[Bound, ...]


def space_of(study: OpenedStudy) -> WidthSpace:
    """Return the study's space of widths, priced in the bits that its trials have first."""
    return study.proposals().space("widths").widths_at(study.resolved.bits[0])


def plans_at(
    study: OpenedStudy,
    scorer: PlanScorer,
    target: float,
    starts: Sequence[Widths] = (),
    evaluations: int = 6,
    min_share: float = MIN_SHARE,
) -> FoundPlans:
    """Return plans at or under a cost, by their errors.

    Args:
        study: The study.
        scorer: Scores plans that cut the teacher.
        target: The cost.
        starts: Plans to start from as well, at or under the cost.
        evaluations: Plans per generator that are scored at most.
        min_share: Of its uniform width that each group keeps.
    """
    space, multiple = space_of(study), study.config.channel_multiple
    uniform = space.uniform(target)
    table: dict[str, int] = {}
    best: dict[str, int] = {}
    visited: list[dict[str, int]] = []
    sides = _sides(study)
    for side in sides:
        own = scorer.own(side.name, uniform)
        floors = np.ceil(min_share * side.form.widths(own)).astype(np.int64)
        bounds = (Bound(space.cost, side.share * target, side.model or side.form), *side.others)
        solved = solve(side.form, scorer.networks[side.name].table, bounds, _rounded(floors, multiple), multiple)
        given = [solved, own, *(scorer.own(side.name, start) for start in starts)]
        found = local_search(
            side.form,
            bounds,
            _rounded(floors, multiple),
            multiple,
            lambda widths, name=side.name: scorer.error(name, widths),
            given,
            evaluations,
            study.config.seed,
        )
        start = "" if len(sides) == 1 else f"{side.name}."
        table |= {f"{start}{group}": width for group, width in solved.items()}
        best |= {f"{start}{group}": width for group, width in found.best.widths.items()}
        if len(sides) == 1:
            visited = [dict(one.widths) for one in found.visited]
    return FoundPlans(uniform, table, best, tuple(visited) or (best,))


def _rounded(floors: NDArray[np.int64], multiple: int) -> NDArray[np.int64]:
    """Return floors rounded down to multiples, so that the uniform plan stays possible."""
    return np.maximum(1, floors // multiple * multiple)


def _sides(study: OpenedStudy) -> list[_Side]:
    cost = study.resolved.cost
    if not study.sides:
        name = study.names[0]
        return [_Side(name, study.groups.form, 1.0, study.prices.model(cost), space_of(study).bounds)]
    return [_Side(side.name, side.groups.form, side.share, side.prices.model(cost), ()) for side in study.sides]
