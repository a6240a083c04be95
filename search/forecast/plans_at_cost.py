"""Plans at one cost: the uniform one, the solver's, and those of a local search around them.

The search is that of the method `reconstruct` (`plan_scores.plan_search`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...gan_models.costs.combined_budgets import Bound
from ...gan_models.costs.cost_form import CostForm, CostModel
from ...gan_models.plan_scores.least_widths import least_widths
from ...gan_models.plan_scores.plan_search import FoundPlan, find_plan, measured_sensitivities, solved_plans
from ...spaces.widths import WidthSpace
from ..preparations.opened_study import OpenedStudy
from ..records.plan_score import UNIFORM
from .plan_scorer import PlanScorer

BLOCKS = 12  # plans per generator that measure sensitivities, at most; once per study

Widths = Mapping[str, int]
Error = Callable[[str, Widths], float]  # of a generator's plan
Sensitivities = Mapping[str, Mapping[str, float]]  # by generator and group


@dataclass(frozen=True)
class FoundPlans:
    """Plans at one cost.

    Attributes:
        uniform: The same share of every group.
        solved: Of the least summed scores in the table, times sensitivities.
        best: Of the least error among all that were scored.
        visited: All that were scored, the best one included.
    """

    uniform: dict[str, int]
    solved: tuple[dict[str, int], ...]
    best: dict[str, int]
    visited: tuple[dict[str, int], ...]

    def origin(self, widths: Widths) -> str:
        """Return the origin of a plan in words."""
        if widths == self.uniform:
            return UNIFORM
        return "score table" if widths in self.solved else "local search"


@dataclass(frozen=True)
class _Side:
    """One generator with its part of a target."""

    name: str
    form: CostForm
    share: float
    model: CostModel | None
    others: tuple[Bound, ...]

    def bounds(self, study: OpenedStudy, target: float) -> tuple[Bound, ...]:
        """Return its budgets at a target of all generators."""
        return (Bound(space_of(study).cost, self.share * target, self.model or self.form), *self.others)

    def least(self, uniform: Widths, multiple: int) -> NDArray[np.int64]:
        """Return the fewest channels of each group [G] compared with the uniform plan."""
        return least_widths(self.form, self.form.widths(uniform), multiple=multiple)


def space_of(study: OpenedStudy) -> WidthSpace:
    """Return the study's space of widths, priced in the bits that its trials have first."""
    return study.proposals().space("widths").widths_at(study.resolved.bits[0])


def sensitivities(study: OpenedStudy, scorer: PlanScorer, error: Error | None = None) -> Sensitivities:
    """Return the sensitivity of each group, measured end to end at the middle of the study's costs.

    Args:
        study: The study.
        scorer: Scores plans that cut the teacher.
        error: Returns the error of a generator's plan; None: the scorer's.
    """
    proposals, scored = study.proposals(), error or scorer.error
    uniform = space_of(study).uniform((proposals.lowest * proposals.highest) ** 0.5)
    return {
        side.name: measured_sensitivities(
            scorer.networks[side.name].table,
            scorer.own(side.name, uniform),
            lambda widths, name=side.name: scored(name, widths),
            min(BLOCKS, len(side.form.names)),
        )
        for side in _sides(study)
    }


def solved_at(
    study: OpenedStudy, scorer: PlanScorer, target: float, weights: Sensitivities
) -> tuple[dict[str, int], ...]:
    """Return the solver's plans at or under a cost; nothing is scored. Arguments as of `plans_at`.

    Raises:
        InfeasibleBudget: Even the smallest plan costs more.
    """
    uniform, multiple = space_of(study).uniform(target), study.config.channel_multiple
    sides = _sides(study)
    return _joined(
        sides,
        [
            solved_plans(
                side.form,
                scorer.networks[side.name].table,
                weights[side.name],
                side.bounds(study, target),
                side.least(scorer.own(side.name, uniform), multiple),
                multiple,
            )
            for side in sides
        ],
    )


def plans_at(
    study: OpenedStudy,
    scorer: PlanScorer,
    target: float,
    weights: Sensitivities,
    starts: Sequence[Widths] = (),
    evaluations: int = 6,
) -> FoundPlans:
    """Return plans at or under a cost, by their errors.

    Args:
        study: The study.
        scorer: Scores plans that cut the teacher.
        target: The cost.
        weights: Sensitivities of the groups.
        starts: Plans to start from as well, at or under the cost.
        evaluations: Plans per generator that are scored at most.
    """
    multiple, uniform = study.config.channel_multiple, space_of(study).uniform(target)
    sides, found = _sides(study), list[FoundPlan]()
    for side in sides:
        own = scorer.own(side.name, uniform)
        found.append(
            find_plan(
                side.form,
                scorer.networks[side.name].table,
                side.bounds(study, target),
                side.least(own, multiple),
                lambda widths, name=side.name: scorer.error(name, widths),
                reference=own,
                multiple=multiple,
                starts=[scorer.own(side.name, start) for start in starts],
                evaluations=evaluations,
                seed=study.config.seed,
                sensitivities=weights[side.name],
            )
        )
    (best,) = _joined(sides, [(one.widths,) for one in found])
    visited = [dict(one.widths) for one in found[0].search.visited] if len(sides) == 1 else [best]
    return FoundPlans(uniform, _joined(sides, [one.solved for one in found]), best, tuple(visited))


def _joined(sides: Sequence[_Side], plans: Sequence[Sequence[Widths]]) -> tuple[dict[str, int], ...]:
    """Return plans of all generators; groups of several have their names before them.

    Args:
        sides: The generators.
        plans: Each generator's, as many of each.
    """
    if len(sides) == 1:
        return tuple(dict(plan) for plan in plans[0])
    return tuple(
        {f"{side.name}.{group}": width for side, plan in zip(sides, each, strict=True) for group, width in plan.items()}
        for each in zip(*plans, strict=True)
    )


def _sides(study: OpenedStudy) -> list[_Side]:
    cost = study.resolved.cost
    if not study.sides:
        name = study.names[0]
        return [_Side(name, study.groups.form, 1.0, study.prices.model(cost), space_of(study).bounds)]
    return [_Side(side.name, side.groups.form, side.share, side.prices.model(cost), ()) for side in study.sides]
