"""The search for one plan before any training: sensitivities, the solver, then local search.

A group's losses in the score table are errors of its readers, not of the output: later layers compensate for errors
early in a network, but not for errors at its end. The sensitivity of each group is therefore measured end to end. It is
the zero-shot score of a network in which only this group is cut, divided by its loss in the table. The solver minimizes
losses times sensitivities, as SPDY (Frantar and Alistarh 2022) does with searched coefficients. Measured coefficients
are original to ganprune.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..costs.combined_budgets import Bound
from ..costs.cost_form import CostForm
from .local_search import LocalSearch, local_search
from .score_table import ScoreTable
from .solver import solve, within

Widths = Mapping[str, int]
Score = Callable[[Widths], float]
POWERS = (0.5, 1.0)  # powers of sensitivities that are solved for: the first is closer to the table
SHARE = 3  # at most one over this of the evaluations measures sensitivities


@dataclass(frozen=True)
class FoundPlan:
    """The result of a search.

    Attributes:
        search: All plans within the budgets that were scored, in order.
        solved: The solver's plans, before the local search.
        sensitivities: Group name -> score per loss of the table.
        evaluations: Number of plans that were scored, including those for sensitivities.
    """

    search: LocalSearch
    solved: tuple[Widths, ...]
    sensitivities: Mapping[str, float]
    evaluations: int

    @property
    def widths(self) -> Widths:
        """The plan of the lowest score."""
        return self.search.best.widths


def find_plan(
    form: CostForm,
    table: ScoreTable,
    bounds: Sequence[Bound],
    floors: NDArray[np.int64],
    score: Score,
    *,
    reference: Widths,
    multiple: int = 1,
    starts: Sequence[Widths] = (),
    evaluations: int,
    seed: int = 0,
    sensitivities: Mapping[str, float] | None = None,
) -> FoundPlan:
    """Return the plan with the lowest score within a number of evaluations.

    Args:
        form: The cost form.
        table: Losses of every group.
        bounds: The budgets.
        floors: Minimum number of channels per group [G].
        score: Returns the zero-shot score of a plan's widths; lower is better.
        reference: Widths at which sensitivities are measured; also a start, if within the budgets.
        multiple: Widths are multiples of this, or the full width.
        starts: Other plans; those over a budget are left out.
        evaluations: Maximum number of plans that are scored, at least one.
        seed: Seed of the moves.
        sensitivities: Known sensitivities; None measures them.

    Raises:
        InfeasibleBudget: Even the smallest plan exceeds a budget.
    """
    spent = 0
    if sensitivities is None:
        blocks = min(len(form.names), evaluations // SHARE)
        sensitivities = measured_sensitivities(table, reference, score, blocks)
        spent = blocks
    solved = solved_plans(form, table, sensitivities, bounds, floors, multiple)
    starts = [start for start in starts if within(bounds, form.widths(start)[None]).all()]
    found = local_search(
        form, bounds, floors, multiple, score, [*solved, *starts, reference], max(1, evaluations - spent), seed
    )
    return FoundPlan(found, solved, sensitivities, spent + len(found.visited))


def solved_plans(
    form: CostForm,
    table: ScoreTable,
    sensitivities: Mapping[str, float],
    bounds: Sequence[Bound],
    floors: NDArray[np.int64],
    multiple: int = 1,
) -> tuple[Widths, ...]:
    """Return the solver's plans, one per power of the sensitivities; arguments and errors as for `find_plan`."""
    weighted = (table.times({name: value**power for name, value in sensitivities.items()}) for power in POWERS)
    return tuple(solve(form, each, bounds, floors, multiple) for each in weighted)


def measured_sensitivities(table: ScoreTable, reference: Widths, score: Score, blocks: int) -> dict[str, float]:
    """Return every group's score per loss, mean 1; neighbors in the network share one if there are many groups.

    Args:
        table: Losses of every group.
        reference: Widths that a group is cut to while all others are at full width.
        score: Zero-shot score of a plan's widths.
        blocks: Number of plans that may be scored; 0 returns 1 for all groups.
    """
    if blocks < 1:
        return dict.fromkeys(table.names, 1.0)
    full, ratios = table.sizes, dict[str, float]()
    for block in np.array_split(np.array(table.names), blocks):
        names = [str(name) for name in block]
        loss = sum(table.groups[name].losses[reference[name] - 1] for name in names)
        if loss > 0:
            value = score({**full, **{name: reference[name] for name in names}}) / loss
            ratios |= dict.fromkeys(names, max(value, 0.0))
    mean = float(np.mean(list(ratios.values()))) if ratios else 0.0
    if not np.isfinite(mean) or mean <= 0:
        return dict.fromkeys(table.names, 1.0)
    return {name: ratios.get(name, mean) / mean for name in table.names}
