"""Cuts at random: lively networks, plans, and the check that a cut network is the gated one without its zeros."""

import copy

import numpy as np
import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.pruning.gates import gated_call, plan_gates
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


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


def check_cut(model: nn.Module, shape: tuple[int, ...], seed: int) -> None:
    before = copy.deepcopy(model.state_dict())
    x = torch.randn(2, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    groups = find_groups(model, x[:1])
    plan = random_plan(groups, seed)
    small = cut(model, groups, plan)
    with torch.no_grad():
        expected = gated_call(model, groups, plan_gates(groups, plan, x), x)
        scale = max(float(expected.abs().max()), 1e-30)
        assert float((small(x) - expected).abs().max()) <= 1e-9 * scale
        assert torch.equal(cut(model, groups, groups.full_plan())(x), model(x))
    widths = groups.form.widths(plan.widths)
    with FlopCounterMode(display=False) as counter:
        small(x[:1])
    assert groups.form.predict(widths, "macs") == counter.get_total_flops() / 2
    assert groups.form.predict(widths, "params") == sum(p.numel() for p in small.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
