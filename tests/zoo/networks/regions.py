"""Regions that change how code runs: mixed precision, gradients off, checkpoints, hooks, functions of one's own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

from ..entry import AB, Entry, Net, S, around, both, conv
from .weights import ALL, three


def _guarded(device: str, **settings: Any) -> nn.Module:
    def run(m: Net, x: Tensor) -> Tensor:
        h = torch.relu(m.a(x))
        with torch.autocast(device, **settings):
            h = torch.relu(m.c(torch.relu(m.b(h))))
        return torch.tanh(m.e(torch.relu(m.d(h.to(x.dtype)))))

    return Net(run, a=conv(3, 8), b=conv(8, 8), c=conv(8, 8), d=conv(8, 8), e=conv(8, 3))


def five(a: float, b: float, c: float, d: float) -> float:
    """Five convolutions in a row."""
    return S * (27 * a + 9 * a * b + 9 * b * c + 9 * c * d + 27 * d)


def _skip_guarded(m: Net, x: Tensor) -> Tensor:
    h = m.a(x)
    with torch.autocast("cpu", enabled=False):
        h = h + m.b(torch.relu(h))
    return m.c(h)


def _without_gradients(m: Net, x: Tensor) -> Tensor:
    with torch.no_grad():
        h = torch.relu(m.b(m.a(x)))
    return m.c(h)


class Frozen(nn.Module):
    """A convolution that is never trained."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = conv(8, 8)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


def _gradients(m: Net, x: Tensor) -> Tensor:
    with torch.set_grad_enabled(m.training):
        return m.f(x)


def _both_regions(m: Net, x: Tensor) -> Tensor:
    with torch.no_grad():
        with torch.autocast("cuda", enabled=False):
            return m.f(x)


def _checkpointed(m: Net, x: Tensor) -> Tensor:
    return checkpoint(m.f, x, use_reentrant=False)


def _checkpointed_old(m: Net, x: Tensor) -> Tensor:
    return checkpoint(m.f, x, use_reentrant=True)


def _checkpointed_parts(m: Net, x: Tensor) -> Tensor:
    return checkpoint_sequential(m.f, 2, x, use_reentrant=False)


class Straight(torch.autograd.Function):
    """A sign with the gradient of the identity."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.sign(x) * 0.5 + x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


def _hooked() -> nn.Module:
    network = around(conv(8, 8))
    network[1].register_forward_pre_hook(lambda _, inputs: (inputs[0] * 0.5,))
    network[1].register_forward_hook(lambda _, inputs, output: output + inputs[0])
    return network


def _in_training(m: Net, x: Tensor) -> Tensor:
    return m.rare(x) if m.training else m.f(x)


def _recorded(m: Net, x: Tensor) -> Tensor:
    with torch.profiler.record_function("middle"):
        return m.f(x)


def _rounded(m: Net, x: Tensor) -> Tensor:
    return m.f(x.float()).to(x.dtype)


INSIDE = "a region changes nothing about which channels go together"

REGIONS = [
    Entry("autocast switched off for another device", lambda: _guarded("cuda", enabled=False), five, (8,) * 4, INSIDE),
    Entry("autocast switched off", lambda: _guarded("cpu", enabled=False), five, (8,) * 4, INSIDE),
    Entry(
        "autocast in bfloat16",
        lambda: _guarded("cpu", dtype=torch.bfloat16),
        five,
        (8,) * 4,
        INSIDE,
        onnx="the region rounds to bfloat16",
    ),
    Entry(
        "skip across an autocast region",
        lambda: Net(_skip_guarded, a=conv(3, 8), b=conv(8, 8), c=conv(8, 3)),
        lambda a: S * (54 * a + 9 * a * a),
        (8,),
        "the sum inside ties what was made outside",
    ),
    Entry(
        "gradients off inside forward",
        lambda: Net(_without_gradients, a=conv(3, 8), b=conv(8, 8), c=conv(8, 3)),
        both,
        AB,
        INSIDE,
    ),
    Entry("gradients off by a decorator", lambda: around(Frozen()), three, ALL, INSIDE),
    Entry("gradients switched", lambda: around(Net(_gradients, f=conv(8, 8))), three, ALL, INSIDE),
    Entry("regions in each other", lambda: around(Net(_both_regions, f=conv(8, 8))), three, ALL, INSIDE),
    Entry("checkpoint", lambda: around(Net(_checkpointed, f=nn.Sequential(conv(8, 8), nn.ReLU()))), three, ALL, INSIDE),
    Entry(
        "checkpoint of the older kind",
        lambda: around(Net(_checkpointed_old, f=nn.Sequential(conv(8, 8), nn.ReLU()))),
        three,
        ALL,
        INSIDE,
    ),
    Entry(
        "checkpoints of a sequence",
        lambda: around(Net(_checkpointed_parts, f=nn.Sequential(conv(8, 8), nn.ReLU(), nn.BatchNorm2d(8)))),
        three,
        ALL,
        INSIDE,
    ),
    Entry(
        "function with its own gradient",
        lambda: around(lambda x: Straight.apply(x)),
        both,
        AB,
        "what it does is element by element",
    ),
    Entry(
        "hooks",
        lambda: _hooked(),
        lambda a, c: S * (27 * a + 9 * a * a + 9 * a * c + 27 * c),
        AB,
        "a hook adds a layer's input to its output",
    ),
    Entry(
        "another branch in training",
        lambda: around(Net(_in_training, f=conv(8, 8), rare=conv(8, 8))),
        three,
        ALL,
        "the branch of training is not called, and costs nothing",
    ),
    Entry("named for the profiler", lambda: around(Net(_recorded, f=conv(8, 8))), three, ALL, INSIDE),
    Entry(
        "norm in float32 by casts",
        lambda: around(Net(_rounded, f=nn.Softplus())),
        both,
        AB,
        "a cast moves nothing",
        in_float32=True,
    ),
]
