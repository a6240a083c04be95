"""MGGC on every task: the target from below, both networks cut, resumable, the same for the same seed."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from ganprune.gan_models.costs.cost_form import InfeasibleBudget
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.pruning.catalog import METHODS
from ganprune.gan_models.pruning.gates import gated_call, plan_gates
from ganprune.gan_models.pruning.mggc import collaboration
from ganprune.gan_models.pruning.mggc.method import Mggc
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ...network_cases import RandomNetwork
from ..jobs import changed
from .mggc_jobs import mggc_job

CASES = [("paired", "G"), ("unpaired", "AtoB"), ("unpaired", "BtoA"), ("unconditional", "G")]


def _same(one, two):
    return one.plan == two.plan and one.record["path"] == two.record["path"]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_both_networks_are_cut_to_their_targets_and_the_teacher_stays(kind, name):
    job = mggc_job(kind, name)
    before = {
        k: v.clone() for k, v in [*job.model.state_dict().items(), *job.training.discriminators.state_dict().items()]
    }
    pruned = Mggc().prune(job)
    after = {**job.model.state_dict(), **job.training.discriminators.state_dict()}
    assert all(torch.equal(before[key], after[key]) for key in before)
    widths = job.groups.form.widths(pruned.plan.widths)
    assert 0.9 * job.target.value <= job.groups.form.predict(widths) <= job.target.value
    assert sum(p.numel() for p in pruned.model.parameters()) == job.groups.form.predict(widths, "params")
    assert list(pruned.discriminators) == list(job.training.discriminators)
    for other, judge in job.training.discriminators.items():
        smaller = sum(p.numel() for p in pruned.discriminators[other].parameters())
        assert (smaller < sum(p.numel() for p in judge.parameters())) == (other == name)
    assert pruned.steps == 4
    for value in ("discriminator_loss", "score_real", "accuracy_fake", "multiplier", "discriminator_multiplier"):
        assert [step for step, _ in pruned.record["path"][value]] == [1, 2, 3, 4]
    inputs = torch.zeros(1, 6) if kind == "unconditional" else torch.rand(1, 3, 16, 16)
    with torch.no_grad():  # gated and cut agree: weights are the teacher's
        gated = gated_call(job.model, job.groups, plan_gates(job.groups, pruned.plan), inputs)
        assert torch.allclose(gated, pruned.model.eval()(inputs), atol=1e-5)


def test_with_every_channel_kept_real_and_fake_are_the_same_and_the_density_terms_are_zero():
    pruned = Mggc().prune(mggc_job(share=0.5, steps=1, prior=0.0))
    first = {name: path[0][1] for name, path in pruned.record["path"].items()}
    assert first["share"] == 1.0
    assert first["kernel"] == 0.0
    assert first["output"] == 0.0
    assert first["score_real"] == first["score_fake"]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_own_plan_comes_within_a_tenth_of_the_target_and_so_does_the_discriminators(seed):
    # Sixteen channels and more a group: on the narrow network of the other tests one channel is a fifth of the target.
    network = build("resnet", {"ngf": 16, "n_blocks": 1})
    wide = {"discriminator": {"model": "n_layers", "ndf": 16, "n_layers": 2}}
    job = mggc_job(share=0.3, steps=60, seed=seed, network=network, task=wide, discriminator_target=0.4)
    record = Mggc().prune(job).record
    assert record["cost_before_landing"]["value"] / job.target.value == pytest.approx(1, abs=0.1)
    assert record["discriminator_cost_before_landing"]["ratio"] == pytest.approx(1, abs=0.1)
    own = job.groups.form.widths(record["widths_before_landing"])
    assert record["cost_before_landing"]["value"] == float(job.groups.form.predict(own))
    wanted = [value for _, value in record["path"]["share_wanted"]]
    assert wanted == sorted(wanted, reverse=True)
    assert wanted[-1] == pytest.approx(0.3)


def test_the_same_seed_gives_the_same_plan_and_another_seed_another_path():
    one, two, other = (Mggc().prune(mggc_job(seed=seed)) for seed in (0, 0, 1))
    assert _same(one, two)
    assert not _same(one, other)


@pytest.mark.parametrize("kind", ["paired", "unconditional"])
def test_a_resumed_phase_ends_as_an_uninterrupted_one(kind, tmp_path, monkeypatch):
    job = mggc_job(kind, steps=6)
    whole = Mggc().prune(job)
    kept = changed(job, workspace=tmp_path / "prune")
    original, saved = collaboration.Collaboration.step, []

    def stopped(self, step, batch_at):
        if step == 3:
            saved.append(self.state())
            raise KeyboardInterrupt
        return original(self, step, batch_at)

    monkeypatch.setattr(collaboration.Collaboration, "step", stopped)
    with pytest.raises(KeyboardInterrupt):
        Mggc().prune(kept)
    tensors, info = copy.deepcopy(saved[0])

    def resumed(self, step, batch_at):  # a fresh phase that is put where the interrupted one stood
        if step == 3:
            self.said = torch.ones_like(self.said)
            with torch.no_grad():
                for side in self.sides.values():
                    side.weight = 99.0
                    side.optimizer.state.clear()
                    for parameter in side.agent.parameters():
                        parameter.zero_()
            self.load_state(tensors, info)
        return original(self, step, batch_at)

    monkeypatch.setattr(collaboration.Collaboration, "step", resumed)
    again = Mggc().prune(kept)
    monkeypatch.setattr(collaboration.Collaboration, "step", original)
    assert _same(whole, again)
    assert _same(whole, Mggc().prune(kept))  # the finished phase is read from its checkpoint


def test_a_phase_whose_checkpoint_is_damaged_begins_anew(tmp_path):
    job = mggc_job(steps=2)
    kept = changed(job, workspace=tmp_path / "prune")
    whole = Mggc().prune(kept)
    for path in (tmp_path / "prune").glob("tensors-*"):
        path.write_bytes(path.read_bytes()[:50])
    with pytest.warns(UserWarning, match="damaged.*training starts from the beginning"):
        assert _same(whole, Mggc().prune(kept))


@pytest.mark.parametrize(
    ("name", "value"),
    [("feedback", False), ("prune_discriminator", False), ("density", "off"), ("density", "adversarial"),
     ("density", "kernel"), ("agent", "logits"), ("condition", "centre"), ("encoder", "discriminator"), ("prior", 0.0)],
)  # fmt: skip
def test_every_switch_changes_the_path_and_still_lands(name, value):
    job = mggc_job(steps=3)
    whole, without = Mggc().prune(job), Mggc().prune(mggc_job(steps=3, **{name: value}))
    assert whole.record["path"] != without.record["path"]
    assert job.groups.form.predict(job.groups.form.widths(without.plan.widths)) <= job.target.value
    assert (without.discriminators is None) == ((name, value) == ("prune_discriminator", False))


def test_without_feedback_the_generators_agent_does_not_hear_the_other_one(monkeypatch):
    heard = []
    original = collaboration.AGENTS["gru"].forward
    monkeypatch.setattr(
        collaboration.AGENTS["gru"], "forward", lambda self, peer=None: (heard.append(peer), original(self, peer))[1]
    )
    Mggc().prune(mggc_job(steps=2, feedback=False))
    assert all(peer is None for peer in heard)
    heard.clear()
    Mggc().prune(mggc_job(steps=2))
    assert sum(peer is not None for peer in heard) >= 4
    assert not any(peer.requires_grad for peer in heard if peer is not None)


class _Looping(nn.Module):
    """A discriminator whose path depends on its data."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(6, 1, 3)

    def forward(self, x):
        return self.layer(x) if x.sum() > 0 else self.layer(-x)


def test_a_discriminator_that_cannot_be_followed_stays_whole_and_this_is_recorded():
    job = mggc_job()
    for judge, reason in ((_Looping(), "not pruned"), (nn.Conv2d(6, 1, 3), "it has no channel group")):
        pruned = Mggc().prune(changed(job, discriminators=nn.ModuleDict({"G": judge})))
        assert reason in pruned.record["discriminator"]
        assert pruned.discriminators is None
        assert "score_real" in pruned.record["path"]


def test_a_cost_without_gradient_is_met_from_below():
    class Latency:
        def predict(self, widths, cost="macs"):
            return np.ceil(np.asarray(widths, dtype=float) / 2).sum(-1) * 0.1

    job = mggc_job(steps=20)
    dense = float(Latency().predict(job.groups.form.sizes))
    pruned = Mggc().prune(replace(job, target=replace(job.target, cost="latency_ms", value=dense / 2, model=Latency())))
    reached = float(Latency().predict(job.groups.form.widths(pruned.plan.widths)))
    assert 0.85 * dense / 2 <= reached <= dense / 2
    assert pruned.record["path"]["share_wanted"][-1][1] == pytest.approx(0.5)


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 10_000))
def test_any_network_lands_on_its_target(seed):
    torch.manual_seed(seed)
    network = RandomNetwork(seed).eval()
    groups = find_groups(network, torch.zeros(1, 3, 8, 8))
    if not groups.groups:
        return
    share = 0.5 * (1 + groups.form.cheapest() / groups.form.dense())
    job = mggc_job(share=share, steps=2, side=8, n=5, network=network)
    pruned = Mggc().prune(job)
    assert groups.form.predict(groups.form.widths(pruned.plan.widths)) <= job.target.value
    x = torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        gated = gated_call(network, job.groups, plan_gates(job.groups, pruned.plan), x)
        assert torch.allclose(gated, pruned.model(x), atol=1e-4)


def test_what_it_needs_is_said_before_it_trains():
    job = mggc_job()
    with pytest.raises(ValueError, match="--prune-steps"):
        Mggc().prune(changed(job, steps=0))
    with pytest.raises(ValueError, match="discriminators"):
        Mggc().prune(changed(job, training=None))
    with pytest.raises(InfeasibleBudget):
        Mggc().prune(replace(job, target=replace(job.target, value=1.0)))


def test_ablations_are_settings_and_no_dimensions_of_the_space():
    searched = {setting.name for setting in METHODS["mggc"].searched}
    assert searched.isdisjoint({"feedback", "prune_discriminator", "density", "agent"})
    assert {"k", "encoder", "temperature", "discriminator_target", "share", "weight_kernel"} <= searched
