"""Measurements of a trial besides its quality: health, memory, what no count holds; and which images it is measured on."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from ganprune.evaluators.cost.activation_memory import peak_activation_bytes
from ganprune.evaluators.features.encoders import NonFiniteImages
from ganprune.evaluators.health.collapse import HealthLimits
from ganprune.gan_models.checkpoints.checkpoint import load_weights
from ganprune.gan_models.files.user_code import load_object
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.config import StudyConfig
from ganprune.search.execution.executor import perform
from ganprune.search.preparations.eval_images import RealImages
from ganprune.search.preparations.opened_study import open_study
from ganprune.search.preparations.prepare import make_teacher
from ganprune.search.records.messages import TrialRequest
from ganprune.search.setup.pruned_generators import examples
from ganprune.search.trial import cut_check, measuring, trial
from ganprune.search.trial.collapse_monitor import HealthWatch
from PIL import Image

from ...fakes.features import features_of
from ...tiny_study import SMALL, new_folder, opened


@cache
def prepared(**changes):
    """A study, and what is prepared of it."""
    plan = opened(StudyConfig(name="m", **{**SMALL, "finetune_steps": 6, "rungs": (0.5,), **changes}))
    make_teacher(plan, new_folder())
    return plan, plan.prepared


def request(plan, made, workspace=None, share=0.5):
    study = plan.resolved
    target = share * study.dense[study.cost]
    return TrialRequest(
        0, 1, Proposal("uniform", {}, target, study.cost, plan.proposals().widths.uniform(target)), 7,
        str(workspace or new_folder()), study, made,
    )  # fmt: skip


def test_a_task_may_show_its_discriminator_more_than_outputs():
    """Health is read from real images and outputs alone, though the task stylize shows smoothed drawings, too."""
    plan, made = prepared(task="stylize", data="builtin:stripes")
    result = perform("ganprune.search.trial.trial:run", request(plan, made), lambda report: True)
    assert result.state == "COMPLETE"
    assert len(result.health) >= 1


def test_a_collapsed_training_ends_with_its_reason():
    """Below the limit on diversity a trial is PRUNED at its first look, says why, and is never COMPLETE."""
    plan, made = prepared(health=HealthLimits(checks=2, start=0.0, least_steps=0, diversity=1.0))
    result = perform("ganprune.search.trial.trial:run", request(plan, made), lambda report: True)
    assert result.state == "PRUNED"
    entry = result.health[-1]
    ratio = entry.diversity / entry.teacher_diversity
    assert ratio < 1
    assert result.stopped == f"collapsed at step 2: diversity {ratio:.2g} of teacher"
    assert result.quality is None
    assert result.rungs == {}


def test_nothing_is_ended_before_the_start():
    """Before `start` health is recorded only; a rung is a look too, and the last step is none."""
    plan, made = prepared(health=HealthLimits(checks=2, start=0.6, least_steps=0, diversity=1.0))
    result = trial.run(request(plan, made), lambda report: True)
    assert [entry.step for entry in result.health] == [2, 3, 4]
    assert result.stopped is not None
    assert result.stopped.startswith("collapsed at step 4")
    assert list(result.rungs) == [3]


def test_looking_changes_nothing():
    """Watched closely or not at all, a trial ends with the same weights, bit for bit, and the same quality."""
    ends = []
    for checks in (0, 4):
        plan, made = prepared(health=HealthLimits(checks=checks, diversity=0, duplicates=1))
        workspace = new_folder()
        result = trial.run(request(plan, made, workspace), lambda report: True)
        assert result.state == "COMPLETE"
        assert bool(result.health) == bool(checks)
        ends.append((load_weights(workspace / measuring.WEIGHTS), result.quality))
    (one, quality), (other, same_quality) = ends
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert quality == same_quality


def test_the_record_and_the_reason_outlive_an_interruption():
    """A watch made again reads what the first one wrote; looking at a step again replaces its entry."""
    plan, made = prepared()
    bench = open_study(plan.resolved, made)
    folder = new_folder()

    def watch():
        return HealthWatch(bench, HealthLimits(diversity=1.0), folder, first=0)

    black = {name: lambda x: torch.zeros_like(x) for name in bench.names}
    judges = dict(bench.discriminators.items())
    first = watch()
    assert first.look(3, bench.generators, judges) is None
    assert first.look(5, black, judges) == "collapsed at step 5: diversity 0 of teacher"
    again = watch()
    assert again.entries == first.entries
    assert again.reason == first.reason
    again.look(5, bench.generators, judges)
    assert [entry.step for entry in again.entries] == [3, 5]
    assert again.reason is None
    assert again.entries[0].of_teacher == pytest.approx(1)
    with pytest.raises(NonFiniteImages, match="step 6"):
        again.look(6, {name: lambda x: x * float("nan") for name in bench.names}, judges)


@pytest.mark.parametrize(
    "task",
    [
        {},
        {"data": "builtin:stripes", "task_settings": {"discriminator": SMALL["task_settings"]["discriminator"]}},
        {
            "task": "unconditional", "model": "sngan_32", "model_args": {"ngf": 8}, "image_size": 32,
            "task_settings": {"discriminator": {"model": "sngan", "ndf": 4}},
        },
    ],
    ids=["paired", "unpaired", "unconditional"],
)  # fmt: skip
def test_every_task_can_be_looked_at(task):
    """The discriminator's scores of real and generated images are told apart in every task, and the teacher is at 1."""
    plan, made = prepared.__wrapped__(**task)
    bench = open_study(plan.resolved, made)
    watch = HealthWatch(bench, HealthLimits(), new_folder(), first=0)

    class Seeing(torch.nn.Module):
        """Says "real" of pictures with something on them; an input beside them comes first and is not looked at."""

        def forward(self, x):
            drawn = x[:, -3:].flatten(1).std(1) > 0.01
            return torch.where(drawn, 5.0, -5.0)[:, None]

    gray = {name: lambda x, model=model: 0 * model(x) for name, model in bench.generators.items()}
    judges = {name: Seeing() for name in bench.discriminators}
    assert "diversity 0 of teacher" in (watch.look(1, gray, judges) or "")
    assert {(e.real_accuracy, e.generated_accuracy, e.of_teacher) for e in watch.entries} == {(1.0, 1.0, 0.0)}
    watch.look(1, bench.generators, judges)
    for entry in watch.entries:
        assert (entry.real_accuracy, entry.generated_accuracy) == (1.0, 0.0)
        assert entry.of_teacher == pytest.approx(1)


def test_memory_and_uncounted_operators_are_on_record():
    """A trial says its peak activation memory, smaller than the dense network's, and what no count holds."""
    plan, made = prepared()
    result = trial.run(request(plan, made, share=0.3), lambda report: True)
    peak = next(m for m in result.measurements if m.name == "peak_activation_bytes")
    bench = open_study(plan.resolved, made)
    dense = peak_activation_bytes(bench.joined(bench.generators), examples(plan.config))
    assert 0 < peak.value < dense
    assert peak.unit == "bytes"
    cost = result.cost_check
    assert cost.counters_agree is True
    assert {"reflection_pad2d", "tanh"} <= set(cost.uncounted)
    assert not {"convolution"} & set(cost.uncounted)


@pytest.mark.parametrize("name", ["macs", "macs_published", "params", "bytes"])
def test_a_cost_that_is_not_what_was_predicted_fails_the_trial_by_name(name, monkeypatch):
    """One operation or parameter off in the independent count, and the trial is FAIL with both numbers."""
    plan, made = prepared()
    true_count = cut_check.count_cost
    monkeypatch.setattr(
        cut_check, "count_cost", lambda *given: replace(cost := true_count(*given), **{name: getattr(cost, name) + 1})
    )
    result = perform("ganprune.search.trial.trial:run", request(plan, made), lambda report: True)
    assert result.state == "FAIL"
    assert f"predicted {name} " in str(result.stopped)


def images_in(folder, counts, seed=0):
    """Folders of 20-pixel images: name -> how many."""
    rng = np.random.default_rng(seed)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(folder / name / f"{i:03d}.png")
    return folder


def test_protocols_differ_in_their_real_images_alone():
    """The name is in every measurement; real images are test, training, or both, and only test ones are paired."""
    found = {}
    for protocol in ("test-vs-test", "test-vs-train+test", "test-vs-train"):
        plan, made = prepared(protocol=protocol, n_train=14)
        bench = open_study(plan.resolved, made)
        measured = {m.name: m for m in bench.measure(bench.joined(bench.generators), full=True)}
        assert all(m.protocol.startswith(f"{protocol}; ") for m in measured.values())
        found[protocol] = measured["fd[shapes,n=8]"].protocol.split("; ")[1], measured["feature_distance[shapes]"].value
    assert {name: n for name, (n, _) in found.items()} == {
        "test-vs-test": "n_real=8",
        "test-vs-train+test": "n_real=22",
        "test-vs-train": "n_real=14",
    }
    distances = [distance for _, distance in found.values()]
    assert distances == pytest.approx([distances[0]] * 3, rel=1e-5)
    with pytest.raises(ValueError, match=r"use test-vs-test, test-vs-train\+test, test-vs-train"):
        StudyConfig(name="m", **SMALL, protocol="train")


def test_unpaired_images_are_measured_once_each(tmp_path):
    """If A and B differ in number, no image of the smaller domain is generated from, or compared with, twice."""
    data = images_in(tmp_path / "data", {"trainA": 4, "trainB": 9, "testA": 5, "testB": 7})
    plan, made = prepared.__wrapped__(
        data=str(data),
        prune_network="AtoB",
        protocol="test-vs-train+test",
        task_settings={"discriminator": SMALL["task_settings"]["discriminator"]},
    )
    bench = open_study(plan.resolved, made)
    quality = bench.measure(bench.joined(bench.generators), full=False)[0]
    assert quality.name == "fd[shapes,n=5]"
    assert "n_real=16" in quality.protocol
    spec = plan.config.data_spec(plan.resolved.output)
    images = torch.cat(list(RealImages(spec, "BtoA", "test-vs-train+test").batches()))
    assert len(images) == 9
    assert len(torch.unique(images, dim=0)) == 9
    whole = features_of(RealImages(spec, "AtoB", "test-vs-train+test").batches(), bench.encoder)
    assert torch.equal(whole, bench.quality.real_features["AtoB"])


EDGES = """
from ganprune.evaluators.quality.reference_based import MeanOverImages


class EdgeError(MeanOverImages):
    name, better = "edge_error", "lower"
    opened = []

    def prepare(self, real):
        self.opened.append(sum(len(images) for images in real.images()))

    def values(self, outputs, references):
        return (outputs.diff(dim=-1) - references.diff(dim=-1)).abs().flatten(1).mean(1)
"""


def test_what_a_study_asks_for_is_measured_of_teacher_and_trials(tmp_path):
    """A metric of one's own is in every record, is given the real images, and changes nothing else."""
    (tmp_path / "edges.py").write_text(EDGES)
    plan, made = prepared(also_measure=(f"{tmp_path / 'edges.py'}:EdgeError",))
    plain, plain_made = prepared()
    teacher, plain_teacher = (make_teacher(study, Path(study.prepared.folder)) for study in (plan, plain))
    assert [m.name for m in teacher.measurements][-1] == "edge_error"
    assert teacher.measurements[:-1] == plain_teacher.measurements
    results = [trial.run(request(p, m), lambda report: True) for p, m in ((plan, made), (plain, plain_made))]
    assert results[0].quality == results[1].quality
    assert any("edge_error" in str(m) for m in results[0].measurements)
    assert not any("edge_error" in str(m) for m in results[1].measurements)
    metric = load_object(plan.resolved.config.also_measure[0], "metric")
    assert set(metric.opened) == {8}


def test_compute_is_that_of_fine_tuning_and_of_every_calibration():
    """A uniform trial takes fine-tuning, one pass to rank channels, its refit, and in 8 bits the passes for ranges."""
    plan, made = prepared(calibration_images=8)
    asked = request(plan, made)
    done = trial.run(asked, lambda report: True)
    dense = int(plan.groups.form.dense())
    (refit,) = done.reconstructions.values()
    assert done.compute.prune == 0
    assert done.compute.calibration == 8 * dense + dense + refit.macs
    per_image = 3 * done.cost + dense  # the distillation's teacher has no backward pass
    judges = done.compute.finetune - 6 * 2 * per_image
    assert judges > 0
    assert judges % (6 * 2 * 9) == 0  # once in the generator's step, twice in its own, each forward and backward
    assert done.compute_macs == done.compute.calibration + done.compute.finetune
    asked = replace(asked, workspace=str(new_folder()), proposal=replace(asked.proposal, bits=8))
    small = trial.run(asked, lambda report: True)
    assert small.compute.calibration == done.compute.calibration + 8 * 2 * done.cost
