"""A trial aims where the front has most to gain, and a gap that nothing fills does not take all trials."""

import numpy as np
import torch
from ganprune.gan_models.files.plain_values import to_json
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.pruning.catalog import METHODS
from ganprune.search.records.ledger import TrialRecord
from ganprune.search.strategy.chooser import MIN_TRIALS_FOR_ALL_SETTINGS, N_CHANGED_SETTINGS, START, Choice, Chooser
from ganprune.search.strategy.cost_targets import widest_gap
from ganprune.search.strategy.pareto import hypervolume
from ganprune.search.strategy.proposals import SpaceProposals
from ganprune.spaces.methods import TARGET
from ganprune.spaces.widths import WidthSpace
from hypothesis import given
from hypothesis import strategies as st

with torch.device("meta"):
    FORM = find_groups(build("resnet", {"ngf": 4, "n_blocks": 1}), torch.empty(1, 3, 32, 32)).form
PROPOSALS = SpaceProposals(WidthSpace(FORM), 0.5 * FORM.dense(), ("uniform", "coronet", "mggc"), n_ladder=3)
LOW, HIGH = 1 / 8, 1.0


def curve(*costs: float) -> np.ndarray:
    """Points of one curve, as quality falls with cost in practice."""
    return np.array([(cost**-1.5, cost) for cost in costs])


def test_the_gap_between_two_far_neighbors_is_filled_first():
    """The target is on the sparse side of a front that is dense on the other."""
    dense_above = curve(0.125, 0.7, 0.75, 0.8, 0.9, 1.0)
    dense_below = curve(0.125, 0.14, 0.16, 0.2, 1.0)
    assert 0.13 < widest_gap(dense_above, [], [], LOW, HIGH, 0.0) < 0.7
    assert 0.2 < widest_gap(dense_below, [], [], LOW, HIGH, 0.0) < 1.0


def test_a_running_trial_fills_its_gap():
    """Two trials that are asked for at once aim at different gaps."""
    points = curve(0.125, 0.35, 1.0)
    first = widest_gap(points, [], [], LOW, HIGH, 0.0)
    second = widest_gap(points, [], [first], LOW, HIGH, 0.0)
    assert (first < 0.35) != (second < 0.35)


def test_a_gap_that_trials_did_not_fill_is_left():
    """Each trial that ended off the front in a gap makes it less worth another one."""
    points = curve(0.125, 0.35, 1.0)
    first = widest_gap(points, [], [], LOW, HIGH, 0.0)
    assert (widest_gap(points, [first] * 5, [], LOW, HIGH, 0.0) < 0.35) != (first < 0.35)


@given(
    st.lists(st.tuples(st.floats(-1, 1e3), st.floats(LOW, HIGH)), min_size=1, max_size=30),
    st.lists(st.floats(LOW, HIGH), max_size=4),
    st.floats(0, 0.999),
)
def test_targets_are_inside_the_range(points, running, turn):
    """Whatever the record holds."""
    found = widest_gap(np.array(points), running, running, LOW, HIGH, turn)
    assert LOW <= found <= HIGH


def test_greedy_targets_cover_as_much_as_even_ones():
    """Placed one by one, trials of one curve cover what as many evenly spread ones do, to a hundredth."""
    points = curve(0.125, 1.0)
    for _ in range(6):
        points = np.vstack([points, curve(widest_gap(points, [], [], LOW, HIGH, 0.5))])
    corner = (1.1 * 0.125**-1.5, 1.1)
    assert hypervolume(points, corner) > 0.99 * hypervolume(curve(*np.geomspace(LOW, HIGH, 8)), corner)


def searched(trials: int) -> list[TrialRecord]:
    """A study in which quality is one curve of cost, and no method is better than another."""
    chooser, records = Chooser(PROPOSALS, Choice("random")), []
    for number in range(trials):
        new = chooser.next(records, number)
        records.append(
            TrialRecord(number, "COMPLETE", new, quality=(new.target / FORM.dense()) ** -1.5, cost=new.target)
        )
    return records


def test_no_cost_is_trained_twice_and_each_method_begins_at_the_budget():
    """A method's first trial is at the budget, where it is compared with the ladder; all others fill the front."""
    records = searched(16)
    for method in ("coronet", "mggc"):
        own = [r.new for r in records if r.new.method == method]
        assert own[0].origin == START
        assert np.isclose(own[0].target, PROPOSALS.budget)
    targets = np.sort(np.log(list({round(r.new.target, 3) for r in records})))
    assert len(targets) == 14  # three at the budget
    assert np.diff(targets).max() < 2.5 * np.log(8) / 13


def test_few_settings_change_while_a_method_has_few_trials():
    """First its defaults; then all but two of them, until it has 16 trials; then its sampler has all."""
    records = searched(100)
    for method in ("coronet", "mggc"):
        defaults = METHODS[method].defaults()
        own = [r.new for r in records if r.new.method == method]
        changed = [sum(defaults[k] != v for k, v in to_json(new.proposal.settings).items()) for new in own]
        first = [new.origin for new in own].count(START)
        assert changed[:first] == [0] * first
        assert 0 < max(changed[first:MIN_TRIALS_FOR_ALL_SETTINGS]) <= N_CHANGED_SETTINGS
        assert max(changed[MIN_TRIALS_FOR_ALL_SETTINGS:]) > N_CHANGED_SETTINGS
        assert all(TARGET in new.params for new in own)
