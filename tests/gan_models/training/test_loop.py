"""The loop: resume, rungs, divergence, schedules."""

import dataclasses
import json
import pickle

import pytest
import torch
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.training.loop import Recipe, TrainingDiverged, best_device, train
from torch import nn

from .small import Translator, data_for, networks_for, same, task_named, teachers_for, weights

RECIPE = Recipe(batch_size=3, lr=2e-3)


def test_the_seed_decides():
    """Another seed gives other weights from the same start."""
    data, results = data_for("paired"), []
    for seed in (0, 0, 1):
        task = task_named("paired")
        networks = networks_for(task)
        train(task, networks, data, RECIPE, steps=3, seed=seed)
        results.append(weights(networks))
    assert same(results[0], results[1])
    assert not same(results[0], results[2])


def test_rungs_are_called_in_eval_mode_and_leave_no_trace():
    """A rung that draws random numbers, and the caller's own random state, change nothing."""
    data, seen, results = data_for("paired"), [], []

    def on_rung(step, generators):
        seen.append((step, generators["G"].training))
        torch.rand(17)
        return True

    for callback in (None, on_rung):
        task = task_named("paired")
        networks = networks_for(task)
        torch.manual_seed(4)
        before = torch.get_rng_state()
        train(task, networks, data, RECIPE, steps=6, seed=0, rungs=(2, 6), on_rung=callback)
        assert torch.equal(before, torch.get_rng_state())
        results.append(weights(networks))
    assert seen == [(2, False), (6, False)]
    assert same(*results)


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_step():
    """NaN in the data at one step raises TrainingDiverged with that step; the error survives pickling."""
    data = data_for("paired", count=12)
    data[5]["target"][0, 0, 0] = float("nan")
    seen = []
    task = task_named("paired")
    with pytest.raises(TrainingDiverged) as caught:
        train(task, networks_for(task), data, RECIPE, steps=8, seed=0, on_step=lambda step, _: seen.append(step))
    assert caught.value.step == len(seen) + 1 <= 4
    assert pickle.loads(pickle.dumps(caught.value)).step == caught.value.step


def test_frozen_generators_stay_while_discriminators_learn():
    """With generators that need no gradient, training warms up the discriminators alone."""
    task = task_named("paired")
    networks = networks_for(task)
    networks.generators.requires_grad_(False)
    before = weights(networks)
    losses = []
    train(
        task,
        networks,
        data_for("paired"),
        RECIPE,
        steps=30,
        seed=0,
        on_step=lambda _, terms: losses.append(terms["discriminator"]),
    )
    after = weights(networks)
    assert all(torch.equal(before[key], after[key]) for key in before if key.startswith("generators"))
    assert any(not torch.equal(before[key], after[key]) for key in before if key.startswith("discriminators"))
    assert sum(losses[-5:]) < sum(losses[:5])


@pytest.mark.parametrize("distil", [False, True])
def test_training_learns(distil):
    """A small translator learns to invert images; with a perfect teacher it comes near the teacher."""

    class Inverter(nn.Module):
        def forward(self, x):
            return -x

    data = [{"input": item["input"], "target": -item["input"]} for item in data_for("paired", count=20)]
    if distil:  # the target is noise then: only the teacher knows
        data = [{"input": a["input"], "target": b["target"]} for a, b in zip(data, data_for("paired", 20), strict=True)]
    task = task_named("paired", weight_l1=0.0 if distil else 100.0)
    networks = networks_for(task)
    networks.generators["G"] = Translator(8)
    networks.generators["G"].middle[1] = nn.Identity()
    x = torch.stack([item["input"] for item in data])
    before = float((networks.generators["G"].eval()(x) + x).detach().abs().mean())
    recipe = Recipe(batch_size=5, lr=1e-2, distill_output=100.0 if distil else 0.0)
    train(task, networks, data, recipe, steps=80, seed=0, teacher={"G": Inverter()} if distil else None)
    assert not networks.generators["G"].training
    assert float((networks.generators["G"](x) + x).detach().abs().mean()) < 0.5 * before


def test_wrong_calls_say_what_is_allowed():
    """No steps, rungs outside, no teacher for distillation, one direction without a teacher, a missing network."""
    task, data = task_named("paired"), data_for("paired")
    nets = networks_for(task)
    alone = task_named("unpaired", directions=["AtoB"])
    distilling = dataclasses.replace(RECIPE, distill_output=1.0)
    cases = [
        (ValueError, "steps=0", lambda: train(task, nets, data, RECIPE, steps=0, seed=0)),
        (ValueError, "1 to 3", lambda: train(task, nets, data, RECIPE, steps=3, seed=0, rungs=(4,))),
        (ValueError, "without a teacher", lambda: train(task, nets, data, distilling, steps=3, seed=0)),
        (
            ValueError,
            "teachers are missing: .*expected G",
            lambda: train(task, nets, data, distilling, steps=3, seed=0, teacher={"X": Translator()}),
        ),
        (
            ValueError,
            "one direction",
            lambda: train(alone, networks_for(alone), data_for("unpaired"), RECIPE, steps=3, seed=0),
        ),
        (KeyError, "AtoB", lambda: train(task_named("unpaired"), nets, data_for("unpaired"), RECIPE, steps=3, seed=0)),
    ]
    for kind, message, act in cases:
        with pytest.raises(kind, match=message):
            act()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"batch_size": 0}, "batch_size=0"),
        ({"lr": -1.0}, "lr=-1.0"),
        ({"lr": 0}, "learning rate of 0"),
        ({"lr": float("nan")}, "lr=nan"),
        ({"betas": (0.5, 1.0)}, "betas"),
        ({"decay": 1.5}, "decay=1.5"),
        ({"amp": "fp8"}, "off, bf16, fp16"),
        ({"reconstruct_first": -0.1}, r"reconstruct_first=-0\.1"),
        ({"distill_terms": {"ssim": -1.0}}, r"distill_terms\.ssim=-1\.0"),
        ({"distill_terms": {"output": 1.0}}, "Try distill_output"),
    ],
)
def test_a_wrong_recipe_says_what_is_allowed(fields, message):
    """Each field is checked when the recipe is made."""
    with pytest.raises(ValueError, match=message):
        Recipe(**fields)


def test_the_recipe_survives_json_and_decays_to_nearly_zero():
    """JSON both ways; the rate is 1, then falls linearly over the last half to one part of it."""
    recipe = Recipe(batch_size=2, betas=(0.0, 0.9), d_steps=5)
    assert from_json(Recipe, json.loads(json.dumps(to_json(recipe)))) == recipe
    rates = [recipe.rate(step, 100) for step in range(100)]
    assert rates[:51] == [1.0] * 51
    assert rates[75] == pytest.approx(0.5)
    assert rates[99] == pytest.approx(0.02)
    assert dataclasses.replace(recipe, decay=0.0).rate(99, 100) == 1.0


def test_the_first_steps_have_no_adversarial_term():
    """Generators follow references and teachers alone there; discriminators learn from the first step on."""
    seen = []
    for name, settings in (("paired", {}), ("unpaired", {"directions": ["AtoB"]})):
        task = task_named(name, **settings)
        recipe = dataclasses.replace(RECIPE, distill_output=1.0, reconstruct_first=0.5)
        terms = {}
        train(
            task, networks_for(task), data_for(name), recipe, steps=4, seed=0, teacher=teachers_for(task),
            on_step=lambda step, found, terms=terms: terms.update({step: set(found)}),
        )  # fmt: skip
        seen.append([any("adversarial" in term for term in terms[step]) for step in (1, 2, 3, 4)])
        assert all("discriminator" in found and len(found) > 1 for found in terms.values())
    assert seen == [[False, False, True, True]] * 2


def test_first_steps_without_any_loss_are_refused():
    """A task with the adversarial term alone needs a teacher's output to begin with."""
    task = task_named("unconditional")
    recipe = dataclasses.replace(RECIPE, reconstruct_first=0.5)
    with pytest.raises(UserError, match=r"reconstruct_first.*Try distill_output"):
        train(task, networks_for(task), data_for("unconditional"), recipe, steps=4, seed=0)


def test_devices_by_name():
    """auto is a device that is there; an unknown or missing one is named."""
    assert best_device("auto").type in ("cpu", "cuda")
    with pytest.raises(ValueError, match="toaster"):
        best_device("toaster")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="CUDA"):
            best_device("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("amp", ["off", "bf16", "fp16"])
def test_mixed_precision_on_cuda(amp, tmp_path):
    """On CUDA every precision trains, channels last, and resumes from its checkpoint."""
    recipe = dataclasses.replace(RECIPE, amp=amp, channels_last=True, distill_output=1.0, distill_features=1.0)
    for _ in range(2):
        task = task_named("paired")
        networks = networks_for(task)
        record = train(
            task,
            networks,
            data_for("paired"),
            recipe,
            steps=12,
            seed=0,
            device="cuda",
            teacher=teachers_for(task),
            checkpoint_dir=tmp_path,
        )
        assert record.steps == 12
        assert all(value.isfinite().all() for value in weights(networks).values())
