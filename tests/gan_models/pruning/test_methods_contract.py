"""The contract of every pruning method that needs no training, and what magnitude is worth."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ganprune.gan_models.costs.combined_budgets import BindingCost, Bound
from ganprune.gan_models.costs.cost_form import InfeasibleBudget
from ganprune.gan_models.files.plain_values import to_json
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.pruning.baseline_settings import MagnitudeSettings
from ganprune.gan_models.pruning.catalog import METHODS, check_fixed, fixed_for, make_method, method_spec
from ganprune.gan_models.pruning.method import PruneJob, Target
from ganprune.gan_models.pruning.ranking import l1_scores, plan_within_target, strongest
from ganprune.gan_models.pruning.settings import Setting
from ganprune.gan_models.reconstruction.calibration import Calibration
from ganprune.spaces.methods import MethodSpace
from ganprune.spaces.widths import WidthSpace

from .jobs import changed, proposal

UNTRAINED = sorted(name for name, spec in METHODS.items() if not spec.trains)
NETWORKS = {"resnet": ({"ngf": 12, "n_blocks": 2}, (3, 32, 32)), "unet": ({"ngf": 8, "num_downs": 5}, (3, 32, 32))}


def job(network: str, method: str, share: float, seed: int = 0) -> PruneJob:
    arguments, shape = NETWORKS[network]
    torch.manual_seed(seed)
    model = build(network, arguments)
    groups = find_groups(model, torch.empty(1, *shape))
    target = share * groups.form.dense()
    widths = WidthSpace(groups.form).uniform(target) if method_spec(method).widths == "given" else None
    goal = Target("macs", target)
    images = torch.rand(8, *shape) * 2 - 1
    calibration = Calibration(lambda: (images,), 0) if method_spec(method).calibrated else None
    settings = {"evaluations": 1} if calibration else {}
    return PruneJob(model, "G", groups, proposal(method, goal, widths, **settings), goal, seed, calibration=calibration)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("method", UNTRAINED)
def test_methods_meet_the_target_from_below(method: str, network: str):
    """The plan fits the groups, costs at most the target and at least 97 % of it, and the cut network is that plan."""
    given = job(network, method, 0.3)
    before = {name: value.clone() for name, value in given.model.state_dict().items()}
    pruned = make_method(method).prune(given)
    given.groups.check(pruned.plan)
    widths = given.groups.form.widths(pruned.plan.widths)
    assert 0.97 * given.target.value <= given.groups.form.predict(widths) <= given.target.value
    assert sum(p.numel() for p in pruned.model.parameters()) == given.groups.form.predict(widths, "params")
    assert all(torch.equal(before[name], value) for name, value in given.model.state_dict().items())
    again = make_method(method).prune(given)
    assert again.plan == pruned.plan


@pytest.mark.parametrize("network", NETWORKS)
def test_learned_plans_meet_a_second_budget_too(network: str):
    """With parameters bound to less than the target leaves, a plan reaches that bound from below instead."""
    given = job(network, "magnitude", 0.3)
    form, limit = given.groups.form, 0.1 * given.groups.form.dense("params")
    model = BindingCost(form, given.target.value, (Bound("params", limit, form),))
    pruned = make_method("magnitude").prune(replace(given, target=replace(given.target, model=model)))
    widths = form.widths(pruned.plan.widths)
    assert form.predict(widths) <= given.target.value
    assert 0.97 * limit <= form.predict(widths, "params") <= limit


@pytest.mark.parametrize("method", UNTRAINED)
def test_an_impossible_target_is_named(method: str):
    """A target below the smallest plan is refused, and says what the smallest plan costs."""
    with pytest.raises(InfeasibleBudget, match="the smallest plan"):
        make_method(method).prune(job("resnet", method, 1e-5))


def test_unknown_methods_list_the_known_ones():
    """A wrong name is one line."""
    with pytest.raises(ValueError, match=r"unknown method 'fancy'; expected one of uniform, widths, magnitude"):
        method_spec("fancy")
    with pytest.raises(ValueError, match="invalid default of setting x"):
        Setting("x", 2.0, low=0.0, high=1.0)


def test_dead_channels_go_first():
    """Channels whose weights are all zero have score zero and are the first that every ranking drops."""
    given = job("resnet", "magnitude", 0.5)
    first = given.groups.groups[0]
    dead = [1, 4, 7]
    with torch.no_grad():
        for entry in [*given.groups.writes, *(gate for gate, _ in given.groups.gates)]:
            tensor = dict(given.model.named_parameters())[entry.parameter]
            hit = np.isin(entry.flat, [1 + given.groups.offsets[first.name] + c for c in dead]).nonzero()[0]
            tensor.index_fill_(entry.axis, torch.from_numpy(hit), 0.0)
    scores = l1_scores(given.model, given.groups)
    assert set(np.flatnonzero(scores[first.name] == 0)) == set(dead)
    assert not set(dead) & set(make_method("magnitude").prune(given).plan.kept[first.name])


def test_landing_uses_the_scores():
    """With scores that single out known channels, exactly those are kept wherever a group is not at its floor."""
    given = job("resnet", "magnitude", 0.25)
    rng = np.random.default_rng(0)
    scores = {name: rng.permutation(size).astype(float) for name, size in given.groups.sizes.items()}
    plan = plan_within_target(given.groups.form, scores, given.target)
    for name, kept in plan.kept.items():
        assert set(kept) == set(np.argsort(-scores[name])[: len(kept)])
    assert strongest({"a": 2}, {"a": np.array([1.0, 3.0, 2.0])}).kept == {"a": (1, 2)}


def test_the_cost_exponent_moves_the_plan_to_cheap_channels():
    """Ranking per MAC keeps more channels under the same budget than ranking by size alone."""
    given = job("unet", "magnitude", 0.25)
    totals = []
    for exponent in (0.01, 1.0):
        other = changed(given, settings=MagnitudeSettings(cost_exponent=exponent))
        totals.append(sum(make_method("magnitude").prune(other).plan.widths.values()))
    assert totals[1] > totals[0]


def test_any_setting_can_be_fixed_to_what_it_allows():
    """A fixed setting has a known name and a value that it allows; what is not searched is no dimension."""
    check_fixed({"slimming.objective": "gan", "slimming.order": "sequential"})
    assert fixed_for("slimming", {"slimming.objective": "gan", "other.objective": "x"}) == {"objective": "gan"}
    for settings, message in (
        ({"slimming.knee": 7.0}, "slimming.knee: got 7.0"),
        ({"slimming.nosuch": 0.1}, "'slimming.nosuch'"),
        ({"slimming.form": "best"}, "invalid setting slimming.form: got best; expected led, published"),
        ({"uniform.form": "led"}, "unknown setting: got 'uniform.form'"),
    ):
        with pytest.raises(ValueError, match=message):
            check_fixed(settings)
    form = job("resnet", "slimming", 0.5).groups.form
    space = MethodSpace("slimming", WidthSpace(form), 0.1 * form.dense(), form.dense())
    assert {name.removeprefix("slimming.") for name in space.distributions()} == {
        "target", *(setting.name for setting in method_spec("slimming").searched)
    }  # fmt: skip
    proposal, built = space.decode(space.defaults(form.dense()))
    assert "slimming.objective" not in built
    assert to_json(proposal.settings)["objective"] == "20dist+gan"
