"""Operators that networks are composed of at random, and the networks themselves, from plain lists of steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

LATENT = 6  # numbers that styles are made of


@dataclass(frozen=True)
class Step:
    """One operator of a random network.

    Attributes:
        operator: Its name in `OPERATORS`.
        first, second: Earlier values that it takes, counted from the last one and modulo their number.
        width: A quarter of the channels that it makes, if it makes any number.
    """

    operator: str
    first: int = 0
    second: int = 0
    width: int = 1


class Part(nn.Module):
    """Layers of an operator and what it does with them, as `run(part, x, y, z)`: two values and the latent."""

    def __init__(self, run: Callable[..., Tensor], **layers: nn.Module | nn.Parameter) -> None:
        super().__init__()
        self.run = run
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        return self.run(self, x, y, z)


Made = tuple[Part, int]  # an operator's part, and the channels that it gives
Build = Callable[[int, int, int], Made]  # of the channels of two values, and of those that are wanted


def _conv(n_in: int, n_out: int, kernel: int = 3, **more: Any) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, kernel, padding=kernel // 2, **more)


def _layer(make: Callable[[int, int], nn.Module]) -> Build:
    """An operator that is one layer from c to n channels."""
    return lambda c, _, n: (Part(lambda p, x, y, z: p.layer(x), layer=make(c, n)), n)


def _kept(make: Callable[[int], nn.Module]) -> Build:
    """An operator that is one layer over c channels, and gives as many."""
    return lambda c, _, n: (Part(lambda p, x, y, z: p.layer(x), layer=make(c)), c)


def _function(run: Callable[[Tensor], Tensor], give: Callable[[int], int] = lambda c: c) -> Build:
    """An operator without layers."""
    return lambda c, _, n: (Part(lambda p, x, y, z: run(x)), give(c))


def _fit(x: Tensor, like: Tensor) -> Tensor:
    return x if x.shape[2:] == like.shape[2:] else F.interpolate(x, size=like.shape[2:])


def _pairwise(run: Callable[[Tensor, Tensor], Tensor]) -> Build:
    """An operator on two values; the second is projected if it has other channels."""

    def build(c: int, d: int, n: int) -> Made:
        project = nn.Identity() if c == d else _conv(d, c, 1)
        return Part(lambda p, x, y, z: run(x, p.project(_fit(y, x))), project=project), c

    return build


def _last_axis(layer: nn.Module) -> Part:
    return Part(lambda p, x, y, z: p.layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), layer=layer)


def _squeeze(spelling: Callable[[Tensor, Tensor], Tensor]) -> Build:
    def build(c: int, d: int, n: int) -> Made:
        fc = nn.Sequential(nn.Linear(c, n), nn.ReLU(), nn.Linear(n, c), nn.Sigmoid())
        return Part(lambda p, x, y, z: spelling(x, p.fc(x.mean((2, 3)))), fc=fc), c

    return build


def _style(c: int, d: int, n: int) -> Made:
    def run(p: Part, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        scale, shift = p.style(z)[:, :, None, None].chunk(2, 1)
        return p.norm(x) * (1 + scale) + shift

    return Part(run, style=nn.Linear(LATENT, 2 * c), norm=nn.InstanceNorm2d(c)), c


def _attention(c: int, d: int, n: int) -> Made:
    def run(p: Part, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        q, k, v = (one(x).flatten(2) for one in (p.q, p.k, p.v))
        energy = torch.bmm(q.transpose(1, 2), k)
        return x + torch.bmm(v, energy.softmax(-1).transpose(1, 2)).unflatten(2, x.shape[2:])

    return Part(run, q=_conv(c, n, 1), k=_conv(c, n, 1), v=_conv(c, c, 1)), c


def _heads(c: int, d: int, n: int) -> Made:
    def run(p: Part, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        t = x.flatten(2).transpose(1, 2)
        q, k, v = (one(t).unflatten(2, (-1, 4)).transpose(1, 2) for one in (p.q, p.k, p.v))
        out = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return x + p.out(out).transpose(1, 2).unflatten(2, x.shape[2:])

    return Part(run, q=nn.Linear(c, 8), k=nn.Linear(c, 8), v=nn.Linear(c, 8), out=nn.Linear(8, c)), c


def _modulated(c: int, d: int, n: int) -> Made:
    def run(p: Part, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        weight = p.weight * p.style(z)[:, None, :, None, None]
        weight = weight * torch.rsqrt(weight.square().sum((2, 3, 4), keepdim=True) + 1e-8)
        grouped = x.reshape(1, -1, *x.shape[2:])
        made = F.conv2d(grouped, weight.flatten(0, 1), padding=1, groups=len(x))
        return made.reshape(len(x), -1, *x.shape[2:])

    return Part(run, weight=nn.Parameter(torch.randn(1, n, c, 3, 3)), style=nn.Linear(LATENT, c)), n


def _equalized(c: int, d: int, n: int) -> Made:
    def run(p: Part, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        return F.conv2d(x, p.layer.weight * math.sqrt(2 / p.layer.weight[0].numel()), p.layer.bias, padding=1)

    return Part(run, layer=_conv(c, n)), n


def _guarded(c: int, d: int, n: int) -> Made:
    def run(p: Part, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            return torch.relu(p.layer(x))

    return Part(run, layer=_conv(c, n)), n


def _frozen(c: int, d: int, n: int) -> Made:
    def run(p: Part, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.relu(p.layer(x))

    return Part(run, layer=_conv(c, n)), n


def _block(c: int, d: int, n: int) -> Made:
    layers = nn.Sequential(_conv(c, n), nn.BatchNorm2d(n), nn.ReLU(), _conv(n, c))
    return Part(lambda p, x, y, z: x + p.layers(x), layers=layers), c


def _inverted(c: int, d: int, n: int) -> Made:
    layers = nn.Sequential(_conv(c, 2 * c, 1), nn.ReLU6(), _conv(2 * c, 2 * c, groups=2 * c), _conv(2 * c, c, 1))
    return Part(lambda p, x, y, z: x + p.layers(x), layers=layers), c


def _convnext(c: int, d: int, n: int) -> Made:
    def run(p: Part, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        h = p.norm(p.depthwise(x).permute(0, 2, 3, 1))
        return x + (p.gamma * p.narrow(F.gelu(p.widen(h)))).permute(0, 3, 1, 2)

    layers = {"depthwise": _conv(c, c, 5, groups=c), "norm": nn.LayerNorm(c)}
    return Part(run, **layers, widen=nn.Linear(c, n), narrow=nn.Linear(n, c), gamma=nn.Parameter(torch.ones(c))), c


def _recurrent(c: int, d: int, n: int) -> Made:
    def run(p: Part, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        for _ in range(2):
            x = x + p.layer(torch.relu(x))
        return x

    return Part(run, layer=_conv(c, c)), c


def _dense(c: int, d: int, n: int) -> Made:
    return Part(lambda p, x, y, z: torch.cat([x, p.layer(x)], 1), layer=_conv(c, 4)), c + 4


def _half_norm(c: int, d: int, n: int) -> Made:
    def run(p: Part, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        first, rest = x.chunk(2, 1)
        return torch.cat([p.norm(first), rest], 1)

    return Part(run, norm=nn.InstanceNorm2d(c // 2, affine=True)), c


def _two_paths(c: int, d: int, n: int) -> Made:
    def run(p: Part, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        first, rest = x[:, : x.shape[1] // 2], x[:, x.shape[1] // 2 :]
        return torch.cat([p.p(first), p.q(rest)], 1)

    return Part(run, p=_conv(c // 2, n), q=_conv(c // 2, n, 1)), 2 * n


def _by_einsum(c: int, d: int, n: int) -> Made:
    run = lambda p, x, y, z: torch.einsum("bchw,dc->bdhw", x, p.weight)  # noqa: E731
    return Part(run, weight=nn.Parameter(torch.randn(n, c) / c)), n


def _summed_weights(c: int, d: int, n: int) -> Made:
    def run(p: Part, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        return F.conv2d(x, p.wide.weight + F.pad(p.point.weight, [1, 1, 1, 1]), p.wide.bias, padding=1)

    return Part(run, wide=_conv(c, n), point=_conv(c, n, 1, bias=False)), n


def _mixed_weights(c: int, d: int, n: int) -> Made:
    def run(p: Part, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        share = p.route(x.mean((2, 3))).softmax(1)[..., None, None, None, None]
        weight = share[:, 0] * p.one.weight + share[:, 1] * p.two.weight
        made = F.conv2d(x.reshape(1, -1, *x.shape[2:]), weight.flatten(0, 1), padding=1, groups=len(x))
        return made.reshape(len(x), -1, *x.shape[2:])

    return Part(run, route=nn.Linear(c, 2), one=_conv(c, n), two=_conv(c, n)), n


def _unfolded(c: int, d: int, n: int) -> Made:
    def run(p: Part, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        made = p.layer(F.unfold(x, 3, padding=1).transpose(1, 2))
        return made.transpose(1, 2).unflatten(2, x.shape[2:])

    return Part(run, layer=nn.Linear(9 * c, n)), n


def _memory(c: int, d: int, n: int) -> Made:
    """One step of a convolutional LSTM."""

    def run(p: Part, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        i, f, o, g = p.gates(torch.cat([x, torch.zeros_like(x)], 1)).chunk(4, 1)
        return torch.sigmoid(o) * torch.tanh(torch.sigmoid(f) * x + torch.sigmoid(i) * torch.tanh(g))

    return Part(run, gates=_conv(2 * c, 4 * c)), c


def _mapped_style(c: int, d: int, n: int) -> Made:
    """Scales from features of the second value, as SPADE has them."""

    def run(p: Part, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        shared = torch.relu(p.shared(_fit(y, x)))
        return _moments(x) * (1 + p.gamma(shared)) + p.beta(shared)

    return Part(run, shared=_conv(d, n), gamma=_conv(n, c), beta=_conv(n, c)), c


def _shuffled(x: Tensor) -> Tensor:
    return x.unflatten(1, (2, x.shape[1] // 2)).transpose(1, 2).flatten(1, 2)


def _moments(x: Tensor) -> Tensor:
    return (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), keepdim=True) + 1e-5).sqrt()


def _blur(x: Tensor) -> Tensor:
    kernel = torch.full((1, 1, 3, 3), 1 / 9, dtype=x.dtype, device=x.device)
    return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), kernel.repeat(x.shape[1], 1, 1, 1), groups=x.shape[1])


def _smaller(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 2) if x.shape[-1] > 4 else x


def _unshuffle(c: int, d: int, n: int) -> Made:
    def run(p: Part, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        return F.pixel_shuffle(torch.relu(p.layer(F.pixel_unshuffle(x, 2))), 2)

    return Part(run, layer=_conv(4 * c, 4 * n)), n


OPERATORS: dict[str, Build] = {
    "conv": _layer(_conv),
    "conv and batch norm": _layer(lambda c, n: nn.Sequential(_conv(c, n), nn.BatchNorm2d(n), nn.ReLU())),
    "point conv": _layer(lambda c, n: _conv(c, n, 1, bias=False)),
    "strided conv and transposed": _layer(
        lambda c, n: nn.Sequential(nn.Conv2d(c, n, 4, 2, 1), nn.LeakyReLU(0.2), nn.ConvTranspose2d(n, n, 4, 2, 1))
    ),
    "grouped conv": _layer(lambda c, n: _conv(c, n, groups=2)),
    "depthwise conv": _kept(lambda c: _conv(c, c, groups=c)),
    "two kernels per channel": lambda c, d, n: (Part(lambda p, x, y, z: p.f(x), f=_conv(c, 2 * c, groups=c)), 2 * c),
    "dilated conv": _layer(lambda c, n: nn.Conv2d(c, n, 3, padding=2, dilation=2, padding_mode="circular")),
    "linear": lambda c, d, n: (_last_axis(nn.Linear(c, n)), n),
    "spectral norm": _layer(lambda c, n: parametrizations.spectral_norm(_conv(c, n))),
    "weight norm": _layer(lambda c, n: parametrizations.weight_norm(_conv(c, n))),
    "equalized conv": _equalized,
    "modulated conv": _modulated,
    "conv without autocast": _guarded,
    "conv without gradients": _frozen,
    "residual block": _block,
    "inverted residual": _inverted,
    "ConvNeXt block": _convnext,
    "block twice": _recurrent,
    "dense layer": _dense,
    "two paths": _two_paths,
    "unshuffle, conv, shuffle": _unshuffle,
    "batch norm": _kept(nn.BatchNorm2d),
    "instance norm": _kept(lambda c: nn.InstanceNorm2d(c, affine=True)),
    "group norm": _kept(lambda c: nn.GroupNorm(2, c)),
    "layer norm": lambda c, d, n: (_last_axis(nn.LayerNorm(c)), c),
    "instance norm by hand": _function(_moments),
    "half instance norm": _half_norm,
    "unit vectors": _function(lambda x: F.normalize(x, dim=1)),
    "softmax over pixels": _function(lambda x: x.flatten(2).softmax(-1).view_as(x)),
    "activation": _function(F.silu),
    "PReLU": _kept(nn.PReLU),
    "GLU": lambda c, d, n: (Part(lambda p, x, y, z: F.glu(p.f(x), 1), f=_conv(c, 2 * n, 1)), n),
    "product of halves": lambda c, d, n: (
        Part(lambda p, x, y, z: torch.mul(*p.f(x).chunk(2, 1)), f=_conv(c, 2 * n, 1)),
        n,
    ),
    "concatenated ReLU": _function(lambda x: torch.cat([x.relu(), (-x).relu()], 1), lambda c: 2 * c),
    "sum": _pairwise(lambda x, y: x + y),
    "gate": _pairwise(lambda x, y: x * torch.sigmoid(y)),
    "maximum": _pairwise(torch.maximum),
    "mean of a stack": _pairwise(lambda x, y: torch.stack([x, y]).mean(0)),
    "concatenation": lambda c, d, n: (Part(lambda p, x, y, z: torch.cat([x, _fit(y, x)], 1)), c + d),
    "excitation by view": _squeeze(lambda x, s: x * s.view(len(x), -1, 1, 1)),
    "excitation by expand_as": _squeeze(lambda x, s: x * s[:, :, None, None].expand_as(x)),
    "style": _style,
    "style of a map": _mapped_style,
    "product by einsum": _by_einsum,
    "sum of weights": _summed_weights,
    "mixture of weights": _mixed_weights,
    "unfold and linear": _unfolded,
    "LSTM step": _memory,
    "RMS norm": lambda c, d, n: (_last_axis(nn.RMSNorm(c)), c),
    "pixel norm": _function(lambda x: x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)),
    "softmax over channels": _function(lambda x: x.softmax(1)),
    "excitation by the maximum": lambda c, d, n: (
        Part(lambda p, x, y, z: x * torch.sigmoid(p.f(x.flatten(2).max(2)[0]))[..., None, None], f=nn.Linear(c, c)),
        c,
    ),
    "even channels, odd channels": _function(lambda x: torch.cat([x[:, ::2], x[:, 1::2].tanh()], 1)),
    "weight norm, transposed": _layer(lambda c, n: parametrizations.weight_norm(nn.ConvTranspose2d(c, n, 3, 1, 1))),
    "attention": _attention,
    "heads": _heads,
    "channel shuffle": _function(_shuffled),
    "halves swapped": _function(lambda x: torch.cat(x.chunk(2, 1)[::-1], 1)),
    "channels in reverse": _function(lambda x: x.flip(1)),
    "pixels moved": _function(lambda x: x.roll(1, 2).flip(3)),
    "blur": _function(_blur),
    "smaller": _function(_smaller),
    "larger": _function(lambda x: F.interpolate(x, size=(8, 8), mode="bilinear")),
    "padded and cropped": _function(lambda x: F.pad(x, (2, 2, 2, 2), mode="replicate")[..., 1:-3, 2:-2]),
}
PAIRWISE = ("style of a map", "sum", "gate", "maximum", "mean of a stack", "concatenation")  # the others take one value
MOST = 32  # channels of a value; an operator on more is preceded by a convolution to as few


class RandomNetwork(nn.Module):
    """A network of an image and a latent, composed of steps; what no step takes goes into the last convolution."""

    def __init__(self, steps: Sequence[Step]) -> None:
        super().__init__()
        self.first = _conv(3, 8)
        widths, taken = [8], set()
        self.parts, self.takes = nn.ModuleList(), []
        for step in steps:
            first, second = (len(widths) - 1 - back % len(widths) for back in (step.first, step.second))
            part, given = OPERATORS[step.operator](widths[first], widths[second], 4 * step.width)
            self.parts.append(nn.ModuleList([part, _conv(given, 8, 1) if given > MOST else nn.Identity()]))
            self.takes.append((first, second))
            taken |= {first, second} if step.operator in PAIRWISE else {first}
            widths.append(8 if given > MOST else given)
        self.ends = [i for i in range(len(widths)) if i not in taken]
        self.last = _conv(sum(widths[i] for i in self.ends), 3)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        values = [self.first(x)]
        for (part, narrow), (first, second) in zip(self.parts, self.takes, strict=True):
            values.append(narrow(part(values[first], values[second], z)))
        return self.last(torch.cat([_fit(values[i], x) for i in self.ends], 1))
