"""The pruning agents: where they start, what flows between them, what their gates are; the cost that holds them."""

import math

import numpy as np
import pytest
import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.pruning.differentiable_cost import SoftCost, log_ratio, log_shortfall
from ganprune.gan_models.pruning.gates import gated_call
from ganprune.gan_models.pruning.mggc.agents import (
    AGENTS,
    SUMMARY,
    RecurrentAgent,
    StraightThrough,
    gates,
    gumbel_noise,
)

SIZES = {"a": 5, "b.c": 3, "d": 8}


def keep_probability(logit: float) -> float:
    """P(logit + Gumbel + 3 > 0)."""
    return 1 - math.exp(-math.exp(logit + 3))


@pytest.mark.parametrize("kind", AGENTS)
def test_everything_starts_kept(kind):
    """A settled agent's logits are 0, and all its channels are kept."""
    agent = AGENTS[kind](SIZES, seed=0)
    heard = torch.randn(SUMMARY)
    agent.settle(heard)
    logits, _ = agent(heard)
    assert float(logits.detach().abs().max()) < 1e-6
    assert sum(int(gate.sum()) for gate in gates(logits, SIZES, 0.4).values()) == 16


def test_the_share_of_sampled_gates_is_the_keep_probability():
    torch.manual_seed(0)
    for logit in (-4.0, -3.0, -2.0):
        logits = torch.full((20000,), logit)
        drawn = gates(logits, {"a": 20000}, 0.4, 1, gumbel_noise(logits))["a"]
        assert float(drawn.mean()) == pytest.approx(keep_probability(logit), abs=0.015)


def test_nothing_flows_into_the_peer_and_yet_what_it_says_changes_the_plan():
    peer, agent = RecurrentAgent(SIZES, 1), RecurrentAgent(SIZES, 2)
    _, said = peer()
    logits, _ = agent(said)
    logits.square().sum().backward()
    assert all(parameter.grad is None for parameter in peer.parameters())
    assert all(parameter.grad is not None for parameter in agent.parameters())
    other, _ = agent(said + 1)
    assert not torch.allclose(other, logits)
    median = logits.detach().median()  # around a threshold in the middle of its logits, the plan itself is another
    assert not torch.equal(other.detach() > median, logits.detach() > median)


def test_with_silence_the_peer_does_not_matter_and_free_logits_hear_nothing():
    agent = RecurrentAgent(SIZES, 2)
    assert torch.equal(agent(None)[0], agent(torch.zeros(SUMMARY))[0])
    free = AGENTS["logits"](SIZES, 2)
    assert torch.equal(free(torch.randn(SUMMARY))[0], free(None)[0])


def test_the_same_seed_makes_the_same_agent_and_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(4)
    expected = torch.rand(())
    torch.manual_seed(4)
    one, two, three = RecurrentAgent(SIZES, 5), RecurrentAgent(SIZES, 5), RecurrentAgent(SIZES, 6)
    assert torch.rand(()) == expected
    assert torch.equal(one()[0], two()[0])
    assert not torch.equal(one()[0], three()[0])
    fixed = one.inputs[:, 0]
    assert torch.allclose(fixed @ fixed.T, torch.eye(3), atol=1e-6)
    assert "inputs" not in dict(one.named_parameters())


def test_hard_gates_are_exactly_0_or_1_with_the_soft_ones_gradient():
    logits = torch.tensor([-3.7, -3.0, -2.4, 1.0, -9.0], requires_grad=True)
    gate = gates(logits, {"a": 5}, 0.4)["a"]
    assert gate.tolist() == [0, 1, 1, 1, 0]
    gate.sum().backward()
    y = torch.sigmoid((logits.detach() + 3) / 0.4)
    assert torch.allclose(logits.grad, y * (1 - y) / 0.4)
    soft = torch.rand(1000)
    assert set(StraightThrough.apply(soft, (soft > 0.5).float()).tolist()) == {0.0, 1.0}


def test_a_group_keeps_its_strongest_channels_at_least():
    gate = gates(torch.tensor([-9.0, -7.0, -8.0, -20.0, -21.0]), {"a": 3, "b": 2}, 0.4, floor=2)
    assert [g.tolist() for g in gate.values()] == [[0, 1, 1], [1, 1]]


@pytest.mark.parametrize(
    ("share", "target", "expected"), [(0.8, 0.5, 0.4700), (0.8, 0.25, 1.1632), (0.5, 0.5, 0.0), (0.2, 0.5, 0.0)]
)
def test_the_log_ratio_is_its_published_form(share, target, expected):
    value = torch.tensor(share, dtype=torch.float64, requires_grad=True)
    ratio = log_ratio(value, target)
    ratio.backward()
    assert float(ratio) == pytest.approx(expected, abs=5e-5)
    assert float(value.grad) == pytest.approx(1 / share if expected else 0.0)


def test_a_plan_under_its_floor_is_drawn_up():
    value = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    log_shortfall(value, 0.4).backward()
    assert float(value.grad) == pytest.approx(-5.0)
    assert float(log_shortfall(torch.tensor(0.4), 0.4)) == 0.0


@pytest.mark.parametrize("cost", ["macs", "macs_published", "params", "bytes"])
def test_the_soft_cost_is_the_form_and_has_its_gradient(cost):
    form = find_groups(build("unet", {"ngf": 4, "num_downs": 5}), torch.zeros(1, 3, 32, 32)).form
    rng = np.random.default_rng(0)
    gate = {
        n: torch.from_numpy(rng.random(s) > 0.4).double().requires_grad_(True)
        for n, s in zip(form.names, form.sizes, strict=True)
    }
    share = SoftCost(form, cost)(gate)
    widths = np.array([float(g.detach().sum()) for g in gate.values()])
    assert float(share) == pytest.approx(float(form.predict(widths, cost)) / form.dense(cost), rel=1e-12)
    share.backward()
    slopes = [float(g.grad[0]) * form.dense(cost) for g in gate.values()]
    assert slopes == pytest.approx(form.gradient(widths, cost).tolist(), rel=1e-9)


def test_gates_of_a_spectrally_normed_discriminator_are_its_cut_and_carry_a_gradient():
    judge = build("sngan", {"ndf": 8}).eval()
    images = torch.rand(2, 3, 32, 32)
    groups = find_groups(judge, images[:1])
    rng = np.random.default_rng(1)
    kept = {n: tuple(sorted(rng.choice(s, 5, replace=False).tolist())) for n, s in groups.sizes.items()}
    soft = {
        n: torch.zeros(s).index_fill(0, torch.tensor(kept[n]), 1.0).requires_grad_(True)
        for n, s in groups.sizes.items()
    }
    gated = gated_call(judge, groups, soft, images)
    assert torch.allclose(gated, cut(judge, groups, ChannelPlan(kept))(images), atol=1e-5)
    gated.sum().backward()
    assert all(float(gate.grad.abs().max()) > 0 for gate in soft.values())
