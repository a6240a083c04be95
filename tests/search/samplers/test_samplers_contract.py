"""Every sampler keeps one contract: the same history gives the same proposal, and every kind of trial can be in it."""

import math
from dataclasses import replace

import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.search.samplers.catalog import SAMPLERS, SamplerSpec
from ganprune.search.samplers.optuna_mirror import quasi_random
from ganprune.search.strategy.chooser import Choice, Chooser
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from ...fakes.chosen_trials import WIDTHS, bowl, simulate
from ...fakes.fake_proposals import FakeProposals


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
    with pytest.raises(ValueError, match="expected one of them"):
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


def test_what_makes_no_sampler_is_refused_when_it_is_chosen(tmp_path):
    """A user's object that cannot be made with a seed, or makes something else, is named before any trial."""
    (tmp_path / "own.py").write_text("class Bad: pass\ndef other(seed): return seed\n")
    with pytest.raises(UserError, match="sampler Bad cannot be created with a seed: got TypeError"):
        Choice(f"{tmp_path}/own.py:Bad")
    with pytest.raises(UserError, match="sampler other returned no sampler: got int without infer_relative"):
        Choice(f"{tmp_path}/own.py:other")
