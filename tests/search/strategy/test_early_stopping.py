import math

import numpy as np
import pytest
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.records.ledger import NewTrial, TrialRecord
from ganprune.search.strategy.early_stopping import StoppingRule, agreements, default_reduction, extrapolated, rivals_at
from hypothesis import given
from hypothesis import strategies as st

value = st.floats(0, 100)
RULE = StoppingRule((1, 3), reduction=3)


def record(number, state, rungs, quality=None, cost=1.0):
    new = NewTrial(Proposal("m", {}, 1.0, "macs"), {}, {}, "tpe")
    return TrialRecord(number, state, new, quality=quality, cost=cost, rungs=rungs)


@given(st.lists(st.tuples(value, value), max_size=40), st.floats(2, 8))
def test_a_dominating_newcomer_always_goes_on(rivals, reduction):
    """Whoever is better than all rivals in both objectives is never stopped."""
    best = (min((q for q, _ in rivals), default=1) - 1, min((c for _, c in rivals), default=1) - 1)
    assert StoppingRule((1,), reduction).goes_on(best, rivals)


@given(st.lists(st.tuples(value, value), min_size=3, max_size=40))
def test_a_dominated_newcomer_is_stopped(rivals):
    """Whoever is worse than all rivals in both objectives is stopped, once there are enough of them."""
    worst = (max(q for q, _ in rivals) + 1, max(c for _, c in rivals) + 1)
    assert not RULE.goes_on(worst, rivals)


def test_a_third_goes_on():
    """About a third of trials in random order continues, if each dominates every other or is dominated by it."""
    generator = np.random.default_rng(0)
    points = [(x, x) for x in generator.permutation(150).astype(float)]
    kept = sum(RULE.goes_on(points[i], points[:i]) for i in range(30, 150))
    assert 30 <= kept <= 50


def test_no_draw_stops_a_newcomer_that_dominates_everything():
    """In 2,000 random rung tables of 3 to 60 trials, the newcomer that is best in both objectives goes on, every time."""
    generator = np.random.default_rng(1)
    for _ in range(2000):
        rivals_N2 = generator.uniform(1, 2, (generator.integers(3, 61), 2))
        newcomer = tuple(generator.uniform(0, 1, 2))
        assert StoppingRule((1,), generator.uniform(1.5, 10)).goes_on(newcomer, [tuple(r) for r in rivals_N2])


def test_the_front_of_a_rung_goes_on():
    """Whom no rival dominates goes on, however crowded it is there; one that a rival dominates takes its place behind."""
    front = [(10.0 - i, float(i)) for i in range(2, 9)]
    assert RULE.goes_on((20.0, 0.0), front)
    assert RULE.goes_on((5.01, 4.99), front)
    assert not RULE.goes_on((5.01, 5.01), front)


def test_a_front_does_not_keep_others_from_going_on():
    """The best of those behind a short front are among the best third of all and go on."""
    rivals = [(1.0, 1.0), *((5.0 + i, 5.0 + i) for i in range(11))]
    assert RULE.goes_on((4.0, 4.0), rivals)
    assert not RULE.goes_on((14.0, 14.0), rivals)


def test_few_rivals_stop_nobody():
    """With fewer rivals than `reduction` everybody goes on."""
    assert RULE.goes_on((9.0, 9.0), [(1.0, 1.0), (2.0, 2.0)])
    assert not RULE.goes_on((9.0, 9.0), [(1.0, 1.0)] * 3)


def test_nan_does_not_go_on():
    """A quality that is not finite stops its trial, and counts for nobody."""
    assert not RULE.goes_on((math.nan, 1.0), [])
    assert RULE.goes_on((9.0, 9.0), [(math.nan, 1.0)] * 5)


def test_rivals_are_the_others_that_were_there():
    """The table of a rung: all but the trial itself, the failed, and those that did not get so far."""
    records = [
        record(0, "COMPLETE", {1: 5.0, 3: 4.0}),
        record(1, "PRUNED", {1: 6.0}),
        record(2, "FAIL", {1: 1.0}),
        record(3, "RUNNING", {1: 7.0}),
        record(4, "RUNNING", {}),
    ]
    assert rivals_at(records, 1, 3) == [(5.0, 1.0), (6.0, 1.0)]
    assert rivals_at(records, 3, 3) == [(4.0, 1.0)]


def test_extrapolation_subtracts_the_median_improvement():
    """A stopped trial's quality is its last rung's, less the median improvement of those that went on from there."""
    records = [
        record(0, "COMPLETE", {1: 10.0, 3: 8.0}, quality=7.0),
        record(1, "COMPLETE", {1: 10.0, 3: 9.0}, quality=5.0),
        record(2, "COMPLETE", {1: 10.0, 3: 9.0}, quality=1.0),
        record(3, "PRUNED", {1: 20.0}),
        record(4, "PRUNED", {1: 20.0, 3: 15.0}),
        record(5, "PRUNED", {2: 15.0}),
        record(6, "PRUNED", {1: math.nan}),
    ]
    assert extrapolated(records) == {3: 15.0, 4: 11.0, 5: 15.0}


@pytest.mark.parametrize(("rungs", "reduction"), [((), 3), ((3, 1), 3), ((1, 1), 3), ((0, 1), 3), ((1,), 1)])
def test_settings_are_checked(rungs, reduction):
    """Rungs rise from 1, and not everybody goes on."""
    with pytest.raises(ValueError, match="got"):
        StoppingRule(rungs, reduction)


def test_rank_correlation_is_spearmans():
    """Same order 1, opposite order -1, ties share their mean rank; stopped and failed trials have no end to compare."""
    ends = [1.0, 2.0, 3.0, 4.0]
    early = {10: [5.0, 6.0, 8.0, 9.0], 20: [9.0, 8.0, 6.0, 5.0], 30: [5.0, 5.0, 7.0, 8.0]}
    records = [
        record(i, "COMPLETE", {step: values[i] for step, values in early.items()} | {40: end}, quality=end)
        for i, end in enumerate(ends)
    ]
    records += [record(4, "PRUNED", {10: 0.0}), record(5, "FAIL", {10: 0.0})]
    found = {a.step: a for a in agreements(records)}
    assert {step: a.trials for step, a in found.items()} == {10: 4, 20: 4, 30: 4}
    assert found[10].rank_correlation == pytest.approx(1)
    assert found[20].rank_correlation == pytest.approx(-1)
    # ranks 1.5, 1.5, 3, 4 against 1, 2, 3, 4: covariance 4.5 over the root of 4.5 times 5
    assert found[30].rank_correlation == pytest.approx(4.5 / math.sqrt(4.5 * 5))


def test_two_trials_say_nothing_of_a_rung():
    """A rank correlation of two trials is 1 or -1 by construction; it is not reported."""
    assert agreements([record(i, "COMPLETE", {1: 3.0 + i, 2: i}, quality=float(i)) for i in range(2)]) == []


def test_studies_of_few_trials_stop_nobody():
    """Early stopping is off by default below 8 trials, and one in three from there on."""
    assert [default_reduction(n) for n in (1, 7, 8, 300)] == [0, 0, 3, 3]
