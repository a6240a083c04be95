"""Which cost a trial aims at: where a network as good as the front around it would add most to the front."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from . import pareto

Floats = NDArray[np.float64]

CANDIDATES = 97  # costs that are looked at, evenly spread over the logarithm of the range
LEAST = 1e-3  # of the worst quality: lower ones are taken to be as good
BEYOND = 1.1  # the reference point, over the worst quality and the budget


def widest_gap(
    points_N2: Floats, off_front: Sequence[float], running: Sequence[float], low: float, high: float, turn: float
) -> float:
    """The target that would add most hypervolume if its quality lay between those of its neighbors on the front.

    Where trials ended off the front between the same neighbors already, what is to be won there is shared by them
    and the new one, so that no gap that cannot be filled takes all trials.

    Args:
        points_N2: Quality and cost (above 0) of scored trials; at least one.
        off_front: Targets of trials that ended and are not on the front.
        running: Targets of trials that have no quality yet; they are taken to come out as expected.
        low: The lowest target.
        high: The highest target, the budget.
        turn: Number in [0, 1): moves the costs that are looked at by a part of a step.

    Returns:
        The target, from `low` to `high`.
    """
    worst = float(np.abs(points_N2[:, 0]).max()) or 1.0
    corner = (BEYOND * worst, BEYOND * high)
    front_N2 = _front(np.maximum(points_N2, [LEAST * worst, 0.0]))  # a distance near 0 may be measured below it
    off_sorted = np.sort(np.asarray(off_front, dtype=float))
    for target in sorted(running):
        front_N2 = _front(np.vstack([front_N2, [_expected(front_N2, target), target]]))
    volume = pareto.hypervolume(front_N2, corner)
    best, most = high, -1.0
    for step in range(CANDIDATES):
        target = low * (high / low) ** ((step + turn) / CANDIDATES)
        point = [_expected(front_N2, target), target]
        gain = pareto.hypervolume(_front(np.vstack([front_N2, point])), corner) - volume
        below, above = front_N2[front_N2[:, 1] <= target, 1], front_N2[front_N2[:, 1] > target, 1]
        left, right = below.max(initial=0.0), above.min(initial=np.inf)
        gain /= 1 + max(0, np.searchsorted(off_sorted, right) - np.searchsorted(off_sorted, left, side="right"))
        if gain > most:
            best, most = target, gain
    return best


def _front(points_N2: Floats) -> Floats:
    """The points that no other dominates, by rising cost."""
    front_N2 = points_N2[pareto.non_dominated(points_N2)]
    return front_N2[np.argsort(front_N2[:, 1])]


def _expected(front_N2: Floats, target: float) -> float:
    """Quality at a cost: between its neighbors on the front, on the logarithm of both; beyond the ends their own."""
    return float(np.exp(np.interp(np.log(target), np.log(front_N2[:, 1]), np.log(front_N2[:, 0]))))
