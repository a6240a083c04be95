"""The solver: widths with the least summed scores within all budgets.

Scores are one number per group and width; budgets are bilinear in the widths. Channels with the least loss per saved
cost are removed until all budgets are met. Then any two groups change their widths together while that lowers the sum.
Seeded random changes with repairs escape local minima. Original to ganprune; compared with exhaustive search in the
tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..costs.combined_budgets import BindingCost, Bound
from ..costs.cost_form import CostForm, CostModel, InfeasibleBudget
from ..files.errors import UserError
from .quadratic_costs import QuadraticCosts
from .score_table import ScoreTable

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
N_KICKS = 30
MAX_PRICED_PLANS = 4096  # number of plans that are priced at once
TRIES = 14  # steps of a bisection
GAIN = 1e-9  # relative to the sum: smaller differences are rounding errors
ROUNDING = 1e-9


def bounds_of(form: CostForm, cost: str, limit: float, model: CostModel | None = None) -> tuple[Bound, ...]:
    """Return the budgets of a target: the target itself, and the further budgets of its model.

    Args:
        form: The cost form.
        cost: The target's cost.
        limit: The target's value.
        model: Prices plans in place of the form.
    """
    if isinstance(model, BindingCost):
        return (Bound(cost, limit, model.first), *model.bounds)
    return (Bound(cost, limit, model or form),)


def solve(
    form: CostForm,
    table: ScoreTable,
    bounds: Sequence[Bound],
    floors: Integers,
    multiple: int = 1,
    *,
    starts: Sequence[Mapping[str, int]] = (),
    seed: int = 0,
) -> dict[str, int]:
    """Return the widths with the least summed scores within all budgets.

    Args:
        form: The cost form, with the groups in the order of the table.
        table: Scores of every width.
        bounds: The budgets. Those priced by a cost form over the same groups are constraints of the solver; others,
            such as latency, are met by tightening a limit on MACs.
        floors: Minimum number of channels per group [G].
        multiple: Widths are multiples of this, or the full width.
        starts: Additional plans to start from, by widths; they may exceed the budgets.
        seed: Seed of the random changes.

    Raises:
        InfeasibleBudget: Even the smallest plan exceeds a budget.
        UserError: The groups of the table are not those of the form.
    """
    if table.sizes != dict(zip(form.names, form.sizes.tolist(), strict=True)):
        raise UserError("the score table is of another network: got other groups; expected those of the cost form")
    options = [width_options(int(size), int(floor), multiple) for size, floor in zip(form.sizes, floors, strict=True)]
    smallest = np.array([each[0] for each in options])
    for bound in bounds:
        least = float(bound.model.predict(smallest, bound.cost))
        if least > bound.limit * (1 + ROUNDING):
            raise InfeasibleBudget(
                f"target {bound.limit:g} {bound.cost} cannot be met: the smallest plan costs {least:g}. Try a larger "
                f"budget"
            )
    exact = tuple(bound for bound in bounds if isinstance(bound.model, CostForm))
    others = tuple(bound for bound in bounds if not isinstance(bound.model, CostForm))
    given = [form.widths(start) for start in starts]
    if not others:
        widths = _solved(table, exact, options, given, seed)
    else:
        widths = _tightened(form, table, exact, others, options, given, seed)
    return dict(zip(form.names, (int(width) for width in widths), strict=True))


def width_options(size: int, floor: int, multiple: int) -> Integers:
    """Return the allowed widths of a group, in ascending order."""
    steps = np.arange(multiple, size + 1, multiple)
    widths = np.unique(np.append(steps, size))
    allowed = widths[widths >= min(max(1, floor), size)]
    return allowed.astype(np.int64)


def _tightened(
    form: CostForm,
    table: ScoreTable,
    exact: tuple[Bound, ...],
    others: tuple[Bound, ...],
    options: Sequence[Integers],
    starts: Sequence[Integers],
    seed: int,
) -> Integers:
    """Return the solution under the loosest limit on MACs (by bisection) that meets the budgets without a cost form."""

    best = np.array([each[0] for each in options])
    low, high = float(form.predict(best)), form.dense()
    for _ in range(TRIES):
        middle = 0.5 * (low + high)
        widths = _solved(table, (*exact, Bound("macs", middle, form)), options, starts, seed)
        if within(others, widths[None]).all():
            best, low = widths, middle
        else:
            high = middle
    return _filled(table, (*exact, *others), options, best)


def _filled(table: ScoreTable, bounds: Sequence[Bound], options: Sequence[Integers], widths: Integers) -> Integers:
    """Return a plan after changes that lower the loss within all budgets, with or without a cost form.

    A change widens one group, or narrows one and widens another, by 1, 2, 4, ... steps. Plans are priced in the order
    of their gain until one is within all budgets.
    """
    while (other := _first_within(table, bounds, options, widths)) is not None:
        widths = other
    return widths


def _first_within(
    table: ScoreTable, bounds: Sequence[Bound], options: Sequence[Integers], widths: Integers
) -> Integers | None:
    """Return the plan of the largest gain that is one change away and within all budgets, or None."""
    ups: list[tuple[int, int, float]] = []
    downs: list[tuple[int, int, float]] = [(-1, 0, 0.0)]
    for group, (own, losses) in enumerate(zip(options, table.losses, strict=True)):
        place = int(np.searchsorted(own, widths[group]))
        for step in 2 ** np.arange(len(own).bit_length()):
            for other, changes in ((place + step, ups), (place - step, downs)):
                if 0 <= other < len(own):
                    changes.append((group, int(own[other]), float(losses[widths[group] - 1] - losses[own[other] - 1])))
    if not ups:
        return None
    gains = np.array([gain for *_, gain in ups])[:, None] + np.array([gain for *_, gain in downs])
    same = np.array([group for group, *_ in ups])[:, None] == np.array([group for group, *_ in downs])
    gains[same] = -np.inf
    order = np.argsort(-gains, axis=None, kind="stable")
    order = order[gains.flat[order] > GAIN * table.losses_at(widths)]
    for begin in range(0, len(order), MAX_PRICED_PLANS):
        batch = order[begin : begin + MAX_PRICED_PLANS]
        plans = np.repeat(widths[None], len(batch), 0)
        rows = np.arange(len(batch))
        taking = np.array([ups[number] for number in batch // gains.shape[1]])
        giving = np.array([downs[number] for number in batch % gains.shape[1]])
        plans[rows, taking[:, 0].astype(int)] = taking[:, 1].astype(int)
        narrowed = giving[:, 0] >= 0
        plans[rows[narrowed], giving[narrowed, 0].astype(int)] = giving[narrowed, 1].astype(int)
        fits = within(bounds, plans)
        if fits.any():
            return plans[int(fits.argmax())]
    return None


def within(bounds: Sequence[Bound], plans: Integers) -> NDArray[np.bool_]:
    """Return a mask [P] of the plans [P, G] that are within all budgets."""
    fits = np.ones(len(plans), dtype=bool)
    for bound in bounds:
        fits &= np.asarray(bound.model.predict(plans, bound.cost)) <= bound.limit * (1 + ROUNDING)
    return fits


def widest(bounds: Sequence[Bound], options: Sequence[Integers], widths: Integers, group: int) -> Integers | None:
    """Return a plan with one group as wide as all budgets allow; None if it cannot be narrow enough.

    Args:
        bounds: The budgets.
        options: Allowed widths of each group, in ascending order.
        widths: The plan [G].
        group: Index of the group.
    """
    plans = np.repeat(widths[None], len(options[group]), 0)
    plans[:, group] = options[group]
    fits = within(bounds, plans)
    return plans[fits][-1] if fits.any() else None


def _solved(
    table: ScoreTable, bounds: Sequence[Bound], options: Sequence[Integers], starts: Sequence[Integers], seed: int
) -> Integers:
    problem = _Problem.of(table, bounds, options)
    best = problem.polished(problem.repaired(problem.fullest()))
    for start in starts:
        best = problem.better(best, problem.polished(problem.repaired(problem.rounded(start))))
    draw = np.random.default_rng(seed)
    for _ in range(N_KICKS):
        best = problem.better(best, problem.polished(problem.repaired(problem.kicked(best, draw))))
    return problem.widths(best)


@dataclass(frozen=True)
class _Problem:
    """Scores and budgets over indices of options: plan p [G] has width options[g, p[g]] in group g.

    Attributes:
        losses: float64 [G, K], infinite after a group's last option.
        options: Widths, float64 [G, K], the last one repeated.
        counts: Number of options per group, int64 [G].
        costs: The budgets.
    """

    losses: Floats
    options: Floats
    counts: Integers
    costs: QuadraticCosts

    @classmethod
    def of(cls, table: ScoreTable, bounds: Sequence[Bound], options: Sequence[Integers]) -> _Problem:
        most = max(len(each) for each in options)
        widths = np.array([np.pad(each, (0, most - len(each)), mode="edge") for each in options])
        losses = np.full(widths.shape, np.inf)
        for row, each, own in zip(losses, options, table.losses, strict=True):
            row[: len(each)] = own[each - 1]
        counts = np.array([len(each) for each in options])
        return cls(losses, widths.astype(np.float64), counts, QuadraticCosts.of(bounds))

    def widths(self, plan: Integers) -> Integers:
        return self.options[np.arange(len(plan)), plan].astype(np.int64)

    def loss(self, plan: Integers) -> float:
        return float(self.losses[np.arange(len(plan)), plan].sum())

    def better(self, plan: Integers, other: Integers) -> Integers:
        return other if self.loss(other) < self.loss(plan) * (1 - GAIN) else plan

    def fullest(self) -> Integers:
        return self.counts - 1

    def rounded(self, widths: Integers) -> Integers:
        """Return the plan of the widest options at or below widths, or the narrowest options."""
        return np.array(
            [
                max(0, int(np.searchsorted(row[:count], width, side="right")) - 1)
                for row, count, width in zip(self.options, self.counts, widths, strict=True)
            ]
        )

    def kicked(self, plan: Integers, draw: np.random.Generator) -> Integers:
        """Return a plan with a few groups at random options."""
        other = plan.copy()
        some = draw.choice(len(plan), size=min(len(plan), int(draw.integers(1, 4))), replace=False)
        other[some] = draw.integers(0, self.counts[some])
        return other

    def repaired(self, plan: Integers) -> Integers:
        """Return the plan with groups narrowed until all budgets are met, least loss per reduced excess first."""
        plan = plan.copy()
        while True:
            widths = self.widths(plan)
            excess = self.costs.shares(widths) - 1
            if (excess <= ROUNDING).all():
                return plan
            over = np.maximum(excess, 0)
            current = self.options[np.arange(len(plan)), plan]
            change = self.options - current[:, None]  # [G, K]
            slopes = self.costs.slopes(widths)
            curvature = np.diagonal(self.costs.hessian, axis1=1, axis2=2)
            saved = -(slopes[:, :, None] * change + 0.5 * curvature[:, :, None] * change**2)  # [B, G, K]
            # Savings beyond the excess of a budget do not count.
            useful = np.minimum(np.maximum(saved, 0), over[:, None, None]).sum(0)
            more = self.losses - self.losses[np.arange(len(plan)), plan][:, None]
            narrower = np.arange(self.losses.shape[1]) < plan[:, None]
            with np.errstate(divide="ignore", invalid="ignore"):
                price = np.where(narrower & (useful > 0), np.maximum(more, 1e-300) / useful, np.inf)
            best = int(price.argmin())
            if not np.isfinite(price.flat[best]):  # only rounding is left of the excess
                plan = np.where(plan > 0, plan - 1, 0)
                continue
            group, option = divmod(best, price.shape[1])
            plan[group] = option

    def polished(self, plan: Integers) -> Integers:
        """Return the plan after changes of two groups at once, repeated while one lowers the loss."""
        plan = plan.copy()
        groups, rows = len(plan), np.arange(len(plan))
        curvature = np.diagonal(self.costs.hessian, axis1=1, axis2=2).T  # [G, B]
        steady = 0
        group = 0
        while steady < groups:
            widths = self.widths(plan)
            slack = 1 + ROUNDING - self.costs.shares(widths)  # [B]
            slopes = self.costs.slopes(widths).T  # [G, B]
            own = self.options[group, : self.counts[group]] - widths[group]  # [K]
            left = slack - (own[:, None] * slopes[group] + 0.5 * own[:, None] ** 2 * curvature[group])  # [K, B]
            cross = self.costs.hessian[:, group].T  # [G, B]
            changes = self.costs.most(
                left[:, None], slopes + own[:, None, None] * cross, np.broadcast_to(curvature, (len(own), *cross.shape))
            )  # [K, G]: the maximum change of each other group
            changes[:, group] = np.where((left >= 0).all(-1), 0.0, -np.inf)
            reached = self._widest(widths + changes)  # [K, G]
            possible = reached >= 0
            others = self.losses[rows, np.maximum(reached, 0)] - self.losses[rows, plan]
            others[:, group] = 0
            rise = self.losses[group, : self.counts[group]] - self.losses[group, plan[group]]
            total = np.where(possible, rise[:, None] + others, np.inf)
            best = int(total.argmin())
            option, other = divmod(best, groups)
            before = self.loss(plan)
            if total.flat[best] < -GAIN * max(before, 1e-12):
                changed = plan.copy()
                changed[group] = option
                if other != group:
                    changed[other] = reached[option, other]
                if (self.costs.shares(self.widths(changed)) <= 1 + ROUNDING).all() and self.loss(changed) < before:
                    plan, steady = changed, 0
                    continue
            steady += 1
            group = (group + 1) % groups
        return plan

    def _widest(self, widths: Floats) -> Integers:
        """Return the index of each group's widest option [K, G] at or below widths [K, G]; -1 if there is none."""
        found = np.empty(widths.shape, dtype=np.int64)
        for group, count in enumerate(self.counts):
            found[:, group] = np.searchsorted(self.options[group, :count], widths[:, group] + 1e-7, side="right") - 1
        return found
