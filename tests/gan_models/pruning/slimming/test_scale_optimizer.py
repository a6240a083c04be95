"""The optimizer of slimming's scales: scales that the loss depends on stay."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ganprune.gan_models.pruning.catalog import method_spec
from ganprune.gan_models.pruning.method import Target
from ganprune.gan_models.pruning.slimming.scale_optimizer import PUBLISHED, ScaleSteps, shrinking
from ganprune.gan_models.pruning.slimming.sparsity_control import Sparsity

from .slimming_jobs import job_for

STEPS = 40


def steps_of(form, sensitivity, share=0.3):
    """Scales of equal start and weight that gradients cannot move far."""
    own = replace(
        shrinking(method_spec("slimming").settings(), STEPS), rate=1e-4, sensitivity=sensitivity, cost_exponent=0.0
    )
    n = int(form.sizes.sum())
    sparsity = Sparsity(form, Target("macs", share * form.dense()), STEPS)
    return ScaleSteps(torch.ones(n), sparsity, own, np.ones(n))


def run(scales, sizes):
    """Gradients of these sizes [C] and of a sign that changes at each step: no scale is led anywhere."""
    for step in range(STEPS):
        scales.step(step, (-1) ** step * sizes)
    return scales.scales != 0


@pytest.mark.parametrize("exponent", [0.5, 1.0])
def test_scales_fall_in_the_order_of_what_the_loss_depends_on_least(exponent):
    """Equal scales with the largest gradients stay, for any exponent: it changes no order."""
    form = job_for("paired").groups.form
    sizes = torch.from_numpy(np.random.default_rng(3).permutation(np.linspace(0.5, 2, int(form.sizes.sum())))).float()
    kept = run(steps_of(form, exponent), sizes)
    assert 0 < int(kept.sum()) < len(kept)
    assert float(sizes[kept].min()) > float(sizes[~kept].max())


def test_the_published_scales_know_nothing_of_it():
    """Exponent 0 shrinks all alike: gradients are felt in their movement alone, and the weights stay as given."""
    assert PUBLISHED.sensitivity == 0
    form = job_for("paired").groups.form
    plain = steps_of(form, 0.0)
    sizes = torch.linspace(0.5, 2, int(form.sizes.sum()))
    run(plain, sizes)
    assert float(plain.state()["felt"].abs().max()) == 0
    margins = plain.margin
    assert float(margins.max() - margins.min()) < 1e-2
