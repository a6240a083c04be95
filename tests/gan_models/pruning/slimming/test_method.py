"""GAN Slimming as a method: its objective, its contract on every task, interruptions, quantization, and the record."""

from dataclasses import replace

import pytest
import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.pruning.catalog import make_method
from ganprune.gan_models.pruning.method import Target
from ganprune.gan_models.pruning.slimming.method import SlimmingPhase, gan_loss, objective
from ganprune.gan_models.pruning.slimming.teacher_images import TeacherImages
from ganprune.gan_models.quantization.settings import QuantSettings
from torch import nn

from ..jobs import changed
from .slimming_jobs import Maps, job_for


def states(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_without_a_discriminator_the_loss_of_the_task_takes_its_place():
    """Adversarial terms are summed if there are any; a task without them has its own terms summed."""
    terms = {"l1": torch.tensor(1.0), "perceptual": torch.tensor(2.0)}
    assert float(gan_loss(terms)) == 3.0
    assert float(gan_loss({**terms, "AtoB.adversarial": torch.tensor(4.0), "adversarial": torch.tensor(5.0)})) == 9.0


def test_both_published_weights_of_the_distillation_can_be_had_and_it_can_be_switched_off():
    """20 L_dist + L_GAN since November 2020, L_dist + 0.001 L_GAN before, L_GAN alone for the ablation."""
    distance, adversarial = torch.tensor(2.0), torch.tensor(3.0)
    values = {name: float(objective(name, distance, adversarial)) for name in ("20dist+gan", "dist+0.001gan", "gan")}
    assert values == pytest.approx({"20dist+gan": 43.0, "dist+0.001gan": 2.003, "gan": 3.0})


@pytest.mark.parametrize("task", ["paired", "unpaired", "unconditional"])
def test_every_task_meets_the_target_from_below_and_leaves_the_teacher_alone(task):
    """The plan costs 97 to 100 % of the target; the method's own plan is within 10 %; discriminators are all there."""
    job = job_for(task, maps=Maps())
    before = {
        name: states(model) for name, model in (*job.training.generators.items(), ("D", job.training.discriminators))
    }
    pruned = make_method("slimming").prune(job)
    form = job.groups.form
    cost = float(form.predict(form.widths(pruned.plan.widths)))
    assert 0.97 * job.target.value <= cost <= job.target.value
    assert sum(p.numel() for p in pruned.model.parameters()) == form.predict(form.widths(pruned.plan.widths), "params")
    for name, model in (*job.training.generators.items(), ("D", job.training.discriminators)):
        assert equal(before[name], states(model)), name
    assert abs(pruned.record["cost_before_landing"]["ratio"] - 1) <= 0.1
    assert len(pruned.record["rho"]) == pruned.steps == job.training.steps
    assert all(rho >= 0 for _, rho in pruned.record["rho"])
    assert pruned.record["encoder"] == "halves"
    assert set(pruned.discriminators) == set(job.training.discriminators)
    trained, given = pruned.discriminators[job.name].state_dict(), job.training.discriminators[job.name].state_dict()
    assert not equal(trained, given)
    x = torch.randn(2, 128) if task == "unconditional" else torch.randn(2, 3, 32, 32)
    assert torch.isfinite(pruned.model(x)).all()


def test_the_same_seed_gives_the_same_plan_and_weights_and_another_seed_other_ones():
    """Everything that is drawn comes from the job's seed."""
    first, again, other = (make_method("slimming").prune(job_for("paired", seed=seed)) for seed in (3, 3, 4))
    assert first.plan == again.plan
    assert equal(first.model.state_dict(), again.model.state_dict())
    assert first.plan != other.plan or not equal(first.model.state_dict(), other.model.state_dict())


@pytest.mark.parametrize("task", ["paired", "unconditional"])
def test_an_interrupted_slimming_ends_bit_for_bit_as_an_uninterrupted_one(task, tmp_path, monkeypatch):
    """Weights, scales, momentum, movement and every optimizer are in the checkpoint."""
    monkeypatch.setattr("ganprune.gan_models.training.loop.checkpoint_cadence", lambda steps: 3)  # often
    job = job_for(task, steps=30)
    whole = make_method("slimming").prune(job)
    kept, step = changed(job, workspace=tmp_path / "prune"), SlimmingPhase.step

    def stopping(self, number, batch_at):
        if number == 13:
            raise KeyboardInterrupt
        return step(self, number, batch_at)

    monkeypatch.setattr(SlimmingPhase, "step", stopping)
    with pytest.raises(KeyboardInterrupt):
        make_method("slimming").prune(kept)
    monkeypatch.setattr(SlimmingPhase, "step", step)
    resumed = make_method("slimming").prune(kept)
    assert resumed.plan == whole.plan
    assert equal(resumed.model.state_dict(), whole.model.state_dict())
    assert equal(resumed.discriminators.state_dict(), whole.discriminators.state_dict())
    assert resumed.record["rho"] == whole.record["rho"]


def test_the_discriminator_takes_the_teachers_images_for_real(monkeypatch):
    """D sees as real what the teacher makes of the same inputs, whatever the data's targets are."""
    job, seen = job_for("paired", steps=1), []
    phase = SlimmingPhase(job, job.training, job.target, job.training.steps)
    loss = phase._task.discriminator_loss

    def spying(outputs, judges, batch):
        seen.append((batch["input"], batch["target"]))
        return loss(outputs, judges, batch)

    monkeypatch.setattr(phase._task, "discriminator_loss", spying)
    phase.step(
        0,
        lambda: {
            key: torch.stack([job.training.data[0][key], job.training.data[1][key]]) for key in ("input", "target")
        },
    )
    ((inputs, reals),) = seen
    assert torch.allclose(reals, job.model(inputs), atol=1e-5)
    assert not torch.allclose(
        reals, torch.stack([job.training.data[0]["target"], job.training.data[1]["target"]]), atol=0.1
    )


def test_without_any_step_it_is_refused_with_the_cure():
    """Slimming learns its scales by training."""
    with pytest.raises(ValueError, match="--prune-steps"):
        make_method("slimming").prune(job_for("paired", steps=0))


def test_the_published_distance_is_refused_without_an_encoder():
    """`perceptual` is nothing without maps; the default falls back to pixels and the record says so."""
    with pytest.raises(ValueError, match="without an encoder"):
        make_method("slimming").prune(job_for("paired", distance="perceptual"))
    assert make_method("slimming").prune(job_for("paired", steps=1)).record["encoder"] is None


def test_the_published_form_keeps_its_scales_in_the_norms():
    """BatchNorm weights are the scales where a group has a norm of its own; the rest stay on the consumers."""
    job = job_for("unconditional", form="published", steps=4)
    pruned = make_method("slimming").prune(job)
    blocks = [size for name, size in job.groups.sizes.items() if name.endswith("conv1")]
    assert len(blocks) == 3
    assert pruned.record["scales"] == {**pruned.record["scales"], "all": 7 * 16, "in norms": sum(blocks)}
    assert pruned.record["objective"]["form"] == "published"


@pytest.mark.parametrize(
    ("order", "form", "levels"),
    [("joint", "led", True), ("sequential", "led", False), ("auto", "led", False), ("auto", "published", True)],
)
def test_weights_are_quantized_in_training_where_all_is_done_at_once(order, form, levels):
    """8 bits: the student runs on the quantizer's grid and learns through it; one after the other, which is our form's
    default and not the published one's, it runs in float."""
    settings = QuantSettings()
    job = changed(job_for("paired", steps=3, order=order, form=form), quantized=settings)
    phase, seen = SlimmingPhase(job, job.training, job.target, job.training.steps), []
    last = [module for module in phase._model.modules() if isinstance(module, nn.Conv2d)][-1]
    last.register_forward_hook(lambda module, inputs, output: seen.append((module.weight, inputs[0])))
    batch = {key: torch.stack([job.training.data[0][key], job.training.data[1][key]]) for key in ("input", "target")}
    before = states(phase._model)
    phase.step(0, lambda: batch)
    assert seen
    steps = seen[0][0] / (seen[0][0].abs().max() / settings.weight_steps)
    assert bool((steps - steps.round()).abs().max() < 1e-3) == levels
    assert phase.scales.grad is not None
    assert float(phase.scales.grad.abs().max()) > 0
    assert any(not torch.equal(before[name], value) for name, value in phase._model.state_dict().items())
    pruned = make_method("slimming").prune(job)
    assert pruned.quantized == settings
    assert pruned.record["objective"]["order"] == ("joint" if levels else "sequential")


def test_teacher_images_are_computed_once_and_kept_within_a_limit():
    """The same image costs one pass; beyond the limit the oldest goes; latents are not kept."""
    teacher = nn.Conv2d(3, 3, 1)
    x = torch.randn(3, 3, 4, 4)
    kept = TeacherImages(teacher, limit_bytes=3 * 192)
    assert torch.equal(kept(x), kept(x))
    assert kept.computed == 3
    kept(torch.cat([x[:1], torch.randn(1, 3, 4, 4)]))
    assert kept.computed == 4
    kept(x[:1])  # was the oldest
    assert kept.computed == 5
    latents = TeacherImages(nn.Linear(4, 2))
    latents(torch.ones(2, 4))
    latents(torch.ones(2, 4))
    assert latents.computed == 4


class Hooked(nn.Module):
    """A generator with the older spectral norm: its hook leaves a computed weight, which is no leaf, on the module."""

    def __init__(self):
        super().__init__()
        self.first = nn.utils.spectral_norm(nn.Conv2d(3, 8, 3, padding=1))
        self.second = nn.utils.spectral_norm(nn.Conv2d(8, 8, 3, padding=1))
        self.norm, self.last = nn.BatchNorm2d(8), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x):
        return torch.tanh(self.last(torch.relu(self.norm(self.second(torch.relu(self.first(x)))))))


@pytest.mark.parametrize("form", ["led", "published"])
def test_a_network_with_the_older_spectral_norm_is_slimmed(form):
    """Its computed weights have a history, which a plain deep copy refuses; the plan meets the target all the same."""
    job = job_for("paired")
    torch.manual_seed(0)
    model = Hooked().eval()
    model(torch.zeros(1, 3, 16, 16))  # leaves weights with a history
    groups = find_groups(model, torch.empty(1, 3, 16, 16))
    job = changed(
        job,
        model=model,
        groups=groups,
        generators=job.training.generators | {job.name: model},
        target=Target("macs", 0.6 * groups.form.dense()),
        settings=replace(job.proposal.settings, form=form),
        steps=3,
    )
    pruned = make_method("slimming").prune(job)
    assert float(groups.form.predict(groups.form.widths(pruned.plan.widths))) <= job.target.value
    assert torch.isfinite(pruned.model(torch.zeros(2, 3, 16, 16))).all()
