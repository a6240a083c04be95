"""Plans that a finished study proposes at a cost between its trials; `resume --plan` trains one."""

from __future__ import annotations

from collections.abc import Callable

from ...gan_models.files.errors import UserError
from ...search.forecast.between_trials import plans_between
from ...search.records.plan_score import PlanScore
from ...spaces.budget import describe
from ..bundles.trial_weights import open_recorded
from ..database.store import Store
from ..results.outcome import Outcome
from .plan_records import known_scores, record_plans

OnPlan = Callable[[PlanScore], None]


def cost_at(outcome: Outcome, text: str) -> float:
    """Return a stated cost in the unit of a study's objective.

    Args:
        outcome: The study.
        text: Cost in the form of a budget: `18%`, `2GMACs`.

    Raises:
        UserError: It is in another cost than the study's, over its budget, or below the smallest plan.
    """
    wanted, dense = outcome.config.budget_of(text), outcome.dense.get(outcome.cost)
    if wanted.cost != outcome.cost:
        raise UserError(
            f"--at is a cost of study {outcome.study.name!r}: got {text}, which is {wanted.cost}; expected "
            f"{outcome.cost}, in which its trials are compared"
        )
    if wanted.relative and dense is None:
        raise UserError(f"the dense network's {outcome.cost} are not known any more; give an absolute --at")
    cost = wanted.amount * (dense or 1.0) if wanted.relative else wanted.amount
    if outcome.limit is not None and cost > outcome.limit * (1 + 1e-9):
        raise UserError(
            f"--at is over the budget of study {outcome.study.name!r}: got {text} = {describe(cost, outcome.cost)}; "
            f"expected at most {describe(outcome.limit, outcome.cost)}"
        )
    least = None if outcome.resolved is None else outcome.resolved.cheapest.get(outcome.cost)
    if least is not None and cost < least:
        raise UserError(
            f"--at is below the smallest plan: got {text} = {describe(cost, outcome.cost)}; expected "
            f"{describe(least, outcome.cost)} or more"
        )
    return cost


def propose_plans(
    store: Store, outcome: Outcome, at: str, evaluations: int, on_plan: OnPlan = lambda plan: None
) -> tuple[PlanScore, ...]:
    """Score plans at a cost, record them, and return them: the best of the study's metric first.

    Args:
        store: The study's record, opened for writing.
        outcome: The study's outcome.
        at: The cost.
        evaluations: Maximum number of plans that the local search scores.
        on_plan: Called with each plan.

    Raises:
        UserError: The cost is not one of the study's, or it has no calibration inputs.
        ArtifactError: Its files are missing.
    """
    target = cost_at(outcome, at)
    study = open_recorded(outcome, store.folder)
    proposed = []
    known = known_scores(store)
    for plan in plans_between(study, store.folder.path, outcome.front, target, evaluations, known):
        (named,) = record_plans(store, [plan])
        proposed.append(named)
        on_plan(named)
    return tuple(sorted(proposed, key=_quality))


def _quality(plan: PlanScore) -> float:
    quality = plan.quality
    return float("inf") if quality is None or quality.reason is not None else quality.value
