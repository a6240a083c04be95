"""Fronts of contenders: hypervolume against the number of trials and against compute.

Points are (log cost, log distance); the reference is fixed: the dense network's cost and the distance of the mean
image. Trials of all budgets of one contender, teacher and seed make one front.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from ....search.strategy.pareto import hypervolume
from .rows import BenchRow


@dataclass(frozen=True)
class Growth:
    """The hypervolume of one contender on one task, as the mean over teachers and seeds.

    Attributes:
        task, contender: Those of the trials.
        runs: Number of pairs of teacher and seed.
        volumes: After 1, 2, ... trials; in the product of natural logarithms.
        compute_macs: Mean MACs spent up to each trial; None if they were not counted.
        low, high: Minimum and maximum of the runs' last volume.
    """

    task: str
    contender: str
    runs: int
    volumes: tuple[float, ...]
    compute_macs: tuple[float, ...] | None
    low: float
    high: float


def growth(rows: Sequence[BenchRow]) -> list[Growth]:
    """Return the growth of each contender's front on each task; those without a reference are omitted.

    Args:
        rows: All trials, in the order in which they were run: by budget, then by number.
    """
    found = []
    for task in dict.fromkeys(row.task for row in rows):
        of_task = [row for row in rows if row.task == task]
        for contender in dict.fromkeys(row.contender for row in of_task):
            own = [row for row in of_task if row.contender == contender]
            runs = [[row for row in own if row.pair == pair] for pair in dict.fromkeys(row.pair for row in own)]
            curves = [curve for run in runs if (curve := volumes(run))]
            if not curves:
                continue
            length = min(map(len, curves))
            spent = [np.cumsum([row.compute_macs or np.nan for row in run])[:length] for run in runs if volumes(run)]
            mean = np.mean(spent, axis=0)
            last = [curve[length - 1] for curve in curves]
            found.append(
                Growth(
                    task,
                    contender,
                    len(curves),
                    tuple(float(v) for v in np.mean([curve[:length] for curve in curves], axis=0)),
                    tuple(map(float, mean)) if np.isfinite(mean).all() else None,
                    min(last),
                    max(last),
                )
            )
    return found


def volumes(run: Sequence[BenchRow]) -> list[float]:
    """Return the hypervolume after each trial of one contender, teacher and seed; empty without a reference.

    A trial that failed, was stopped or is over its budget counts as a trial without gain.
    """
    reference = next(((row.dense, row.worst) for row in run if row.dense and row.worst), None)
    if reference is None or reference[0] is None or reference[1] is None:
        return []
    corner, points, found = (log(reference[0]), log(reference[1])), [], list[float]()
    for row in run:
        over = (row.cost_over_target or 0.0) > 1 + 1e-9
        if row.state == "COMPLETE" and row.quality and row.quality > 0 and row.macs and not over:
            points.append((log(row.macs), log(row.quality)))
        found.append(hypervolume(points, corner) if points else 0.0)
    return found
