"""A given plan as a trial of a study: checked against its groups and budgets, cut and refitted as by `widths`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...gan_models.files.errors import UserError
from ...gan_models.pruning.catalog import fixed_for
from ...gan_models.pruning.proposal import Proposal
from ...search.preparations.opened_study import OpenedStudy
from ...search.records.ledger import NewTrial
from ...search.records.plan_score import UNIFORM, PlanScore
from ...spaces.budget import describe
from ...spaces.methods import settings_of
from .given_plan import GivenPlan

METHOD = "widths"
ORIGIN_PREFIX = "plan:"  # prefix of the plan's name in the record of the trial's origin
_ROUNDING = 1e-9


def planned_trial(study: OpenedStudy, plan: GivenPlan) -> NewTrial:
    """Return the trial of a plan.

    Args:
        study: The study.
        plan: The plan.

    Raises:
        UserError: Its groups, widths or channels do not fit the network, or it is over a budget.
    """
    sizes = dict(zip(study.groups.form.names, study.groups.form.sizes.tolist(), strict=True))
    _check_groups(plan, sizes)
    _check_widths(plan, sizes, study.config.channel_multiple)
    proposals = study.proposals()
    bits = study.resolved.bits[0]
    space = proposals.space(METHOD).widths_at(bits)
    target = space.target_of(plan.widths)
    resolved = study.resolved
    if target > resolved.limit * (1 + _ROUNDING):
        raise UserError(
            f"plan {plan.origin} is over the budget: got {describe(target, resolved.cost)}; expected at most "
            f"{describe(resolved.limit, resolved.cost)}. Try a smaller plan, or a study of a larger budget"
        )
    for bound, priced in zip(space.bounds, resolved.others, strict=True):
        cost = float(bound.model.predict(study.groups.form.widths(plan.widths), bound.cost))
        if cost > bound.limit * (1 + _ROUNDING):
            raise UserError(
                f"plan {plan.origin} is over the budget {priced.budget.text}: got "
                f"{describe(cost, priced.budget.cost)}; expected at most {describe(bound.limit, priced.budget.cost)}"
            )
    settings = settings_of(METHOD, fixed_for(METHOD, study.config.method_settings))
    widths = {name: plan.widths[name] for name in sizes}
    proposal = Proposal(METHOD, settings, target, resolved.cost, widths, bits, plan.channels, plan.parent)
    searched = METHOD in study.config.methods
    params = (proposals.translate(widths, target, bits, METHOD, {}) if searched else None) or {}
    dimensions = proposals.distributions(METHOD) if params else {}
    return NewTrial(proposal, params, dimensions, f"{ORIGIN_PREFIX}{plan.origin}", proposals.identity(proposal))


def forecast_trials(study: OpenedStudy, plans: Sequence[PlanScore]) -> tuple[NewTrial, ...]:
    """Return the first trials of a search that follows a forecast.

    Their plans are non-dominated in error and cost, without the dense teacher and uniform plans (which are in the
    ladder). They are at most a quarter of the study's trials, spread over the costs.

    Args:
        study: The study.
        plans: All its scored plans.
    """
    found = [
        (plan.cost, plan.errors.guide, plan)
        for plan in plans
        if plan.found_by == "forecast" and plan.parent is None and plan.errors is not None
    ]
    limit = study.resolved.limit * (1 + _ROUNDING)
    best = [
        plan
        for cost, error, plan in sorted(found, key=lambda one: (-one[0], one[1], one[2].name))
        if cost <= limit and plan.origin != UNIFORM
        if not any(other <= cost and least < error for other, least, _ in found)
    ]
    most = max(1, study.config.trials // 4)
    chosen = [best[round(place)] for place in np.linspace(0, len(best) - 1, min(most, len(best)))] if best else []
    return tuple(planned_trial(study, GivenPlan(plan.name, plan.widths)) for plan in chosen)


def _check_groups(plan: GivenPlan, sizes: Mapping[str, int]) -> None:
    """Raise UserError unless the groups of a plan are exactly those of the network."""
    unknown = [name for name in plan.widths if name not in sizes]
    missing = [name for name in sizes if name not in plan.widths]
    if unknown or missing:
        wrong = f"{unknown[0]}, which is none of them" if unknown else f"nothing of {missing[0]}"
        raise UserError(
            f"plan {plan.origin} is of another network: got {wrong}; expected the {len(sizes)} groups "
            f"{', '.join(list(sizes)[:4])}{', ...' if len(sizes) > 4 else ''}"
        )


def _check_widths(plan: GivenPlan, sizes: Mapping[str, int], multiple: int) -> None:
    """Raise UserError unless each width, and each channel, is one of the network's."""
    for name, width in plan.widths.items():
        size = sizes[name]
        if not 1 <= width <= size:
            raise UserError(f"plan {plan.origin} has no such width: got {name}={width}; expected 1 to {size}")
        if width % multiple and width != size:
            raise UserError(
                f"plan {plan.origin} does not fit --channel-multiple {multiple}: got {name}={width}; expected a "
                f"multiple of it, or all {size}"
            )
    for name, kept in (plan.channels or {}).items():
        if sorted(set(kept)) != list(kept) or not 0 <= kept[0] <= kept[-1] < sizes[name]:
            raise UserError(
                f"plan {plan.origin} has no such channels: got {name}={list(kept)[:6]}; expected rising numbers from "
                f"0 to {sizes[name] - 1}"
            )
