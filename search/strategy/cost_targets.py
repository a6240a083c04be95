"""The target cost of a trial: the cost at which a network of interpolated quality would add most hypervolume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from . import pareto

Floats = NDArray[np.float64]

CANDIDATES = 97  # number of candidate costs, evenly spread over the logarithm of the range
MIN_QUALITY_SHARE = 1e-3  # share of the worst quality: lower qualities count as equal
REFERENCE_POINT_FACTOR = 1.1  # factor of the reference point over the worst quality and the budget


def widest_gap(
    points_N2: Floats, off_front: Sequence[float], running: Sequence[float], low: float, high: float, turn: float
) -> float:
    """Return the target that adds most hypervolume if its quality is interpolated from its neighbors on the front.

    If trials between the same neighbors already ended off the front, the gain is divided among them and the new trial.
    So a gap that cannot be filled does not attract all trials.

    Args:
        points_N2: Quality and cost (above 0) of scored trials; at least one.
        off_front: Targets of trials that ended and are not on the front.
        running: Targets of trials that have no quality yet; their expected quality is assumed.
        low: The lowest target.
        high: The highest target, the budget.
        turn: Number in [0, 1) that shifts the candidate costs by a fraction of a step.

    Returns:
        The target, from `low` to `high`.
    """
    worst = float(np.abs(points_N2[:, 0]).max()) or 1.0
    corner = (REFERENCE_POINT_FACTOR * worst, REFERENCE_POINT_FACTOR * high)
    front_N2 = _front(
        np.maximum(points_N2, [MIN_QUALITY_SHARE * worst, 0.0])
    )  # a distance near 0 may be measured as negative
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
    """Return the non-dominated points, in order of ascending cost."""
    front_N2 = points_N2[pareto.non_dominated(points_N2)]
    return front_N2[np.argsort(front_N2[:, 1])]


def _expected(front_N2: Floats, target: float) -> float:
    """Return the expected quality at a cost: log-log interpolation on the front, constant beyond its ends."""
    return float(np.exp(np.interp(np.log(target), np.log(front_N2[:, 1]), np.log(front_N2[:, 0]))))
