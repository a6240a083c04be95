"""Skips: added, concatenated, dense, gated, across scales."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..entry import AB, B, Entry, Net, S, around, conv


def _dense(m: Net, x: Tensor) -> Tensor:
    features = [m.first(x)]
    for layer in m.layers:
        features.append(torch.relu(layer(torch.cat(features, 1))))
    return m.last(torch.cat(features, 1))


def _unet(m: Net, x: Tensor) -> Tensor:
    a = torch.relu(m.a(x))
    b = torch.relu(m.b(a))
    d = torch.relu(m.d(torch.relu(m.c(b))))
    e = torch.relu(m.e(m.join(b, d)))
    return m.last(m.join(a, e))


class Join(nn.Module):
    """Two tensors, concatenated or added."""

    def __init__(self, add: bool) -> None:
        super().__init__()
        self.add = add

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y if self.add else torch.cat([x, y], 1)


def _u(add: bool) -> Net:
    wide = 8 if add else 16
    return Net(
        _unet,
        a=conv(3, 8),
        b=nn.Conv2d(8, 8, 4, 2, 1),
        c=nn.Conv2d(8, 8, 4, 2, 1),
        d=nn.ConvTranspose2d(8, 8, 4, 2, 1),
        e=nn.ConvTranspose2d(wide, 8, 4, 2, 1),
        last=conv(wide, 3),
        join=Join(add),
    )


def _u_concatenated(a: float, b: float, c: float, d: float, e: float) -> float:
    down = 256 * 27 * a + 64 * 16 * a * b + 16 * 16 * b * c
    return down + 16 * 16 * c * d + 64 * 16 * (b + d) * e + 256 * 27 * (a + e)


def _u_added(a: float, b: float, c: float) -> float:
    return 256 * 27 * a + 64 * 16 * a * b + 16 * 16 * b * c + 16 * 16 * c * b + 64 * 16 * b * a + 256 * 27 * a


def _kernels(m: Net, x: Tensor) -> Tensor:
    """Branches of several kernels, weighted per channel by a softmax over the branches (SKNet)."""
    branches = torch.stack([branch(x) for branch in m.branches])
    z = torch.relu(m.squeeze(branches.sum(0).mean((2, 3))))
    weight = torch.stack([excite(z) for excite in m.excite]).softmax(0)
    return (branches * weight[..., None, None]).sum(0)


def _selective() -> Net:
    return Net(
        _kernels,
        branches=nn.ModuleList([conv(8, 8, 3), conv(8, 8, 5)]),
        squeeze=nn.Linear(8, 4),
        excite=nn.ModuleList([nn.Linear(4, 8), nn.Linear(4, 8)]),
    )


def _shuffled(m: Net, x: Tensor) -> Tensor:
    """A unit of ShuffleNet V2."""
    kept, changed = x.chunk(2, 1)
    y = torch.cat([kept, torch.relu(m.branch(changed))], 1)
    n, c, h, w = y.shape
    return y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, -1, h, w)


def _octave(m: Net, x: Tensor) -> Tensor:
    high, low = m.high(x), m.low(F.avg_pool2d(x, 2))
    up = F.interpolate(m.low_to_high(low), scale_factor=2)
    return m.last(torch.relu(m.high_to_high(high) + up))


def _gate(m: Net, x: Tensor) -> Tensor:
    """The attention gate of an attention U-Net."""
    h = m.first(x)
    g = m.signal(F.max_pool2d(h, 2))
    both = torch.relu(m.of_h(h) + F.interpolate(m.of_g(g), scale_factor=2, mode="bilinear"))
    return m.last(h * torch.sigmoid(m.score(both)))


def _branch(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers)


SKIPS = [
    Entry(
        "residual block",
        lambda: nn.Sequential(
            conv(3, 8), Net(lambda m, x: x + m.f(x), f=_branch(conv(8, 8), nn.ReLU(), conv(8, 8))), conv(8, 3)
        ),
        lambda a, b: S * (27 * a + 18 * a * b + 27 * a),
        AB,
        "the stream is one group, the channels inside the block another",
    ),
    Entry(
        "residual blocks with scaled branches",
        lambda: nn.Sequential(
            conv(3, 8),
            *[
                Net(lambda m, x: x + m.scale * m.f(x), f=conv(8, 8), scale=nn.Parameter(torch.randn(8, 1, 1)))
                for _ in range(2)
            ],
            conv(8, 3),
        ),
        lambda a: S * (27 * a + 18 * a * a + 27 * a),
        (8,),
        "all writers of the stream are one group, with the scales",
    ),
    Entry(
        "residual block that starts at zero",
        lambda: nn.Sequential(
            conv(3, 8),
            Net(lambda m, x: torch.add(x, m.f(x), alpha=0.5) * m.g, f=conv(8, 8), g=nn.Parameter(torch.ones(1))),
            conv(8, 3),
        ),
        lambda a: S * (27 * a + 9 * a * a + 27 * a),
        (8,),
        "one group; a scalar parameter stays",
    ),
    Entry(
        "concatenated skip",
        lambda: nn.Sequential(conv(3, 8), Net(lambda m, x: torch.cat([x, m.f(x)], 1), f=conv(8, 8)), conv(16, 3)),
        lambda a, b: S * (27 * a + 9 * a * b + 27 * (a + b)),
        AB,
        "concatenation ties nothing",
    ),
    Entry(
        "dense block",
        lambda: Net(_dense, first=conv(3, 8), layers=nn.ModuleList([conv(8, 4), conv(12, 4)]), last=conv(16, 3)),
        lambda a, b, c: S * (27 * a + 9 * a * b + 9 * (a + b) * c + 27 * (a + b + c)),
        (8, 4, 4),
        "concatenation ties nothing",
    ),
    Entry("U-Net", lambda: _u(False), _u_concatenated, (8,) * 5, "concatenated skips tie nothing", "3,16,16"),
    Entry("U-Net with added skips", lambda: _u(True), _u_added, (8,) * 3, "each scale is one group", "3,16,16"),
    Entry(
        "gated skip",
        lambda: nn.Sequential(conv(3, 8), Net(lambda m, x: x * torch.sigmoid(m.g(x)) + x, g=conv(8, 8, 1)), conv(8, 3)),
        lambda a: S * (27 * a + a * a + 27 * a),
        (8,),
        "the gate is tied to what it scales",
    ),
    Entry(
        "highway",
        lambda: nn.Sequential(
            conv(3, 8),
            Net(lambda m, x: torch.lerp(x, m.f(x), m.g(x).sigmoid()), f=conv(8, 8), g=conv(8, 8, 1)),
            conv(8, 3),
        ),
        lambda a: S * (27 * a + 9 * a * a + a * a + 27 * a),
        (8,),
        "stream, branch and gate are one group",
    ),
    Entry(
        "output added to the input image",
        lambda: Net(
            lambda m, x: x + m.c(torch.relu(m.b(torch.relu(m.a(x))))), a=conv(3, 8), b=conv(8, 8), c=conv(8, 3)
        ),
        lambda a, b: S * (27 * a + 9 * a * b + 27 * b),
        AB,
        "the image's three channels stay, the others are free",
    ),
    Entry(
        "input image concatenated in the middle",
        lambda: Net(
            lambda m, x: m.c(m.b(torch.cat([x, torch.relu(m.a(x))], 1))), a=conv(3, 8), b=conv(11, 8), c=conv(8, 3)
        ),
        lambda a, b: S * (27 * a + 9 * (a + 3) * b + 27 * b),
        AB,
        "three channels stay, the others are free",
    ),
    Entry(
        "coordinates concatenated",
        lambda: around(
            Net(lambda m, x: torch.cat([x, m.grid.expand(x.shape[0], -1, -1, -1)], 1), grid=torch.rand(1, 2, 8, 8)),
            given=10,
        ),
        lambda a, b: S * (27 * a + 9 * (a + 2) * b + 27 * b),
        AB,
        "two constant channels stay, the others are free",
    ),
    Entry(
        "sum of a list of branches",
        lambda: around(Net(lambda m, x: sum(f(x) for f in m.fs), fs=nn.ModuleList([conv(8, 8, 1), conv(8, 8, 3)]))),
        lambda a, b, c: S * (27 * a + 10 * a * b + 9 * b * c + 27 * c),
        (8, 8, 8),
        "branches write one group",
    ),
    Entry(
        "mean of a stack of branches",
        lambda: around(Net(lambda m, x: torch.stack([x, m.f(x)], 1).mean(1), f=conv(8, 8))),
        lambda a, b: S * (27 * a + 9 * a * a + 9 * a * b + 27 * b),
        AB,
        "a mean over the new axis ties its entries",
    ),
    Entry(
        "selective kernels",
        lambda: around(_selective()),
        lambda a, b, z, c: S * (27 * a + 34 * a * b + 9 * b * c + 27 * c) + 3 * b * z,
        (8, 8, 4, 8),
        "branches and their weights are one group; the squeezed vector is another",
    ),
    Entry(
        "inception block",
        lambda: around(
            Net(
                lambda m, x: torch.cat([f(x) for f in m.fs], 1),
                fs=nn.ModuleList([conv(8, 4, 1), conv(8, 4), _branch(nn.MaxPool2d(3, 1, 1), conv(8, 4, 1))]),
            ),
            given=12,
        ),
        lambda a, b, c, d, e: S * (27 * a + a * b + 9 * a * c + a * d + 9 * (b + c + d) * e + 27 * e),
        (8, 4, 4, 4, 8),
        "concatenation ties nothing",
    ),
    Entry(
        "projected skip at half size",
        lambda: Net(
            lambda m, x: m.last(F.interpolate(m.f(m.a(x)) + m.p(m.a(x)), scale_factor=2)),
            a=conv(3, 8),
            f=nn.Conv2d(8, 8, 3, 2, 1),
            p=nn.Conv2d(8, 8, 1, 2),
            last=conv(8, 3),
        ),
        lambda a, b: S * 2 * 27 * a + 16 * 10 * a * b + S * 27 * b,
        AB,
        "branch and projection write one group; the first layer runs twice",
    ),
    Entry(
        "zeros padded to more channels",
        lambda: around(Net(lambda m, x: F.pad(x, (0, 0, 0, 0, 0, 4)) + m.f(x), f=conv(8, 12)), given=12),
        lambda b: S * (27 * 8 + 9 * 8 * 12 + 9 * 12 * b + 27 * b),
        B,
        "the number of padded channels is in the code, so that both sides stay",
    ),
    Entry(
        "shuffle unit",
        lambda: around(Net(_shuffled, branch=conv(8, 8)), width=16),
        lambda a, b: S * (27 * 2 * a + 9 * a * a + 9 * 2 * a * b + 27 * b),
        AB,
        "the halves are tied, and the branch is tied to its half by the shuffle",
    ),
    Entry(
        "octave convolution",
        lambda: Net(
            _octave, high=conv(3, 8), low=conv(3, 4), low_to_high=conv(4, 8), high_to_high=conv(8, 8), last=conv(8, 3)
        ),
        lambda a, b, c: S * (27 * a + 9 * a * c + 27 * c) + 16 * (27 * b + 9 * b * c),
        (8, 4, 8),
        "both paths write one group at the end",
    ),
    Entry(
        "attention gate",
        lambda: Net(
            _gate,
            first=conv(3, 8),
            signal=conv(8, 8),
            of_h=conv(8, 4, 1),
            of_g=conv(8, 4, 1),
            score=conv(4, 1, 1),
            last=conv(8, 3),
        ),
        lambda a, g, i: S * (27 * a + a * i + i + 27 * a) + 16 * (9 * a * g + g * i),
        (8, 8, 4),
        "stream, signal and inner channels; a map of one channel scales them all",
    ),
]
