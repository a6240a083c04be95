"""The contract of every pruning method that trains: whatever it does, this holds."""

from dataclasses import replace
from itertools import count

import pytest
import torch
from ganprune.gan_models.costs.combined_budgets import BindingCost, Bound
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.plan_scores.zero_shot import zero_shot
from ganprune.gan_models.pruning.catalog import METHODS, make_method
from ganprune.gan_models.pruning.method import PruneJob, Target, TrainingContext
from ganprune.gan_models.reconstruction.calibration import Calibration
from ganprune.gan_models.training.compute import RunCompute
from ganprune.gan_models.training.recipe import Recipe

from ..training.small import task_named
from .jobs import changed, proposal

TRAINED = sorted(name for name, spec in METHODS.items() if spec.trains)


def job(method: str, share: float = 0.35, seed: int = 0) -> PruneJob:
    torch.manual_seed(0)
    model = build("resnet", {"ngf": 12, "n_blocks": 1}).eval().requires_grad_(False)
    groups = find_groups(model, torch.empty(1, 3, 16, 16))
    task = task_named("paired")
    data = [{key: torch.rand(3, 16, 16) * 2 - 1 for key in ("input", "target")} for _ in range(12)]
    target = Target("macs", share * groups.form.dense())
    return PruneJob(
        model, "G", groups, proposal(method, target), target, seed,
        TrainingContext(
            task, data, {"G": model}, task.make_discriminators(0), Recipe(batch_size=2, lr=1e-3, distill_output=10.0),
            torch.device("cpu"), 3, encoder=lambda images: torch.nn.functional.adaptive_avg_pool2d(images, 4).flatten(1),
        ),
    )  # fmt: skip


@pytest.mark.parametrize("method", TRAINED)
def test_trained_methods_land_on_the_target_and_repeat_themselves(method: str):
    """Even in three steps the plan costs at most the target and at least 97 % of it; the cut network has what was
    predicted and can be trained; the cost before landing is recorded; the teacher is untouched; the same seed gives
    the same plan and weights."""
    given = job(method)
    networks = (given.model, given.training.discriminators)
    before = [value.clone() for network in networks for value in network.state_dict().values()]
    pruned = make_method(method).prune(given)
    given.groups.check(pruned.plan)
    widths = given.groups.form.widths(pruned.plan.widths)
    assert 0.97 * given.target.value <= given.groups.form.predict(widths) <= given.target.value
    assert sum(p.numel() for p in pruned.model.parameters()) == given.groups.form.predict(widths, "params")
    assert 1 <= pruned.steps <= given.training.steps
    own = pruned.record["cost_before_landing"]
    assert own["ratio"] == pytest.approx(own["value"] / given.target.value)
    after = [value for network in networks for value in network.state_dict().values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    again = make_method(method).prune(job(method))
    assert again.plan == pruned.plan
    mine, theirs = pruned.model.state_dict(), again.model.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize("method", TRAINED)
def test_trained_methods_meet_a_second_budget_too(method: str):
    """With parameters bound to less than the target leaves, the plan reaches that bound from below instead."""
    given = job(method)
    form, limit = given.groups.form, 0.15 * given.groups.form.dense("params")
    model = BindingCost(form, given.target.value, (Bound("params", limit, form),))
    pruned = make_method(method).prune(replace(given, target=replace(given.target, model=model)))
    widths = form.widths(pruned.plan.widths)
    assert form.predict(widths) < 0.97 * given.target.value
    assert 0.97 * limit <= form.predict(widths, "params") <= limit


@pytest.mark.parametrize("method", TRAINED)
def test_compute_of_trained_methods_is_that_of_each_step_counted_by_itself(method: str, monkeypatch):
    """Passes that not every step makes (a teacher whose images are kept, a manifold) are charged where they are."""
    once = make_method(method).prune(job(method)).training_macs
    numbers, step = count(), RunCompute.step
    monkeypatch.setattr(RunCompute, "step", lambda self, kind: step(self, next(numbers)))
    assert make_method(method).prune(job(method)).training_macs == once > 0


@pytest.mark.parametrize("method", TRAINED)
def test_a_restart_is_the_teacher_cut_to_the_methods_plan_and_refitted(method: str):
    """`always` continues with that network and records both errors; without inputs it is refused before training."""
    given = job(method)
    always = replace(given.proposal.settings, restart="always")
    with pytest.raises(UserError, match=f"{method}.restart=always needs inputs for a refit: got no calibration images"):
        make_method(method).prune(changed(given, settings=always))
    calibration = Calibration(lambda: (torch.stack([entry["input"] for entry in given.training.data]),), 0)
    pruned = make_method(method).prune(changed(given, settings=always, calibration=calibration))
    other = zero_shot(given.model, given.groups, pruned.plan, calibration)
    mine, theirs = pruned.model.state_dict(), other.model.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert pruned.reconstructions["G"].layers == other.reconstruction.layers
    said = pruned.record["restart"]
    assert said["restarted"]
    assert said["refitted_error"] == pytest.approx(other.error, rel=1e-3)
    assert pruned.calibration_macs > 0


@pytest.mark.parametrize("method", TRAINED)
def test_the_ranking_of_channels_is_a_setting_and_its_passes_are_charged(method: str):
    """`schur` gives another plan than `l1`, counts its passes, and is refused without inputs; `l1` makes no pass."""
    given = job(method)
    calibration = Calibration(lambda: (torch.stack([entry["input"] for entry in given.training.data]),), 0)
    found = {}
    for ranking in ("l1", "schur"):
        settings = replace(given.proposal.settings, ranking=ranking, restart="never")
        found[ranking] = make_method(method).prune(changed(given, settings=settings, calibration=calibration))
    assert found["l1"].plan != found["schur"].plan
    assert found["l1"].calibration_macs == 0
    assert found["schur"].calibration_macs > 0
    with pytest.raises(UserError, match="ranking schur needs inputs"):
        make_method(method).prune(changed(given, settings=settings))


@pytest.mark.parametrize("method", TRAINED)
def test_trained_methods_without_steps_or_anything_to_train_with_say_what_to_give(method: str):
    with pytest.raises(ValueError, match="--prune-steps"):
        make_method(method).prune(changed(job(method), steps=0))
    with pytest.raises(UserError, match=f"{method} trains before it cuts: got no training context"):
        make_method(method).prune(changed(job(method), training=None))
