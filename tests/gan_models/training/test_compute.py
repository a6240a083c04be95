"""Compute of training runs: closed forms, steps that differ, interruptions."""

from itertools import count

import pytest
import torch
from ganprune.gan_models.training import compute
from ganprune.gan_models.training.compute import ChargedCalls, PassCount, RunCompute, charge
from ganprune.gan_models.training.loop import Recipe, train
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from .small import data_for, networks_for, task_named, teachers_for


def forward_macs(network, *inputs):
    """Multiply-accumulates of one forward pass, by torch's own counter."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(*inputs)
    return counter.get_total_flops() // 2


def run(name="paired", steps=3, recipe=None, **more):
    task = task_named(name)
    recipe = recipe or Recipe(batch_size=2)
    teacher = teachers_for(task) if recipe.distils else None
    return train(task, networks_for(task), data_for(name), recipe, steps=steps, seed=0, teacher=teacher, **more)


def test_a_pix2pix_step_is_three_forwards_of_each_pass_with_a_gradient_and_one_of_the_teachers():
    """G and D once in G's step, D on real and on fake in its own: each forward and backward; the teacher forward."""
    task = task_named("paired")
    networks, x = networks_for(task), torch.zeros(2, 3, 8, 8)
    generator = forward_macs(networks.generators["G"], x)
    judge = forward_macs(networks.discriminators["G"], torch.cat([x, x], 1))
    teacher = forward_macs(teachers_for(task)["G"], x)
    assert run().macs == 3 * (3 * generator + 3 * judge + 2 * 3 * judge)
    distilled = run(recipe=Recipe(batch_size=2, distill_output=1.0)).macs
    assert distilled == run().macs + 3 * teacher
    twice = run(recipe=Recipe(batch_size=2, d_steps=2)).macs
    assert twice == run().macs + 3 * (generator + 2 * 3 * judge)


@pytest.mark.parametrize("name", ["paired", "unpaired", "unconditional", "super_resolution"])
def test_the_first_step_tells_what_all_steps_take(name, monkeypatch):
    """Counting each step by itself has the same sum, feature matching included."""
    recipe = Recipe(batch_size=2, distill_output=1.0, distill_features=1.0)
    once = run(name, recipe=recipe).macs
    numbers, step = count(), RunCompute.step
    monkeypatch.setattr(RunCompute, "step", lambda self, kind: step(self, next(numbers)))
    assert run(name, recipe=recipe).macs == once > 0


def test_an_interrupted_run_has_taken_what_an_uninterrupted_one_takes(tmp_path):
    """Steps before a checkpoint of an earlier version, which counts none, are charged like those that follow."""
    recipe = Recipe(batch_size=2, distill_output=1.0)
    whole = run(steps=4, recipe=recipe).macs

    def stop(step, _values):
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(steps=4, recipe=recipe, checkpoint_dir=tmp_path, checkpoint_every=2, on_step=stop)
    assert run(steps=4, recipe=recipe, checkpoint_dir=tmp_path, checkpoint_every=2).macs == whole
    unknown = RunCompute(unknown_steps=2)
    with unknown.step(None):
        nn.Conv2d(1, 1, 1)(torch.zeros(1, 1, 5, 5))
    assert unknown.macs == 3 * 3 * 25


def test_only_passes_with_a_gradient_have_a_backward():
    """A pass that nothing trains counts once; shapes alone count nothing; what a pause holds is left out."""
    layer, x = nn.Linear(3, 4), torch.zeros(5, 3)
    with PassCount() as trained:
        layer(x).sum().backward()
    with PassCount() as frozen, torch.no_grad():
        layer(x)
        with frozen.paused():
            layer(x)
        layer.to("meta")(x.to("meta"))
    assert (trained.macs, frozen.macs) == (3 * 60, 60)


def test_calls_of_some_steps_alone_are_charged_one_by_one():
    """A network that two of three steps call is charged for what went through it, whatever step was counted."""
    layer, running = nn.Linear(3, 4).requires_grad_(False), RunCompute()
    calls = ChargedCalls(layer)
    for examples in (5, 0, 2):
        with running.step(None):
            if examples:
                calls(torch.zeros(examples, 3))
    assert running.macs == 7 * 12
    charge(1)  # outside of a run nobody pays
    assert running.macs == 7 * 12
    assert compute._RUNNING.get() is None
