"""Statistics of paired runs, by numbers that are known in closed form."""

import math

import numpy as np
import pytest
from ganprune.studies.bench.results.statistics import (
    bootstrapped,
    holm,
    interquartile_mean,
    paired_test,
    pooled,
    probability_of_improvement,
)
from scipy import stats


def test_the_interquartile_mean_leaves_out_a_quarter_at_each_end():
    """The middle four of eight runs count, whatever the others are; all of three runs do."""
    assert interquartile_mean([1, 2, 3, 4, 5, 6, 7, 1000]) == 4.5
    assert interquartile_mean([1, 2, 6]) == 3.0


def test_a_pair_is_compared_by_its_ratio():
    """Ratios 1/2, 1/2, 1/8 have the geometric mean 2^(-5/3), and the p-value of Student's t on their logarithms."""
    found = paired_test([1.0, 2.0, 1.0], [2.0, 4.0, 8.0])
    assert found.ratio == pytest.approx(2 ** (-5 / 3))
    assert found.p == pytest.approx(stats.ttest_rel(np.log([1, 2, 1]), np.log([2, 4, 8])).pvalue)
    assert found.low < found.ratio < found.high
    assert math.log(found.high / found.ratio) == pytest.approx(math.log(found.ratio / found.low))


def test_one_pair_shows_nothing():
    """A single pair has a ratio, no interval, and a p-value of 1."""
    found = paired_test([1.0], [2.0])
    assert (found.ratio, found.p) == (0.5, 1.0)
    assert math.isnan(found.low)


def test_pairs_without_spread_are_certain_unless_they_are_equal():
    """Three times the same ratio is no chance; three times no difference is no result."""
    assert paired_test([1, 1, 1], [2, 2, 2]).p == 0.0
    assert paired_test([1, 1, 1], [1, 1, 1]).p == 1.0


@pytest.mark.parametrize("pairs", [([], []), ([1.0], [1.0, 2.0]), ([0.0], [1.0]), ([-1.0], [1.0])])
def test_what_has_no_ratio_is_no_pair(pairs):
    """No pairs, unequal numbers, and distances that are not positive are refused."""
    with pytest.raises(ValueError, match="positive"):
        paired_test(*pairs)


def test_holm_multiplies_the_smallest_by_the_number_of_tests():
    """Sorted p-values are multiplied by 3, 2, 1 and never fall; the order given stays."""
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_probability_of_improvement_counts_ties_as_half():
    """Over all pairs of one stratum 2.5 of 4 are better; a second stratum counts as much as the first."""
    assert probability_of_improvement([[1, 3]], [[2, 3]]) == 0.625
    assert probability_of_improvement([[1, 3], [5]], [[2, 3], [4]]) == 0.3125


def test_the_bootstrap_draws_within_strata_and_by_its_seed():
    """Strata without spread have an interval of no width however far apart they are; the same seed draws the same."""
    fixed = bootstrapped([[1.0, 1.0], [9.0, 9.0]], lambda strata: float(pooled(strata).mean()))
    assert (fixed.low, fixed.value, fixed.high) == (5.0, 5.0, 5.0)
    runs = [[1.0, 2.0, 4.0], [3.0, 3.5]]
    first, again, other = (bootstrapped(runs, lambda s: float(pooled(s).mean()), seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert first.low < first.value < first.high


def test_one_run_per_stratum_has_no_interval():
    """Without a second run there is nothing to draw from."""
    assert math.isnan(bootstrapped([[1.0], [2.0]], lambda strata: float(pooled(strata).mean())).low)
