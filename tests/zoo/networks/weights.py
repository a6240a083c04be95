"""Weights that are not plain parameters: normed, scaled, modulated, summed, shared, computed."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, spectral_norm, weight_norm

from ..entry import AB, B, Entry, Net, S, around, both, conv


def three(a: float, b: float, c: float) -> float:
    """MACs of `around` a convolution with all channels free."""
    return S * (27 * a + 9 * a * b + 9 * b * c + 27 * c)


def _weighted(weight: object, **parts: object) -> nn.Sequential:
    """A convolution in the middle whose weight a function of the network gives."""
    return around(Net(lambda m, x: F.conv2d(x, weight(m), m.conv.bias, padding=1), conv=conv(8, 8), **parts))  # type: ignore[operator]


class Symmetric(nn.Module):
    """A parametrization that makes a kernel equal to its mirror image."""

    def forward(self, weight: Tensor) -> Tensor:
        return (weight + weight.flip(-1)) / 2


def _symmetric() -> nn.Module:
    layer = conv(8, 8)
    parametrize.register_parametrization(layer, "weight", Symmetric())
    return around(layer)


def _old(layer: nn.Module, norm: object) -> nn.Sequential:
    return around(norm(layer))  # type: ignore[operator]


def _folded(weight: Tensor, x: Tensor) -> Tensor:
    """A convolution with a kernel of its own for each image [n, out, in, 3, 3]: images become groups."""
    n, out = weight.shape[:2]
    y = F.conv2d(
        x.reshape(1, -1, *x.shape[2:]),
        weight.reshape(n * out, *weight.shape[2:]),
        padding=weight.shape[-1] // 2,
        groups=n,
    )
    return y.reshape(n, out, *y.shape[2:])


class Modulated(nn.Module):
    """The convolution of StyleGAN2: its weight is scaled by a style, and normed."""

    def __init__(self, n_in: int, n_out: int, kernel: int, demodulate: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, n_out, n_in, kernel, kernel) / 3)
        self.affine, self.demodulate = nn.Linear(8, n_in), demodulate

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        style = self.affine(w)
        weight = self.weight * style[:, None, :, None, None]
        if self.demodulate:
            weight = weight * torch.rsqrt(weight.square().sum((2, 3, 4), keepdim=True) + 1e-8)
        return _folded(weight, x)


def _synthesis(m: Net, z: Tensor) -> Tensor:
    x = m.constant.repeat(z.shape[0], 1, 1, 1)
    x = F.leaky_relu(m.first(x, z), 0.2)
    x = F.leaky_relu(m.second(F.interpolate(x, scale_factor=2), z), 0.2)
    return m.to_rgb(x, z)


def _style() -> Net:
    return Net(
        _synthesis,
        constant=nn.Parameter(torch.randn(1, 8, 4, 4)),
        first=Modulated(8, 8, 3),
        second=Modulated(8, 8, 3),
        to_rgb=Modulated(8, 3, 1, demodulate=False),
    )


def _scaled_around(m: Net, x: Tensor, z: Tensor) -> Tensor:
    """The same without a weight per image: input and output are scaled instead."""
    style = 1 + m.affine(z)
    h = m.first(x) * style[:, :, None, None]
    factor = torch.rsqrt(style.square() @ m.conv.weight.square().sum((2, 3)).t() + 1e-8)
    return m.last(torch.relu(m.conv(h) * factor[:, :, None, None]))


def _dynamic(m: Net, x: Tensor) -> Tensor:
    """A mixture of two kernels for each image (CondConv)."""
    share = m.route(x.mean((2, 3))).softmax(1)
    weight = sum(share[:, k, None, None, None, None] * one.weight for k, one in enumerate(m.kernels))
    return _folded(weight, x)


def _repeated(x: Tensor) -> Tensor:
    kernel = torch.ones(1, 1, 3, 3, dtype=x.dtype, device=x.device) / 9
    return F.conv2d(x, kernel.repeat(x.shape[1], 1, 1, 1), padding=1, groups=x.shape[1])


def _expanded(m: Net, x: Tensor) -> Tensor:
    return F.conv2d(x, m.kernel.expand(x.size(1), -1, -1, -1), padding=1, groups=x.size(1))


def _held(m: Net, x: Tensor) -> Tensor:
    return F.conv2d(x, m.kernel, padding=1, groups=m.kernel.shape[0])


def _batched(m: Net, x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return F.conv2d(x.reshape(n * c, 1, h, w), m.kernel, padding=1).reshape(n, c, h, w)


def _generated(m: Net, x: Tensor, z: Tensor) -> Tensor:
    weight = m.make(z[:1]).view(8, 8, 3, 3)
    return m.last(torch.relu(m.next(F.conv2d(m.first(x), weight, padding=1))))


def _sampled(m: Net, x: Tensor) -> Tensor:
    h = torch.relu(F.conv2d(x, m.conv.weight, padding=1))
    return F.conv_transpose2d(h, m.conv.weight, padding=1)


def _unit(m: Net) -> Tensor:
    return F.normalize(m.conv.weight.flatten(1), dim=1).view_as(m.conv.weight)


ALL = (8, 8, 8)
PER_IMAGE = "one group of a convolution for each image: ONNX has no number of groups that is the batch's size"
BOTH_AXES = "the weight is zero where a factor of it is: inputs and outputs can go"
FAN_IN = "the factor is computed from the number of inputs, which stay; outputs can go"
KEPT = 27 * 8

WEIGHTS = [
    Entry(
        "spectral norm",
        lambda: around(parametrizations.spectral_norm(conv(8, 8))),
        three,
        ALL,
        "power iteration's vectors go along",
    ),
    Entry(
        "spectral norm by hooks",
        lambda: _old(conv(8, 8), spectral_norm),
        three,
        ALL,
        "power iteration's vectors go along",
    ),
    Entry(
        "spectral norm by hooks of a depthwise convolution",
        lambda: _old(conv(8, 8, groups=8), spectral_norm),
        lambda a, b: both(a, b) + S * 9 * a,
        AB,
        "a depthwise kernel goes with its channel, and with an entry of the vectors",
    ),
    Entry(
        "weight norm",
        lambda: around(parametrizations.weight_norm(conv(8, 8))),
        three,
        ALL,
        "a length per output goes with it",
    ),
    Entry(
        "weight norm by hooks", lambda: _old(conv(8, 8), weight_norm), three, ALL, "a length per output goes with it"
    ),
    Entry(
        "weight norm of a depthwise convolution",
        lambda: around(parametrizations.weight_norm(conv(8, 8, groups=8))),
        lambda a, b: both(a, b) + S * 9 * a,
        AB,
        "a length per kernel goes with its channel",
    ),
    Entry(
        "weight norm of a transposed convolution's inputs",
        lambda: around(parametrizations.weight_norm(nn.ConvTranspose2d(8, 8, 3, padding=1))),
        lambda a, c: three(a, 8, c),
        AB,
        "a length per input is taken over the outputs, which are not counted on; inputs can go",
    ),
    Entry(
        "weight norm of a transposed convolution's outputs",
        lambda: around(parametrizations.weight_norm(nn.ConvTranspose2d(8, 8, 3, padding=1), dim=1)),
        three,
        ALL,
        "a length per output goes with it",
    ),
    Entry(
        "weight norm of the whole weight",
        lambda: around(parametrizations.weight_norm(conv(8, 8), dim=None)),
        lambda a, c: three(a, 8, c),
        AB,
        "one length of all: outputs are not counted on; inputs can go",
    ),
    Entry(
        "orthogonal weight",
        lambda: around(
            Net(
                lambda m, x: m.f(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2),
                f=parametrizations.orthogonal(nn.Linear(8, 8), use_trivialization=False),
            )
        ),
        lambda c: S * (KEPT + 64 + 9 * 8 * c + 27 * c),
        B,
        "an orthogonal matrix keeps its rows and columns",
        onnx="ONNX has no exponential of a matrix",
    ),
    Entry("parametrized by its mirror image", _symmetric, three, ALL, "flipping a kernel leaves its channels"),
    Entry(
        "equalized learning rate", lambda: _weighted(lambda m: m.conv.weight * 0.17), three, ALL, "a constant factor"
    ),
    Entry(
        "equalized learning rate from the weight's size",
        lambda: _weighted(lambda m: m.conv.weight * math.sqrt(2 / m.conv.weight[0].numel())),
        lambda b, c: three(8, b, c),
        AB,
        FAN_IN,
    ),
    Entry(
        "activations divided by a number of channels",
        lambda: around(lambda x: x / math.sqrt(x.shape[1])),
        lambda c: both(8, c),
        B,
        "the divisor is computed from the number of channels, which stay",
    ),
    Entry(
        "weight in its own parameter",
        lambda: around(Net(lambda m, x: F.conv2d(x, m.w, padding=1), w=nn.Parameter(torch.randn(8, 8, 3, 3) / 8))),
        three,
        ALL,
        "a weight like any other",
    ),
    Entry(
        "weight cast to the input's type",
        lambda: _weighted(lambda m: m.conv.weight.to(m.conv.bias.dtype)),
        three,
        ALL,
        "a cast moves nothing",
    ),
    Entry(
        "weight masked per place",
        lambda: _weighted(lambda m: m.conv.weight * m.mask, mask=torch.rand(1, 1, 3, 3).round()),
        three,
        ALL,
        "the mask has no channels",
    ),
    Entry(
        "weight masked per entry",
        lambda: _weighted(lambda m: m.conv.weight * m.mask, mask=torch.rand(8, 8, 3, 3).round()),
        three,
        ALL,
        "the mask is cut as the weight is",
    ),
    Entry(
        "weight of unit kernels",
        lambda: _weighted(_unit),
        three,
        ALL,
        "a kernel's length is that of what is left of it, masked or cut",
    ),
    Entry(
        "sum of two kernels",
        lambda: _weighted(
            lambda m: m.conv.weight + F.pad(m.point.weight, [1, 1, 1, 1]), point=nn.Conv2d(8, 8, 1, bias=False)
        ),
        three,
        ALL,
        "the sum is cut where both are",
    ),
    Entry(
        "low-rank change of a weight",
        lambda: _weighted(
            lambda m: m.conv.weight + (m.up @ m.down).view_as(m.conv.weight),
            up=nn.Parameter(torch.randn(8, 2)),
            down=nn.Parameter(torch.randn(2, 72)),
        ),
        lambda c: three(8, 8, c) + 8 * 2 * 72,
        B,
        "the change's columns mix inputs and places; the layer stays whole",
    ),
    Entry(
        "weight from two parameters side by side",
        lambda: around(
            Net(
                lambda m, x: F.conv2d(x, torch.cat([m.v, m.w]), padding=1),
                v=nn.Parameter(torch.randn(4, 8, 3, 3)),
                w=nn.Parameter(torch.randn(4, 8, 3, 3)),
            )
        ),
        lambda c: three(8, 8, c),
        B,
        "a weight put together from others: the layer stays whole",
    ),
    Entry(
        "modulated convolutions",
        _style,
        lambda a, b, c: 8 * (a + b + c) + 16 * 9 * a * b + 64 * (9 * b * c + 3 * c),
        ALL,
        BOTH_AXES + ", with the style's",
        inputs="latent:8",
        one_at_a_time=PER_IMAGE,
    ),
    Entry(
        "modulation around a convolution",
        lambda: Net(_scaled_around, first=conv(3, 8), affine=nn.Linear(8, 8), conv=conv(8, 8), last=conv(8, 3)),
        lambda a, b: both(a, b) + 8 * a + a * b,
        AB,
        BOTH_AXES + ", and so is its square",
        inputs="image:3,8,8;latent:8",
    ),
    Entry(
        "dynamic convolution",
        lambda: around(
            Net(_dynamic, route=nn.Linear(8, 2), kernels=nn.ModuleList([conv(8, 8, bias=False) for _ in range(2)]))
        ),
        lambda a, b, c: three(a, b, c) + 2 * a,
        ALL,
        "two kernels with the same channels, mixed for each image",
        one_at_a_time=PER_IMAGE,
    ),
    Entry(
        "weight made by another layer",
        lambda: Net(_generated, make=nn.Linear(8, 576), first=conv(3, 8), next=conv(8, 8), last=conv(8, 3)),
        lambda c: three(8, 8, c) + 8 * 576,
        B,
        "the made weight's size is in the code; the layer stays whole",
        inputs="image:3,8,8;latent:8",
    ),
    Entry(
        "blur with a repeated kernel",
        lambda: around(_repeated),
        lambda a, b: both(a, b) + S * 9 * a,
        AB,
        "the kernel is repeated as often as there are channels",
    ),
    Entry(
        "blur with an expanded kernel",
        lambda: around(Net(_expanded, kernel=torch.rand(1, 1, 3, 3))),
        lambda a, b: both(a, b) + S * 9 * a,
        AB,
        "the kernel is repeated as often as there are channels",
    ),
    Entry(
        "blur with a kernel per channel",
        lambda: around(Net(_held, kernel=torch.rand(8, 1, 3, 3))),
        lambda a, b: both(a, b) + S * 9 * a,
        AB,
        "the buffer is cut with the channels",
    ),
    Entry(
        "blur with channels as images",
        lambda: around(Net(_batched, kernel=torch.rand(1, 1, 3, 3))),
        lambda a, b: both(a, b) + S * 9 * a,
        AB,
        "each channel is an image of its own, and goes as one",
    ),
    Entry(
        "one weight for both directions",
        lambda: Net(_sampled, conv=conv(3, 8, bias=False)),
        lambda a: S * (27 * a + 27 * a),
        (8,),
        "the same axis writes and reads",
    ),
]
