"""Activations: with parameters, in place, over two halves, of several spellings."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..entry import AB, B, Entry, Net, around, both, second


def _maxout(x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, c // 2, 2, h, w).max(2)[0]


def _simple_gate(x: Tensor) -> Tensor:
    first, rest = x.chunk(2, dim=1)
    return first * rest


def _in_place(x: Tensor) -> Tensor:
    x = x.clone()
    x[:, :4] = torch.relu(x[:, :4])
    return x


def _snake(m: Net, x: Tensor) -> Tensor:
    return x + torch.sin(m.alpha * x) ** 2 / (m.alpha + 1e-6)


def _halved(a: float, b: float) -> float:
    """A first convolution of 2 a channels, of which the activation makes a."""
    return both(a, b) + 64 * 27 * a


ONE = "works element by element"
PAIRS = "the halves of the first convolution are tied, channel by channel"

ACTIVATIONS = [
    Entry("PReLU per channel", lambda: around(nn.PReLU(8)), both, AB, "slopes go with their channels"),
    Entry("PReLU with one slope", lambda: around(nn.PReLU()), both, AB, "one slope stays"),
    Entry("leaky ReLU in place", lambda: around(nn.LeakyReLU(0.2, inplace=True)), both, AB, ONE),
    Entry(
        "randomized leaky ReLU", lambda: around(nn.RReLU()), both, AB, ONE, onnx="the exporter has no rule for rrelu"
    ),
    Entry("smooth activations", lambda: around(nn.SiLU(), nn.Mish(), nn.GELU("tanh"), nn.Softplus()), both, AB, ONE),
    Entry(
        "hard activations", lambda: around(nn.Hardswish(), nn.Hardtanh(), nn.ReLU6(), nn.Hardsigmoid()), both, AB, ONE
    ),
    Entry(
        "self-normalizing activations", lambda: around(nn.SELU(), nn.CELU(), nn.ELU(), nn.AlphaDropout()), both, AB, ONE
    ),
    Entry(
        "shrinking activations", lambda: around(nn.Softshrink(0.1), nn.Hardshrink(0.1), nn.Tanhshrink()), both, AB, ONE
    ),
    Entry("log-sigmoid and log1p", lambda: around(lambda x: torch.log1p(F.logsigmoid(x).neg())), both, AB, ONE),
    Entry("atan, sinh and exp2", lambda: around(lambda x: torch.exp2(torch.atan(torch.sinh(x)))), both, AB, ONE),
    Entry(
        "nan_to_num, clip and sgn", lambda: around(lambda x: torch.nan_to_num(x).clip(-2, 2) + x.sgn()), both, AB, ONE
    ),
    Entry("where", lambda: around(lambda x: torch.where(x > 0, x, 0.2 * x)), both, AB, ONE),
    Entry("powers", lambda: around(lambda x: x**2 + 0.5**x), both, AB, ONE),
    Entry(
        "maximum and minimum", lambda: around(lambda x: torch.maximum(x, 0.2 * x) + torch.minimum(x, -x)), both, AB, ONE
    ),
    Entry(
        "learned slope of swish",
        lambda: around(
            Net(lambda m, x: x * torch.sigmoid(m.beta.view(1, -1, 1, 1) * x), beta=nn.Parameter(torch.randn(8)))
        ),
        both,
        AB,
        "a slope per channel goes with it",
    ),
    Entry(
        "snake",
        lambda: around(Net(_snake, alpha=nn.Parameter(torch.rand(1, 8, 1, 1) + 0.5))),
        both,
        AB,
        "a frequency per channel goes with it",
    ),
    Entry(
        "bias and scaled leaky ReLU",
        lambda: around(
            Net(
                lambda m, x: F.leaky_relu(x + m.b[None, :, None, None], 0.2) * math.sqrt(2),
                b=nn.Parameter(torch.randn(8)),
            )
        ),
        both,
        AB,
        "a bias per channel goes with it",
    ),
    Entry("GLU", lambda: around(nn.GLU(1), width=16, given=8), _halved, AB, PAIRS),
    Entry("product of two halves", lambda: around(_simple_gate, width=16, given=8), _halved, AB, PAIRS),
    Entry("maxout", lambda: around(_maxout, width=16, given=8), _halved, AB, "neighbors are tied in pairs"),
    Entry(
        "concatenated ReLU",
        lambda: around(lambda x: torch.cat([x.relu(), (-x).relu()], 1), given=16),
        lambda a, b: both(a, b) + 64 * 9 * a * b,
        AB,
        "each channel takes two inputs of the next convolution",
    ),
    Entry(
        "softmax over pixels",
        lambda: around(lambda x: x.flatten(2).softmax(-1).view_as(x)),
        both,
        AB,
        "not over channels",
    ),
    Entry("softmax over channels", lambda: around(nn.Softmax2d()), second, B, "its sum is over channels, which stay"),
    Entry(
        "ReLU of four channels in place",
        lambda: around(_in_place),
        lambda a, b: both(4 + a, b),
        (4, 8),
        "the first four stay, and the rest is as wide as it is",
    ),
]
