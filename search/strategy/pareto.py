"""Points of two objectives, both minimized: Pareto front, order and hypervolume.

Shape suffixes: N points, 2 objectives.

moocore and pymoo provide this for any number of objectives. With two, the hypervolume and each point's share of it have
closed forms, which a test compares with counted cells.
"""

import numpy as np
from numpy.typing import ArrayLike


def _points(points: ArrayLike) -> np.ndarray:
    points_N2 = np.asarray(points, dtype=float).reshape(-1, 2)
    if not np.isfinite(points_N2).all():
        raise ValueError("a front has points that are not finite: got NaN or infinity; expected finite numbers")
    return points_N2


def non_dominated(points: ArrayLike) -> np.ndarray:
    """Return a mask of the points that no other point dominates.

    A point dominates another if it is no worse in both objectives and better in one; equal points do not dominate each
    other.

    Args:
        points: (N, 2), finite.

    Returns:
        (N,) bool.
    """
    points_N2 = _points(points)
    keep_N = np.zeros(len(points_N2), dtype=bool)
    order_N = np.lexsort((points_N2[:, 1], points_N2[:, 0]))
    first_N, second_N = points_N2[order_N].T
    start_N = np.searchsorted(first_N, first_N)  # index of the first point with the same first objective
    # minimum of the second objective among all points with a smaller first objective
    lowest_N = np.append(np.inf, np.minimum.accumulate(second_N))[start_N] if len(first_N) else second_N
    keep_N[order_N] = (second_N == second_N[start_N]) & (second_N < lowest_N)
    return keep_N


def ranks(points: ArrayLike) -> np.ndarray:
    """Return the non-domination rank of each point: 0 on the front, 1 on the front of the others, and so on.

    Args:
        points: (N, 2), finite.

    Returns:
        (N,) int.
    """
    points_N2 = _points(points)
    rank_N = np.zeros(len(points_N2), dtype=int)
    left = np.arange(len(points_N2))
    rank = 0
    while len(left):
        front = non_dominated(points_N2[left])
        rank_N[left[front]] = rank
        left, rank = left[~front], rank + 1
    return rank_N


def crowding(points: ArrayLike) -> np.ndarray:
    """Return the crowding distance of each point within one front (Deb et al. 2002, NSGA-II, section III-B).

    Args:
        points: (N, 2), finite, mutually non-dominated.

    Returns:
        (N,) sum over the objectives of the gap between a point's neighbors, by the objective's range; infinite
        for the ends.
    """
    points_N2 = _points(points)
    distance_N = np.zeros(len(points_N2))
    for values_N in points_N2.T:
        order = np.argsort(values_N, kind="stable")
        sorted_N = values_N[order]
        span = sorted_N[-1] - sorted_N[0] if len(order) else 0.0
        if span > 0:
            distance_N[order[1:-1]] += (sorted_N[2:] - sorted_N[:-2]) / span
        distance_N[order[:1]] = distance_N[order[-1:]] = np.inf
    return distance_N


def order(points: ArrayLike) -> np.ndarray:
    """Return indices from best to worst: by rank, then least crowded first; ties by index.

    Args:
        points: (N, 2), finite.

    Returns:
        (N,) int, a permutation. (The *position* of point i is the place of i in it, not its i-th entry.)
    """
    points_N2 = _points(points)
    rank_N = ranks(points_N2)
    crowding_N = np.zeros(len(points_N2))
    for rank in np.unique(rank_N):
        crowding_N[rank_N == rank] = crowding(points_N2[rank_N == rank])
    return np.lexsort((-crowding_N, rank_N))


def best(points: ArrayLike, n: int) -> np.ndarray:
    """Return the first `n` indices of `order`, without ranking the other points.

    Args:
        points: (N, 2), finite.
        n: Maximum number of indices.

    Returns:
        (min(n, N),) int.
    """
    points_N2 = _points(points)
    left, found = np.arange(len(points_N2)), np.zeros(0, dtype=int)
    while len(found) < n and len(left):
        front = non_dominated(points_N2[left])
        members = left[front]
        found = np.append(found, members[np.argsort(-crowding(points_N2[members]), kind="stable")])
        left = left[~front]
    return found[:n]


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """Return the area that the points dominate, up to a reference point.

    Args:
        points: (N, 2), finite; points not better than the reference in both objectives add nothing.
        reference: (2,), the worst corner.

    Returns:
        The area, in the product of the objectives' units.
    """
    points_N2, (right, top) = _points(points), np.asarray(reference, dtype=float)
    inside_N2 = points_N2[(points_N2 < (right, top)).all(axis=1)]
    front_N2 = inside_N2[non_dominated(inside_N2)]
    front_N2 = front_N2[np.argsort(front_N2[:, 0], kind="stable")]
    ends_N = np.append(front_N2[1:, 0], right)
    return float(((ends_N - front_N2[:, 0]) * (top - front_N2[:, 1])).sum()) if len(front_N2) else 0.0
