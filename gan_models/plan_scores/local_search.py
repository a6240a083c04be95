"""Local search on a score that is computed per plan, such as the zero-shot score, within all budgets.

The search starts from given plans, such as the solver's. Each move changes two groups of the best plan so far: one
becomes narrower or wider, the other as wide as the budgets then allow. No plan is scored twice. Original to ganprune.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..costs.combined_budgets import Bound
from ..costs.cost_form import CostForm
from .solver import widest, width_options

Integers = NDArray[np.int64]
STEPS = (0.06, 0.35)  # range of the relative change of the first group's width, log-uniform
DRAWS = 200  # number of consecutive moves without a new plan that ends the search


@dataclass(frozen=True)
class Visited:
    """A plan that was scored."""

    widths: Mapping[str, int]
    score: float


@dataclass(frozen=True)
class LocalSearch:
    """All plans that a search scored, in order."""

    visited: tuple[Visited, ...]

    @property
    def best(self) -> Visited:
        """The plan of the lowest score, the first of several."""
        return min(self.visited, key=lambda one: one.score)


def local_search(
    form: CostForm,
    bounds: Sequence[Bound],
    floors: Integers,
    multiple: int,
    score: Callable[[Mapping[str, int]], float],
    starts: Sequence[Mapping[str, int]],
    evaluations: int,
    seed: int,
) -> LocalSearch:
    """Return all plans that the search scored, in order.

    Args:
        form: The cost form, with the groups.
        bounds: The budgets; any of them may be priced by a model.
        floors: Minimum number of channels per group [G].
        multiple: Widths are multiples of this, or the full width.
        score: Score of a plan's widths; lower is better.
        starts: Plans within the budgets, at least one.
        evaluations: Maximum number of plans that are scored, including the starts.
        seed: Seed of the moves.
    """
    options = [width_options(int(size), int(floor), multiple) for size, floor in zip(form.sizes, floors, strict=True)]
    visited: dict[tuple[int, ...], float] = {}

    def visit(widths: Integers) -> float:
        key = tuple(int(width) for width in widths)
        visited[key] = score(dict(zip(form.names, key, strict=True)))
        return visited[key]

    best, lowest = np.array([]), np.inf
    for start in starts:
        widths = form.widths(start)
        if len(visited) < evaluations and tuple(widths.tolist()) not in visited:
            found = visit(widths)
            if found < lowest or not len(best):
                best, lowest = widths, found
    draw, idle = np.random.default_rng(seed), 0
    while len(visited) < evaluations and idle < DRAWS:
        moved = _moved(bounds, options, best, draw)
        if moved is None or tuple(moved.tolist()) in visited:
            idle += 1
            continue
        idle, found = 0, visit(moved)
        if found < lowest:
            best, lowest = moved, found
    plans = (Visited(dict(zip(form.names, key, strict=True)), value) for key, value in visited.items())
    return LocalSearch(tuple(plans))


def _moved(
    bounds: Sequence[Bound], options: Sequence[Integers], widths: Integers, draw: np.random.Generator
) -> Integers | None:
    """Return a plan with two widths changed, as wide as the budgets allow; None if no such plan exists."""
    if len(widths) == 1:
        return widest(bounds, options, widths, 0)
    first, second = draw.choice(len(widths), size=2, replace=False)
    size = np.exp(draw.uniform(*np.log(STEPS)))
    factor = 1 - size if draw.random() < 0.5 else 1 + size  # narrower and wider are equally likely
    moved = widths.copy()
    wanted = widths[first] * factor
    nearest = options[first][np.abs(options[first] - wanted).argmin()]
    if nearest == widths[first]:  # at least one step
        place = int(np.searchsorted(options[first], widths[first])) + (1 if factor > 1 else -1)
        if not 0 <= place < len(options[first]):
            return None
        nearest = options[first][place]
    moved[first] = nearest
    return widest(bounds, options, moved, int(second))
