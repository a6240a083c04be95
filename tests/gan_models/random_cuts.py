"""Cuts at random: lively networks, plans, and the check that a cut network is the gated one without its zeros."""

import copy

import numpy as np
import torch
from ganprune.evaluators.cost.counters import count_cost
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.gan_models.pruning.gates import gated_call, plan_gates
from torch import nn


def lively(model: nn.Module) -> nn.Module:
    """float64, eval, with norms that do something."""
    torch.manual_seed(0)
    for module in model.modules():
        if getattr(module, "running_mean", None) is not None:
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
        weight = getattr(module, "weight", None)
        if isinstance(weight, nn.Parameter) and weight.ndim == 1:
            nn.init.normal_(weight, 1, 0.3)
            if getattr(module, "bias", None) is not None:
                nn.init.normal_(module.bias)
    return model.double().eval()


def random_plan(groups, seed: int) -> ChannelPlan:
    draw = np.random.default_rng(seed)
    return ChannelPlan(
        {g.name: tuple(sorted(draw.choice(g.size, draw.integers(1, g.size + 1), replace=False))) for g in groups.groups}
    )


def check_cut(model: nn.Module, inputs: InputSpec | tuple[int, ...], seed: int) -> None:
    before = copy.deepcopy(model.state_dict())
    x = tuple(each.double() if each.is_floating_point() else each for each in InputSpec.read(inputs).examples(2))
    one = tuple(each[:1] for each in x)
    groups = find_groups(model, one)
    plan = random_plan(groups, seed)
    small = cut(model, groups, plan)
    with torch.no_grad():
        expected = gated_call(model, groups, plan_gates(groups, plan, next(model.parameters())), *x)
        scale = max(float(expected.abs().max()), 1e-30)
        assert float((small(*x) - expected).abs().max()) <= 1e-9 * scale
        assert torch.equal(cut(model, groups, groups.full_plan())(*x), model(*x))
    widths = groups.form.widths(plan.widths)
    assert groups.form.predict(widths, "macs") == count_cost(small, one).macs
    assert groups.form.predict(widths, "params") == sum(p.numel() for p in small.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
