"""Plans at one cost: the uniform one, the solver's, and those of a local search around them.

The search is that of the method `reconstruct` (`plan_scores.plan_search`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...gan_models.costs.combined_budgets import Bound
from ...gan_models.costs.cost_form import CostForm, CostModel
from ...gan_models.plan_scores.least_widths import least_widths
from ...gan_models.plan_scores.plan_search import find_plan, measured_sensitivities
from ...spaces.widths import WidthSpace
from ..preparations.opened_study import OpenedStudy
from .plan_scorer import PlanScorer

BLOCKS = 12  # plans per generator that measure sensitivities, at most; once per study

Widths = Mapping[str, int]
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
            return "uniform"
        return "score table" if widths in self.solved else "local search"


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


def sensitivities(study: OpenedStudy, scorer: PlanScorer) -> Sensitivities:
    """Return the sensitivity of each group, measured end to end at the middle of the study's costs.

    Args:
        study: The study.
        scorer: Scores plans that cut the teacher.
    """
    proposals = study.proposals()
    uniform = space_of(study).uniform((proposals.lowest * proposals.highest) ** 0.5)
    return {
        side.name: measured_sensitivities(
            scorer.networks[side.name].table,
            scorer.own(side.name, uniform),
            lambda widths, name=side.name: scorer.error(name, widths),
            min(BLOCKS, len(side.form.names)),
        )
        for side in _sides(study)
    }


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
    space, multiple = space_of(study), study.config.channel_multiple
    uniform = space.uniform(target)
    best: dict[str, int] = {}
    solved: list[dict[str, int]] = []
    visited: list[dict[str, int]] = []
    sides = _sides(study)
    for side in sides:
        own = scorer.own(side.name, uniform)
        found = find_plan(
            side.form,
            scorer.networks[side.name].table,
            (Bound(space.cost, side.share * target, side.model or side.form), *side.others),
            least_widths(side.form, side.form.widths(own), multiple=multiple),
            lambda widths, name=side.name: scorer.error(name, widths),
            reference=own,
            multiple=multiple,
            starts=[scorer.own(side.name, start) for start in starts],
            evaluations=evaluations,
            seed=study.config.seed,
            sensitivities=weights[side.name],
        )
        start = "" if len(sides) == 1 else f"{side.name}."
        solved = [
            before | {f"{start}{group}": width for group, width in plan.items()}
            for before, plan in zip(solved or [{} for _ in found.solved], found.solved, strict=True)
        ]
        best |= {f"{start}{group}": width for group, width in found.widths.items()}
        if len(sides) == 1:
            visited = [dict(one.widths) for one in found.search.visited]
    return FoundPlans(uniform, tuple(solved), best, tuple(visited) or (best,))


def _sides(study: OpenedStudy) -> list[_Side]:
    cost = study.resolved.cost
    if not study.sides:
        name = study.names[0]
        return [_Side(name, study.groups.form, 1.0, study.prices.model(cost), space_of(study).bounds)]
    return [_Side(side.name, side.groups.form, side.share, side.prices.model(cost), ()) for side in study.sides]
