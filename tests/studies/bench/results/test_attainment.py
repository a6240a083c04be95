"""Attainment of contenders by closed forms: what one run, half of the runs and all of them reach at each cost."""

from math import inf

import pytest
from ganprune.studies.bench.results.attainment import attainments

from .bench_rows import row


def test_each_share_of_the_runs_has_its_line():
    """Three runs with one trial each: the lines are the first, the second and the third of the distances so far."""
    rows = [row("a", 5.0, 0, macs=10.0), row("a", 3.0, 1, macs=20.0), row("a", 4.0, 2, macs=30.0)]
    (found,) = attainments(rows)
    assert (found.runs, found.costs) == (3, pytest.approx((0.1, 0.2, 0.3)))
    assert found.best == (5.0, 3.0, 3.0)
    assert found.median == (inf, 5.0, 4.0)
    assert found.worst == (inf, inf, 5.0)


def test_a_dearer_trial_that_is_worse_changes_nothing():
    """Within a run the best distance at or below a cost counts, over all budgets."""
    rows = [row("a", 3.0, macs=10.0, budget="12.5%"), row("a", 9.0, macs=20.0)]
    assert attainments(rows)[0].median == (3.0, 3.0)


def test_what_has_no_result_attains_nothing():
    """A failed trial, one over its budget and one without a cost leave the run where it was."""
    rows = [
        row("a", 2.0, state="FAIL"),
        row("a", 1.0, cost_over_target=1.2),
        row("a", 1.0, macs=None),
        row("a", None),
        row("a", 7.0),
        row("b", 1.0, macs=None),
    ]
    (found,) = attainments(rows)
    assert (found.contender, found.median) == ("a", (7.0,))
