"""The hypervolume of a contender's trials, by fronts that are made by hand."""

from math import e

import pytest
from ganprune.studies.bench.results.fronts import growth, volumes

from .bench_rows import row

REFERENCE = {"dense": e**3, "worst": e**4, "metric": "fd"}


def test_the_volume_is_an_area_of_logarithms():
    """A point at (ln cost, ln distance) = (1, 2) dominates (3 - 1) x (4 - 2); one behind it adds nothing."""
    run = [row("a", e**2, macs=e, **REFERENCE), row("a", e**3, macs=e**2, **REFERENCE)]
    assert volumes(run) == pytest.approx([4.0, 4.0])


def test_a_second_point_of_the_front_adds_its_own_part():
    """(2, 1) beside (1, 2) adds the rectangle from 2 to 3 and from 1 to 2."""
    run = [row("a", e**2, macs=e, **REFERENCE), row("a", e, macs=e**2, **REFERENCE)]
    assert volumes(run) == pytest.approx([4.0, 5.0])


def test_a_failed_trial_counts_and_adds_nothing():
    """Trials that failed, were stopped, or are over their budget are trials all the same."""
    run = [
        row("a", None, state="FAIL", **REFERENCE),
        row("a", e, macs=e, state="PRUNED", **REFERENCE),
        row("a", e, macs=e, **REFERENCE, cost_over_target=1.2),
        row("a", e**2, macs=e, **REFERENCE),
    ]
    assert volumes(run) == pytest.approx([0.0, 0.0, 0.0, 4.0])


def test_growth_is_the_mean_over_seeds_and_sums_compute():
    """Two seeds with 4 and 1 have the mean 2.5, and what their trials spent is added up."""
    rows = [row("a", e**2, 0, macs=e, **REFERENCE), row("a", e**3, 1, macs=e**2, **REFERENCE)]
    (one,) = growth([*rows, row("a", e**3, 0, macs=e**2, **REFERENCE), row("a", e**3, 1, macs=e**2, **REFERENCE)])
    assert one.runs == 2
    assert one.volumes == pytest.approx((2.5, 2.5))
    assert one.compute_macs == (1000.0, 2000.0)
    assert (one.low, one.high) == pytest.approx((1.0, 4.0))


def test_without_a_reference_there_is_no_volume():
    """A table of an earlier version knows no mean image."""
    assert growth([row("a", 2.0)]) == []


def test_compute_that_was_not_counted_is_not_guessed():
    """One trial without a count leaves the compute of the whole curve unknown."""
    rows = [row("a", 2.0, **REFERENCE), row("a", 3.0, **REFERENCE, compute_macs=None)]
    assert growth(rows)[0].compute_macs is None
