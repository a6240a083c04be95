from dataclasses import replace

import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.seeds import derived_seed
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.records.messages import TrialOutcome
from ganprune.search.strategy.chooser import Choice, Chooser
from ganprune.search.strategy.method_shares import N_EQUAL_ROUNDS, choose_method, gains

from ...fakes.chosen_trials import bowl, simulate
from ...fakes.fake_proposals import FakeProposals


def test_the_ladder_comes_first_and_seeds_the_others():
    """The first trials are the ladder in its order; another method's sampler then knows them, translated."""
    chooser = Chooser(FakeProposals(), Choice())
    records = simulate(chooser, 5, bowl)
    assert [r.new.origin for r in records] == ["ladder:0", "ladder:1", "ladder:2", "linear", "linear"]
    assert [r.new.target for r in records[:3]] == [1.0, 0.5, 0.25]
    seen = chooser._history.seen(records, "widths", chooser.proposals.distributions("widths"))
    assert [s.params for s in seen[:3]] == [{"target": t, "widths.x": 0.5} for t in (1.0, 0.5, 0.25)]


def test_learned_widths_teach_the_width_search():
    """A plan that another method found is a point of the width search once it is built; before that it is not seen."""
    chooser = Chooser(FakeProposals(), Choice())
    first = simulate(chooser, 1, bowl)[0]
    learned = replace(first, new=replace(first.new, proposal=Proposal("learned", {}, 1.0, "macs")))
    space = chooser.proposals.distributions("widths")
    assert chooser._history.seen([learned], "widths", space) == []
    built = replace(learned, outcome=TrialOutcome("COMPLETE", 1.0, 1.0, widths={"a": 7}))
    assert [seen.params for seen in chooser._history.seen([built], "widths", space)] == [
        {"target": 1.0, "widths.x": 0.5}
    ]


def test_a_failed_rung_of_the_ladder_is_not_repeated():
    """A ladder trial that failed is not tried again; the ladder goes on behind it."""
    chooser = Chooser(FakeProposals(), Choice())
    records = simulate(chooser, 1, bowl, state="FAIL")
    assert chooser.next(records, 1).origin == "ladder:1"


def test_repeats_are_drawn_again():
    """If only 4 networks exist, the ladder's repeat is skipped and the fourth network is drawn until found."""
    proposals = FakeProposals(methods=("uniform",), rungs_of_ladder=4, coarse=True)  # the ladder: 4, 2, 1 and 1 again
    records = simulate(Chooser(proposals, Choice(seed=1)), 4, bowl)
    assert [r.new.proposal.widths["a"] for r in records] == [4, 2, 1, 3]
    assert records[3].new.origin in ("linear", "random")


def test_methods_share_equally_then_by_gain_with_a_tenth_each():
    """Each method gets its first trials, then the better one most, and none less than a tenth."""
    proposals = FakeProposals(methods=("widths", "bad", "worse"), rungs_of_ladder=0)

    def response(new):
        return 1 / new.target + {"widths": 0, "bad": 50, "worse": 60}[new.method] * new.target

    records = simulate(Chooser(proposals, Choice("random")), 60, response)
    methods = [r.new.method for r in records]
    counts = {m: methods.count(m) for m in proposals.methods}
    assert sorted(methods[: 3 * N_EQUAL_ROUNDS]) == sorted(proposals.methods * N_EQUAL_ROUNDS)
    assert counts["widths"] == max(counts.values()) > 20
    assert min(counts.values()) >= 6
    earned = gains(records, proposals.methods)
    assert earned["widths"] > 0


def test_given_shares_are_kept():
    """--share decides alone: after 20 trials each method has its part, to one trial."""
    proposals = FakeProposals(methods=("widths", "a", "b"), rungs_of_ladder=0)
    records = simulate(Chooser(proposals, Choice("random", shares={"widths": 0.7})), 20, bowl)
    methods = [r.new.method for r in records]
    assert [methods.count(m) for m in proposals.methods] == [14, 3, 3]


@pytest.mark.parametrize("shares", [{"x": 0.5}, {"a": -0.1}, {"a": 0.8, "b": 0.4}, {"a": 0.0, "b": 0.0}])
def test_impossible_shares_are_refused(shares):
    """Shares name methods and sum to at most 1."""
    with pytest.raises(ValueError, match="--share"):
        Chooser(FakeProposals(methods=("a", "b")), Choice(shares=shares))


def test_one_method_gets_everything():
    """With one method there is nothing to choose."""
    assert choose_method([], ["a"], {}, 0.99) == "a"


def test_seeds_differ_by_trial_and_purpose():
    """No two trials, and no two purposes of one trial, draw the same numbers."""
    seeds = {derived_seed(s, n, p) for s in (0, 1) for n in range(20) for p in ("sampler", "trial")}
    assert len(seeds) == 80


@pytest.mark.parametrize(
    ("bad", "allowed"),
    [({"sampler": "cma"}, "expected one of linear, tpe"), ({"mode": "best"}, "expected pareto or target")],
)
def test_choices_are_checked(bad, allowed):
    """An unknown sampler or mode is refused with what is allowed."""
    with pytest.raises(UserError, match=allowed):
        Choice(**bad)
