"""CoroNetGAN as a method: it trains what it says, arrives at its target, and can be interrupted."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ganprune.gan_models.costs.cost_form import InfeasibleBudget
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.pruning.catalog import make_method
from ganprune.gan_models.pruning.coronet import memory
from ganprune.gan_models.pruning.coronet import method as coronet
from ganprune.gan_models.pruning.coronet.generated_weights import HypernetworkSize
from ganprune.gan_models.pruning.coronet.latents import with_floor
from ganprune.gan_models.pruning.coronet.memory import NotEnoughMemory, check_memory
from ganprune.gan_models.pruning.coronet.method import CoronetPhase
from ganprune.gan_models.pruning.coronet.settings import CoronetSettings
from ganprune.gan_models.pruning.method import PruneJob, Target, TrainingContext
from ganprune.gan_models.pruning.ranking import plan_within_target
from ganprune.gan_models.pruning.trained_method import run_phase
from ganprune.gan_models.training.recipe import Recipe

from ...training.small import data_for, networks_for, task_named
from ..jobs import changed, proposal

RECIPE = Recipe(batch_size=2, lr=2e-3, distill_output=10.0)
CPU = torch.device("cpu")


def job(kind="paired", share=0.4, steps=6, seed=0, cost="macs", width=16, recipe=RECIPE, task=None, **settings):
    task = task or task_named(kind)
    networks = networks_for(task, width=width)
    generators = {name: net.requires_grad_(False).eval() for name, net in networks.generators.items()}
    name = task.generator_names[-1]
    data = data_for(kind)
    example = torch.randn(1, 6) if kind == "unconditional" else torch.randn(1, 3, 8, 8)
    groups = find_groups(generators[name], example)
    target = Target(cost, share * groups.form.dense(cost))
    return PruneJob(
        generators[name], name, groups, proposal("coronet", target, **settings), target, seed,
        TrainingContext(task, data, generators, networks.discriminators, recipe, CPU, steps),
    )  # fmt: skip


def prune(given: PruneJob):
    return make_method("coronet").prune(given)


def costs(given: PruneJob, widths) -> float:
    return float(given.groups.form.predict(given.groups.form.widths(widths), given.target.cost)) / given.target.value


def snapshot(given: PruneJob):
    networks = [*given.training.generators.values(), given.training.discriminators]
    return [value.clone() for network in networks for value in network.state_dict().values()]


@pytest.mark.parametrize("init", ["teacher", "random"])
@pytest.mark.parametrize("kind", ["paired", "unpaired", "unconditional"])
def test_every_task_is_pruned_to_the_target_and_the_teacher_is_as_it_was(kind: str, init: str):
    """One unpaired direction of two, too: at or under the target, no further from it than one channel; the cut network
    has the parameters that were predicted, runs, and is finite; the teacher's networks have not changed."""
    given = job(kind, init=init)
    before = snapshot(given)
    pruned = prune(given)
    given.groups.check(pruned.plan)
    assert costs(given, pruned.plan.widths) <= 1
    for name, width in pruned.plan.widths.items():
        if width < given.groups.sizes[name]:
            assert costs(given, {**pruned.plan.widths, name: width + 1}) > 0.998
    predicted = given.groups.form.predict(given.groups.form.widths(pruned.plan.widths), "params")
    assert sum(p.numel() for p in pruned.model.parameters()) == predicted
    x = torch.randn(2, 6) if kind == "unconditional" else torch.randn(2, 3, 8, 8)
    assert torch.isfinite(pruned.model(x)).all()
    assert all(torch.equal(a, b) for a, b in zip(before, snapshot(given), strict=True))
    assert set(pruned.discriminators) == set(given.training.discriminators)


@pytest.mark.parametrize("share", [0.5, 0.15])
@pytest.mark.parametrize("cost", ["macs", "params"])
def test_the_thresholds_alone_come_within_ten_percent_of_two_targets(share: float, cost: str):
    """Before the last channels are chosen by magnitude; with them, within 1 % from below. No group has under 4."""
    torch.manual_seed(0)
    model = build("resnet", {"ngf": 16, "n_blocks": 2}).eval().requires_grad_(False)
    groups = find_groups(model, torch.empty(1, 3, 8, 8))
    target = Target(cost, share * groups.form.dense(cost))
    given = changed(job(embedding=2, steps=3), model=model, groups=groups, target=target, generators={"G": model})
    pruned = prune(given)
    own = pruned.record["cost_before_landing"]
    assert 0.9 <= own["ratio"] <= 1
    assert own["ratio"] == pytest.approx(costs(given, pruned.record["widths_before_landing"]))
    assert 0.99 <= costs(given, pruned.plan.widths) <= 1
    assert min(pruned.plan.widths.values()) >= 4
    assert pruned.record["floor"] == 4


def test_the_same_seed_gives_the_same_plan_and_weights_and_another_seed_others():
    first, again, other = prune(job(seed=1)), prune(job(seed=1)), prune(job(seed=2))
    assert first.plan == again.plan
    tensors = [list(pruned.model.state_dict().values()) for pruned in (first, again, other)]
    assert all(torch.equal(a, b) for a, b in zip(*tensors[:2], strict=True))
    assert not all(a.shape == b.shape and torch.equal(a, b) for a, b in zip(tensors[0], tensors[2], strict=True))


class Interrupted(Exception):
    pass


def test_an_interrupted_run_ends_bit_for_bit_as_an_uninterrupted_one(tmp_path, monkeypatch):
    """Stopped in the middle and started again in a new process's place: same plan, weights, record and judges."""
    monkeypatch.setattr("ganprune.gan_models.training.loop.checkpoint_cadence", lambda steps: 3)
    recipe = replace(RECIPE, d_steps=2)
    whole = prune(job(steps=8, recipe=recipe, schedule=1.0))
    given = changed(job(steps=8, recipe=recipe, schedule=1.0), workspace=tmp_path / "prune")
    own = CoronetPhase.step

    def stopping(self, step, batch_at):
        if step == 5:
            raise Interrupted
        return own(self, step, batch_at)

    monkeypatch.setattr(CoronetPhase, "step", stopping)
    with pytest.raises(Interrupted):
        prune(given)
    started = []
    monkeypatch.setattr(CoronetPhase, "step", lambda self, s, b: (started.append(s), own(self, s, b))[1])
    resumed = prune(changed(job(steps=8, recipe=recipe, schedule=1.0), workspace=tmp_path / "prune"))
    assert started[0] == 3
    assert resumed.plan == whole.plan
    for a, b in ((resumed.model, whole.model), (resumed.discriminators, whole.discriminators)):
        assert all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))
    keep = [{k: v for k, v in pruned.record.items() if k != "seconds"} for pruned in (resumed, whole)]
    assert keep[0] == keep[1]


def test_the_network_that_is_handed_over_is_the_one_that_trained():
    """With the threshold's own plan, the cut network gives what the gated, generated one gave; nothing is redrawn."""
    given = job(width=32, steps=5)
    target = with_floor(given.groups.form, given.target)
    phase = CoronetPhase(given, given.training, target, 5)
    first = {name: p.detach().clone() for name, p in phase.hypernetwork.named_parameters()}
    run_phase(phase, given, 5)
    trained = dict(phase.hypernetwork.named_parameters())
    changed = {name.rpartition(".")[2] for name, start in first.items() if not torch.equal(start, trained[name])}
    assert changed == {"latents", "B0", "W1", "B1", "W2", "B2"}
    masks = {name: gate.bool().numpy() for name, gate in phase.network.gates.items()}
    kept = {name: tuple(np.flatnonzero(mask).tolist()) for name, mask in masks.items()}
    plan = type(given.groups.full_plan())(kept)
    x = torch.randn(4, 3, 8, 8)
    with torch.no_grad():
        expected = phase.network.eval()(x)
        assert torch.allclose(phase.network.materialised(plan).eval()(x), expected, atol=1e-5)
    assert any(not mask.all() for mask in masks.values())


def test_latents_of_the_record_chose_the_plan_and_random_ones_are_further_from_the_teacher():
    """Kept channels are the strongest latents of each group; with those latents dealt out at random within each group
    the same widths give outputs further from what the trained network gave, for nearly every deal."""
    torch.manual_seed(0)
    given = job(width=32, steps=12, share=0.3)
    uneven = given.model  # a teacher with channels that matter and channels that do not, as trained ones have
    with torch.no_grad():
        for layer in (uneven.first, uneven.middle[2]):
            layer.weight.mul_(torch.logspace(-1.5, 0, layer.weight.shape[0])[torch.randperm(32)].reshape(-1, 1, 1, 1))
        uneven.norm.weight.copy_(uneven.first.weight.abs().sum((1, 2, 3)))
    target = with_floor(given.groups.form, given.target)
    phase = CoronetPhase(given, given.training, target, 12)
    run_phase(phase, given, 12)
    scores = phase.magnitudes()
    plan = plan_within_target(given.groups.form, scores, target)
    for name, kept in plan.kept.items():
        assert min(scores[name][list(kept)]) >= max(np.delete(scores[name], list(kept)), default=0)
    x = torch.randn(16, 3, 8, 8)
    with torch.no_grad():
        goal = given.model(x)
        distance = lambda chosen: float((phase.network.materialised(chosen).eval()(x) - goal).abs().mean())  # noqa: E731
        draw = np.random.default_rng(0)
        random = [
            distance(plan_within_target(given.groups.form, {n: draw.permutation(s) for n, s in scores.items()}, target))
            for _ in range(10)
        ]
        assert sum(value > distance(plan) for value in random) >= 9


def test_lambda_rises_and_falls_with_what_is_left_to_shrink():
    """Evenly by default; a high schedule shrinks mostly in the first steps; the cost ratio falls to 1 and stops."""
    records = {s: prune(job(width=32, steps=10, schedule=s, latent_lr=1.0)).record for s in (0.0, 3.0)}
    for record in records.values():
        ratios = [ratio for _, ratio in record["cost ratio"]]
        assert ratios[-1] <= 1 < ratios[0]
        assert len(record["lambda"]) == len(ratios)
    even, early = ([value for _, value in records[s]["lambda"]] for s in (0.0, 3.0))
    assert early[0] > 2.5 * even[0] > 0


def test_a_share_of_the_steps_is_left_for_fine_tuning():
    """Pruning ends when the target is reached, at the latest after its share; steps spent are said."""
    pruned = prune(changed(job(steps=10), settings=CoronetSettings(share=0.5)))
    assert 1 <= pruned.steps <= 5


def test_a_run_that_cannot_arrive_says_so_in_one_line(monkeypatch):
    """With lambda bounded too low the thresholds stay far above the target: the reason names steps and lambda."""
    monkeypatch.setattr(coronet, "MAX_LAMBDA", 0.1)
    with pytest.raises(RuntimeError, match=r"coronet did not reach .* in 3 steps.*more --prune-steps"):
        prune(job(steps=3))


def test_what_it_cannot_work_with_is_refused_before_any_step(monkeypatch):
    """No steps, no data, an impossible target, or too little memory: one line each."""
    with pytest.raises(ValueError, match="--prune-steps"):
        prune(job(steps=0))
    with pytest.raises(ValueError, match="expected a task, data, a device"):
        prune(changed(job(), training=None))
    with pytest.raises(InfeasibleBudget, match="the smallest plan"):
        prune(job(share=1e-4))
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1000)
    with pytest.raises(NotEnoughMemory, match=r"of .* parameters at embedding size 8 .*cpu: got 0.0 GB free"):
        prune(job())


def test_memory_is_compared_with_what_training_takes():
    """A number, its gradient and two moments in float32: a machine's own free memory is asked for in bytes."""
    free = memory.free_bytes(CPU)
    assert free is not None
    check_memory(HypernetworkSize(free // 32, 1, 1, 8), CPU)
    with pytest.raises(NotEnoughMemory):
        check_memory(HypernetworkSize(free // 8, 1, 1, 8), CPU)


def test_the_published_form_can_be_had():
    """Random start, no gates: nothing leaves the forward pass before the cut, and the target is met all the same."""
    given = job(init="random", gated=False, width=32)
    target = with_floor(given.groups.form, given.target)
    phase = CoronetPhase(given, given.training, target, 4)
    run_phase(phase, given, 4)
    assert all(gate.all() for gate in phase.network.gates.values())
    assert phase.cost() <= given.target.value
    assert not torch.equal(phase.network.network.first.weight, given.model.first.weight)
