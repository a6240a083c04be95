"""Agreement of zero-shot scores with final qualities."""

import numpy as np
import pytest
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.records.ledger import NewTrial, TrialRecord
from ganprune.search.records.plan_score import PlanErrors
from ganprune.search.strategy.score_agreement import MIN_NEAR_TRIALS, compared, kendall, score_agreement, trust
from scipy.stats import kendalltau


def record(number, score, quality, cost, state="COMPLETE"):
    new = NewTrial(Proposal("m", {}, 1.0, "macs"), {}, {}, "tpe")
    return TrialRecord(
        number, state, new, quality=quality, cost=cost, zero_shot=None if score is None else PlanErrors(score)
    )


@pytest.mark.parametrize("seed", range(5))
def test_tau_is_that_of_scipy(seed: int):
    """Kendall's tau-b, ties included, is scipy's."""
    found_N3 = np.random.default_rng(seed).integers(0, 6, (20, 3)).astype(float)
    assert kendall(found_N3) == pytest.approx(kendalltau(found_N3[:, 0], found_N3[:, 1]).statistic)


def test_trials_of_other_costs_do_not_count_as_alike():
    """Scores that order two costs and are wrong within each agree over all pairs, and not over pairs of like cost."""
    cheap = [record(i, 0.5 + 0.01 * i, 50.0 - i, 10.0) for i in range(3)]
    dear = [record(3 + i, 0.1 + 0.01 * i, 10.0 - i, 100.0) for i in range(3)]
    found = score_agreement([*cheap, *dear])
    assert found.tau == pytest.approx((9 - 6) / 15)
    assert found.alike == -1
    assert (found.pairs, found.trials, found.low, found.high) == (6, 6, 10.0, 100.0)


def test_only_trials_that_ended_with_a_score_are_compared():
    """Trials that were stopped, have no score or no quality are left out; below three there is no agreement."""
    records = [
        record(0, 0.1, 1.0, 1.0),
        record(1, 0.2, 2.0, 1.0),
        record(2, None, 3.0, 1.0),
        record(3, 0.4, 4.0, 1.0, "PRUNED"),
        record(4, 0.5, None, 1.0, "FAIL"),
    ]
    assert len(compared(records)) == 2
    assert score_agreement(records) is None


def test_scores_have_no_weight_before_six_trials_near_the_cost():
    """Five trials near the cost, and any number far from it, give no weight; with the sixth the weight is tau."""
    far = [record(i, float(i), float(i), 100.0) for i in range(20)]
    near = [record(20 + i, float(i), float(i), 10.0) for i in range(MIN_NEAR_TRIALS)]
    assert trust(compared([*far, *near[:-1]]), 10.0) == 0.0
    assert trust(compared([*far, *near]), 10.0) == 1.0
    assert trust(compared([]), 10.0) == 0.0


def test_scores_that_mislead_have_no_weight():
    """A tau below zero is no weight: scores are never turned around."""
    records = [record(i, float(i), float(-i), 10.0) for i in range(8)]
    assert trust(compared(records), 10.0) == 0.0
