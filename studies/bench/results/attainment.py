"""Attainment: the distance that a share of a contender's runs reaches at or below each cost.

The trials of one teacher and seed, over all budgets, are a run. After Fonseca and Fleming (1996), "On the performance
assessment and comparison of stochastic multiobjective optimizers", with the best, the median and the worst of few runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from .rows import BenchRow


@dataclass(frozen=True)
class Attainment:
    """The attainment of one contender on one task.

    Attributes:
        task, contender: Of the trials.
        runs: Pairs of teacher and seed.
        costs: At which a run improves, as shares of the dense cost, rising.
        best, median, worst: Distances that one run, half of the runs, and all of them reach at that cost; infinite
            before.
    """

    task: str
    contender: str
    runs: int
    costs: tuple[float, ...]
    best: tuple[float, ...]
    median: tuple[float, ...]
    worst: tuple[float, ...]


def attainments(rows: Sequence[BenchRow]) -> list[Attainment]:
    """Return the attainment of each contender on each task; of trials without a cost or a distance there is none.

    Args:
        rows: All trials. One that failed, was stopped or is over its budget attains nothing.
    """
    found = []
    for task, contender in dict.fromkeys((row.task, row.contender) for row in rows):
        own = [row for row in rows if (row.task, row.contender) == (task, contender)]
        runs = [_points([row for row in own if row.pair == pair]) for pair in dict.fromkeys(row.pair for row in own)]
        costs = sorted({cost for run in runs for cost, _ in run})
        if not costs:
            continue
        reached_RC = np.array([[_best(run, cost) for cost in costs] for run in runs])
        ordered_RC = np.sort(reached_RC, axis=0)
        half = -(-len(runs) // 2) - 1
        lines = (tuple(map(float, ordered_RC[place])) for place in (0, half, -1))
        found.append(Attainment(task, contender, len(runs), tuple(costs), *lines))
    return found


def _points(run: Sequence[BenchRow]) -> list[tuple[float, float]]:
    """Return cost as a share of the dense one, and distance, of a run's trials within their budgets."""
    return [
        (row.macs / row.dense, row.quality)
        for row in run
        if row.state == "COMPLETE" and row.quality is not None and row.macs and row.dense
        and (row.cost_over_target or 0.0) <= 1 + 1e-9
    ]  # fmt: skip


def _best(run: Sequence[tuple[float, float]], cost: float) -> float:
    return min((distance for own, distance in run if own <= cost), default=inf)
