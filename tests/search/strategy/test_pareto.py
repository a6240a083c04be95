import numpy as np
import pytest
from ganprune.search.strategy import pareto
from hypothesis import given
from hypothesis import strategies as st

coordinate = st.integers(0, 6).map(float)  # few values, so that ties are common
clouds = st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=25).map(lambda p: np.array(p, dtype=float))


def dominates(a, b):
    return bool((a <= b).all() and (a < b).any())


@given(clouds)
def test_the_front_is_exactly_what_nothing_dominates(points):
    """No returned point is dominated, and every point left out is."""
    keep = pareto.non_dominated(points)
    for i, point in enumerate(points):
        assert keep[i] == (not any(dominates(other, point) for other in points))


@given(clouds)
def test_ranks_peel_the_fronts(points):
    """A point's rank is one more than the highest rank of those that dominate it."""
    ranks = pareto.ranks(points)
    for i, point in enumerate(points):
        above = [ranks[j] for j, other in enumerate(points) if dominates(other, point)]
        assert ranks[i] == max(above, default=-1) + 1


@given(clouds)
def test_order_is_a_permutation_by_rank(points):
    """The order holds every index once and never puts a worse rank first."""
    order = pareto.order(points)
    assert sorted(order) == list(range(len(points)))
    assert (np.diff(pareto.ranks(points)[order]) >= 0).all()


def test_crowding_of_three():
    """Deb's distance: ends infinite, the middle (gap / range) summed over the objectives."""
    assert pareto.crowding([[0, 4], [1, 1], [4, 0]]).tolist() == [np.inf, 2.0, np.inf]


@pytest.mark.parametrize(
    ("points", "area"),
    [
        ([], 0.0),
        ([[1, 1]], 1.0),
        ([[0, 1], [1, 0]], 3.0),
        ([[0, 1], [1, 0], [1, 1]], 3.0),
        ([[0, 0]], 4.0),
        ([[2, 0], [0, 2], [3, 3]], 0.0),
        ([[0.5, 0.5], [0.5, 0.5]], 2.25),
    ],
)
def test_hypervolume_by_hand(points, area):
    """Areas under reference (2, 2), by hand."""
    assert pareto.hypervolume(points, (2, 2)) == pytest.approx(area)


@given(clouds)
def test_hypervolume_counts_cells(points):
    """On whole numbers the hypervolume is the number of unit cells that some point dominates."""
    cells = sum(any((p[0] <= x) and (p[1] <= y) for p in points) for x in range(7) for y in range(7))
    assert pareto.hypervolume(points, (7, 7)) == pytest.approx(cells)


def test_a_straight_front_fills_half():
    """n points on the line x + y = 1 dominate (1 - 1/n) / 2 of the unit square, up to 1/2."""
    x = np.linspace(0, 1, 101)
    area = pareto.hypervolume(np.stack([x, 1 - x], axis=1), (1, 1))
    assert area == pytest.approx(0.5 * (1 - 1 / 100))


def test_points_must_be_finite():
    """NaN has no place on a front."""
    with pytest.raises(ValueError, match="finite"):
        pareto.non_dominated([[1, np.nan]])
