import math
from dataclasses import replace

import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.seeds import derived_seed
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.records.ledger import TrialRecord
from ganprune.search.records.messages import TrialOutcome
from ganprune.search.samplers.catalog import SAMPLERS, SamplerSpec
from ganprune.search.samplers.optuna_mirror import quasi_random
from ganprune.search.strategy.chooser import Choice, Chooser
from ganprune.search.strategy.method_shares import EQUAL_ROUNDS, choose_method, gains
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from ...fakes.fake_proposals import FakeProposals

WIDTHS = FakeProposals(methods=("widths",), rungs_of_ladder=0)


def simulate(chooser, n, response, records=(), state="COMPLETE"):
    records = list(records)
    for number in range(len(records), n):
        new = chooser.next(records, number)
        records.append(TrialRecord(number, state, new, quality=response(new), cost=new.target))
    return records


def bowl(new):
    return 1 / new.target + 30 * (new.params.get("widths.x", 0.9) - 0.25) ** 2


@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_the_same_history_gives_the_same_proposal(sampler):
    """A fresh chooser proposes what the one that lived through the history proposes; another seed does not."""
    records = simulate(Chooser(FakeProposals(), Choice(sampler, seed=3)), 16, bowl)
    again = Chooser(FakeProposals(), Choice(sampler, seed=3)).next(records[:15], 15)
    assert again == records[15].new
    other = Chooser(FakeProposals(), Choice(sampler, seed=4)).next(records[:15], 15)
    assert other.params != again.params


@pytest.mark.parametrize("sampler", list(SAMPLERS))
@pytest.mark.parametrize("mode", ["pareto", "target"])
def test_samplers_take_every_kind_of_trial(sampler, mode):
    """Stopped with a curve, failed, infeasible, running and waiting trials in the history: asking still works."""
    records = simulate(Chooser(WIDTHS, Choice("random")), 14, bowl)
    records[1] = replace(records[1], state="PRUNED", quality=9.0, rungs={1: 9.0})
    records[2] = replace(records[2], state="PRUNED", quality=None, rungs={1: math.nan})
    records[3] = replace(records[3], state="FAIL", quality=None, cost=None)
    records[4] = replace(records[4], constraints={"budget": 0.5})
    records[12] = replace(records[12], state="RUNNING", quality=None, cost=None)
    records[13] = replace(records[13], state="WAITING", quality=None, cost=None)
    new = Chooser(WIDTHS, Choice(sampler, mode=mode)).next(records, 14)
    assert new.origin == sampler
    assert set(new.params) == {"target", "widths.x"}


def distance_late(sampler: str, seed: int) -> float:
    """Mean distance of trials 30 to 59 from the best setting."""
    chosen = simulate(Chooser(WIDTHS, Choice(sampler, seed=seed)), 60, bowl)[30:]
    return sum(abs(r.new.params["widths.x"] - 0.25) for r in chosen) / 30


def test_tpe_learns():
    """TPE's late proposals lie nearer to the best setting than random ones do, at five seeds of five.

    If it did not learn, it would be the nearer one at all five in one run of 32.
    """
    nearer = [(distance_late("tpe", seed), distance_late("random", seed)) for seed in range(5)]
    assert all(tpe < random for tpe, random in nearer), nearer
    assert sum(tpe for tpe, _ in nearer) < 0.6 * sum(random for _, random in nearer), nearer


def test_a_sampler_of_ones_own_proposes(tmp_path):
    """A function by path from a seed to an Optuna sampler is asked, and what it says is proposed."""
    (tmp_path / "own.py").write_text(
        "from optuna.samplers import RandomSampler\n\n\n"
        "class Middle(RandomSampler):\n"
        "    def sample_independent(self, study, trial, name, distribution):\n"
        "        return (distribution.low + distribution.high) / 2\n"
    )
    chooser = Chooser(WIDTHS, Choice(f"{tmp_path / 'own.py'}:Middle"))
    kind = WIDTHS.distributions("widths")["widths.x"]
    assert {r.new.params["widths.x"] for r in simulate(chooser, 6, bowl)} == {(kind.low + kind.high) / 2}


def test_wrong_samplers_are_refused():
    """A name that is not known proposes a near one; a row is one of Optuna's samplers or a sequence, not both."""
    with pytest.raises(UserError, match=r"unknown sampler 'tep'; .*Did you mean tpe\?"):
        Choice("tep")
    with pytest.raises(ValueError, match="either make or point"):
        SamplerSpec()


def test_nsga2_leaves_its_first_generation():
    """NSGA-II finds its generations again beside the trials, though each proposal is made by a fresh sampler."""
    records = simulate(Chooser(WIDTHS, Choice("nsga2")), 65, bowl)
    generations = {value for r in records for key, value in r.new.sampler_state.items() if "generation" in key}
    assert {0, 1, 2} <= generations


def test_quasi_random_points_fill_the_space():
    """Eight points of the sequence put one in each eighth of every dimension, whatever its kind."""
    space = {
        "a": FloatDistribution(1e-3, 1e1, log=True),
        "b": IntDistribution(1, 8),
        "c": CategoricalDistribution(["x", "y"]),
        "d": FloatDistribution(0, 1, step=0.25),
    }
    points = [quasi_random(space, 5, i) for i in range(8)]
    assert sorted(p["b"] for p in points) == list(range(1, 9))
    assert sorted(p["c"] for p in points) == ["x"] * 4 + ["y"] * 4
    assert sorted(int(2 * (math.log10(p["a"]) + 3)) for p in points) == list(range(8))
    assert all(p["d"] in (0, 0.25, 0.5, 0.75, 1) for p in points)


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
    """Where only 4 networks exist, the ladder's repeat is skipped and the fourth network is drawn until found."""
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
    assert sorted(methods[: 3 * EQUAL_ROUNDS]) == sorted(proposals.methods * EQUAL_ROUNDS)
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
    [({"sampler": "cma"}, "expected one of linear, tpe"), ({"mode": "best"}, "must be pareto or target")],
)
def test_choices_are_checked(bad, allowed):
    """An unknown sampler or mode is refused with what is allowed."""
    with pytest.raises(UserError, match=allowed):
        Choice(**bad)
