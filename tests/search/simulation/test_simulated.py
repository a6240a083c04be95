"""The drawn response, the model of groups that proposes ratios, and what samplers see of a long record."""

import json
from dataclasses import replace

import numpy as np
import pytest
from ganprune.gan_models.costs.cost_form import CostForm, Row
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.files.seeds import derived_seed
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.records.ledger import NewTrial, TrialRecord
from ganprune.search.records.messages import TrialOutcome
from ganprune.search.samplers import width_model as linear
from ganprune.search.simulation.response_surface import DENSE_QUALITY, Surface
from ganprune.search.simulation.step_times import StepTimes
from ganprune.search.strategy.chooser import Choice, Chooser, drawn_target
from ganprune.search.strategy.history import History
from ganprune.search.strategy.proposals import SpaceProposals
from ganprune.spaces.methods import RATIO, TARGET
from ganprune.spaces.widths import WidthSpace
from optuna.distributions import FloatDistribution


def chain(groups: int = 6, size: int = 32) -> CostForm:
    """A chain of convolutions, each group feeding the next."""
    rows = []
    for i in range(groups + 1):
        sides = [np.zeros(3, int) if j in (0, groups + 1) else 1 + (j - 1) * size + np.arange(size) for j in (i, i + 1)]
        rows.append(Row(sides[0], sides[1], {"macs": 9.0, "macs_published": 9.0, "params": 9.0}))
    return CostForm.from_rows({f"g{i}": size for i in range(groups)}, rows)


def test_a_response_falls_as_channels_are_kept():
    """More channels everywhere are better, more training is better, and the dense network is near its own quality."""
    form = chain()
    surface = Surface.drawn(form, 3)
    half = form.sizes // 2
    assert surface.quality(half) < surface.quality(half // 2)
    assert surface.quality(half, 0.25) > surface.quality(half, 0.5) > surface.quality(half, 1.0)
    assert DENSE_QUALITY < surface.quality(form.sizes) < surface.quality(half)


def test_a_response_is_drawn_from_its_seed_and_has_noise():
    """The same seed gives the same numbers; another study another response; a training seed moves it by percents."""
    form = chain()
    half, surface = form.sizes // 2, Surface.drawn(form, 3)
    assert surface.quality(half, 1.0, 7) == Surface.drawn(form, 3).quality(half, 1.0, 7)
    assert not np.array_equal(surface.matters, Surface.drawn(form, 4).matters)
    drawn = np.array([surface.quality(half, 1.0, seed) for seed in range(300)]) - DENSE_QUALITY
    assert np.std(np.log(drawn)) == pytest.approx(0.04, rel=0.15)
    assert np.median(drawn) == pytest.approx(surface.quality(half) - DENSE_QUALITY, rel=0.02)


def test_the_best_ratios_beat_uniform_ones_on_average():
    """At a third of the cost the balanced plan is better than the uniform one, over ten responses."""
    form = chain()
    space, won = WidthSpace(form), 0.0
    for seed in range(10):
        surface, target = Surface.drawn(form, seed), form.dense() / 3
        best = space.decode(dict(zip(form.names, surface.best().tolist(), strict=True)), target)
        won += np.log(surface.quality(form.widths(space.uniform(target))) / surface.quality(form.widths(best)))
    assert won / 10 > 0.1


def test_the_model_finds_which_groups_matter():
    """From 80 noisy plans around a known optimum the proposals lie nearer to it than to the uniform plan."""
    generator = np.random.default_rng(0)
    best_G = np.array([0.3, -0.3, 0.2, -0.2, 0.0, 0.0])
    x_NG = 0.2 * generator.standard_normal((80, 6))
    cost_N = np.exp(generator.uniform(-2, 0, 80))
    log_N = 1 - 1.5 * np.log(cost_N) + 2.0 * ((x_NG - best_G) ** 2).sum(axis=1)
    quality_N = np.exp(log_N + 0.03 * generator.standard_normal(80))
    found = [linear.propose(x_NG, cost_N, quality_N, 0.3, np.random.default_rng(s)) for s in range(20)]
    distance = np.linalg.norm(np.mean(found, axis=0) - best_G)
    assert distance < 0.4 * np.linalg.norm(best_G)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_the_model_proposes_something_modest_from_nothing(n):
    """With no trial, or one or two, proposals are finite and near the uniform plan; qualities at or below 0 are taken."""
    x = linear.propose(np.zeros((n, 9)), np.ones(n), np.array([-1.0, 0.0])[:n], 0.5, np.random.default_rng(0))
    assert x.shape == (9,)
    assert 0 < np.sqrt(np.mean(x**2)) < 0.5


def test_targets_fill_the_range_evenly():
    """The first 2, 4, .. 64 targets of a method put the same number in each half, quarter, .. of the range."""
    space = FloatDistribution(0.05, 0.4, log=True)
    for seed in (0, 1234567890):
        logs = np.log([drawn_target(space, i, seed) / 0.05 for i in range(64)]) / np.log(8)
        assert 0 <= logs.min() <= logs.max() <= 1
        for n in (2, 4, 8, 64):
            cells = np.floor((logs[:n] + seed / 2**32) % 1 * n + 1e-9)
            assert sorted(cells % n) == list(range(n))


@pytest.mark.parametrize("sampler", ["linear", "tpe", "nsga2", "random", "qmc"])
def test_every_proposal_meets_its_drawn_target(sampler):
    """Each sampler's plans are at or under the drawn target and within 2 % of it, and what is recorded is what is built."""
    form = chain()
    proposals = SpaceProposals(WidthSpace(form), 0.4 * form.dense(), ("widths",), 4)
    chooser, surface, records = Chooser(proposals, Choice(sampler, seed=5)), Surface.drawn(form, 5), []
    for number in range(20):
        new = chooser.next(records, number)
        plan_G = form.widths(new.proposal.widths)
        cost = float(form.predict(plan_G))
        assert 0.9 * new.target < cost <= new.target == new.params[TARGET]
        built = proposals.widths.encode(new.proposal.widths)
        assert {name: new.params[RATIO + name] for name in form.names} == built
        quality = surface.quality(plan_G, noise=derived_seed(5, number))
        records.append(TrialRecord(number, "COMPLETE", new, quality=quality, cost=cost))
    assert [r.new.origin for r in records[:4]] == [f"ladder:{i}" for i in range(4)]
    assert {r.new.origin for r in records[4:]} == {sampler}
    assert len({r.new.target for r in records}) == 20


def long_record(n):
    generator = np.random.default_rng(0)
    points = generator.uniform(1, 2, (n, 2))
    points[3] = (0.5, 0.5)
    space = {"x": FloatDistribution(0, 3)}
    new = [NewTrial(Proposal("m", {}, 1.0, "macs"), {"x": float(q)}, space, "tpe") for q, _ in points]
    return [TrialRecord(i, "COMPLETE", new[i], quality=q, cost=c) for i, (q, c) in enumerate(points)], space


def test_a_long_record_is_shown_in_part():
    """The table shows 300 of 2,000 trials: the best of all, the latest, and a running one, in order."""
    records, space = long_record(2000)
    running = TrialRecord(2000, "RUNNING", records[0].new)
    seen = History(lambda widths, target, bits, to, recipe: None, lambda method: True).seen(
        [*records, running], "m", space
    )
    numbers = [s.number for s in seen]
    assert len(numbers) == 301
    assert numbers == sorted(numbers)
    assert {3, 2000, *range(1850, 2000)} <= set(numbers)
    assert seen[-1].values is None


def test_plans_are_translated_once():
    """Another method's plan is translated when it is first seen and not again, unless it was still running."""
    records, space = long_record(5)
    given = [
        TrialRecord(r.number, r.state, r.new, quality=1.0, cost=1.0, outcome=TrialOutcome("COMPLETE", widths={"g": 1}))
        for r in records
    ]
    asked = []
    history = History(lambda widths, target, bits, to, recipe: asked.append(to) or {"x": 1.0}, lambda method: True)
    for _ in range(3):
        assert len(history.seen(given, "other", space)) == 5
    assert asked == ["other"] * 5


def test_what_is_shown_no_more_is_not_kept():
    """A history keeps the points it shows and no others, however long the record grows."""
    records, space = long_record(900)
    history = History(lambda widths, target, bits, to, recipe: None, lambda method: True)
    for n in range(100, 900, 100):
        history.seen(records[:n], "m", space)
        assert len(history._points["m"]) == min(n, 300)


def test_a_method_that_takes_no_plans_is_shown_its_own_trials_alone():
    """Others' trials, of no use to its sampler, do not take the places of its own: 300 of 400 among 1,000 are shown."""
    records, space = long_record(1000)
    records = [
        r if r.number % 5 < 2 else replace(r, new=replace(r.new, proposal=replace(r.new.proposal, method="other")))
        for r in records
    ]
    seen = History(lambda widths, target, bits, to, recipe: None, lambda method: False).seen(records, "m", space)
    assert len(seen) == 300
    assert all(s.number % 5 < 2 for s in seen)


def test_seconds_a_step_lie_on_the_line_between_small_and_dense():
    """A plan's step takes what its cost says, between the small plan's and the dense network's; JSON both ways."""
    times = StepTimes(teacher=3.0, dense=2.0, small=1.0, share=0.2)
    assert [times.student_at(s) for s in (0.2, 0.6, 1.0)] == pytest.approx([1.0, 1.5, 2.0])
    assert from_json(StepTimes, json.loads(json.dumps(to_json(times)))) == times
    with pytest.raises(ValueError, match="above 0"):
        StepTimes.constant(0.0)
