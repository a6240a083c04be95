"""Channels taken apart: chunk, split, slices, selection."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..entry import AB, B, Entry, Net, S, around, both, conv, second


def _two_paths(m: Net, x: Tensor) -> Tensor:
    first, rest = x.chunk(2, dim=1)
    return torch.cat([m.p(first), m.q(rest)], 1)


def _halves(x: Tensor) -> Tensor:
    c = x.shape[1] // 2
    return x[:, :c] * x[:, c:]


def _narrowed(x: Tensor) -> Tensor:
    c = x.size(1) // 2
    return x.narrow(1, 0, c) + x.narrow(1, c, c)


def _by_view(x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    first, rest = x.view(n, 2, c // 2, h, w).unbind(1)
    return first * rest


def _by_tensor_split(x: Tensor) -> Tensor:
    first, rest = torch.tensor_split(x, 2, dim=1)
    return first - rest


def _partial(m: Net, x: Tensor) -> Tensor:
    """FasterNet: a convolution of the first channels, their number stored; the rest passes."""
    first, rest = torch.split(x, [m.n, x.shape[1] - m.n], dim=1)
    return torch.cat([m.f(first), rest], 1)


def _quarter(m: Net, x: Tensor) -> Tensor:
    c = x.shape[1] // 4
    return torch.cat([torch.tanh(x[:, :c]), x[:, c:]], 1)


def _hierarchy(m: Net, x: Tensor) -> Tensor:
    """Res2Net: each part is convolved together with the one before."""
    parts = list(x.chunk(4, 1))
    for i in range(1, 4):
        parts[i] = torch.relu(m.convs[i - 1](parts[i] + parts[i - 1]))
    return torch.cat(parts, 1)


def _sides(m: Net, x: Tensor) -> Tensor:
    left, right = x[..., :4], x[..., 4:]
    return torch.cat([m.p(left), m.q(right)], 3)


def _fixed_number(m: Net) -> Net:
    m.n = 2
    return m


def _halved(a: float, b: float) -> float:
    return both(a, b) + 64 * 27 * a


PAIRS = "both halves keep as many channels: tied in pairs"
NUMBERED = "the code picks channels by number, so that they stay"

SPLITS = [
    Entry(
        "two paths by chunk",
        lambda: around(Net(_two_paths, p=conv(8, 8), q=conv(8, 8, 1)), width=16, given=16),
        lambda a, p, q, c: S * (27 * 2 * a + 9 * a * p + a * q + 9 * (p + q) * c + 27 * c),
        (8, 8, 8, 8),
        PAIRS,
    ),
    Entry("product of slices at the middle", lambda: around(_halves, width=16, given=8), _halved, AB, PAIRS),
    Entry("sum of narrow", lambda: around(_narrowed, width=16, given=8), _halved, AB, PAIRS),
    Entry("halves by view and unbind", lambda: around(_by_view, width=16, given=8), _halved, AB, PAIRS),
    Entry("halves by tensor_split", lambda: around(_by_tensor_split, width=16, given=8), _halved, AB, PAIRS),
    Entry(
        "even and odd channels",
        lambda: around(lambda x: x[:, ::2] * x[:, 1::2], width=16, given=8),
        _halved,
        AB,
        "neighbors are tied in pairs",
    ),
    Entry(
        "first half by select",
        lambda: around(lambda x: torch.select(x.unflatten(1, (2, -1)), 1, 0), width=16, given=8),
        _halved,
        AB,
        "the view needs two halves of one size: tied in pairs",
    ),
    Entry(
        "a quarter by slices",
        lambda: around(Net(_quarter)),
        lambda a, b: both(4 * a, b),
        (2, 8),
        "the border is at c // 4: quarters that keep as many channels leave it where it belongs",
    ),
    Entry(
        "partial convolution of a stored number of channels",
        lambda: around(_fixed_number(Net(_partial, f=conv(2, 2)))),
        lambda a, f, b: S * (27 * (2 + a) + 9 * 2 * f + 9 * (f + a) * b + 27 * b),
        (6, 2, 8),
        "the first two stay, the rest is as wide as it is, and the convolution's outputs are free",
    ),
    Entry(
        "split by numbers",
        lambda: around(lambda x: sum(x.split([4, 4], 1)), given=4),
        lambda b: S * (27 * 8 + 36 * b + 27 * b),
        B,
        NUMBERED,
    ),
    Entry(
        "channels in another order by a list",
        lambda: around(lambda x: x[:, [1, 0, 3, 2, 5, 4, 7, 6]]),
        second,
        B,
        NUMBERED,
    ),
    Entry(
        "channels in another order by index_select",
        lambda: around(Net(lambda m, x: x.index_select(1, m.order), order=torch.tensor([2, 0, 1, 5, 3, 4, 7, 6]))),
        second,
        B,
        NUMBERED,
    ),
    Entry(
        "channels in reverse added",
        lambda: around(lambda x: x + torch.relu(x.flip(1))),
        lambda a, b: both(2 * a, b),
        (4, 8),
        "a channel is tied to its mirror image",
    ),
    Entry(
        "channels rolled and added",
        lambda: around(lambda x: x + torch.relu(x.roll(1, 1))),
        second,
        B,
        "a ring: all are tied",
    ),
    Entry(
        "hierarchy of quarters",
        lambda: around(Net(_hierarchy, convs=nn.ModuleList([conv(4, 4) for _ in range(3)])), width=16),
        lambda a, b: S * (27 * 4 * a + 27 * a * a + 9 * 4 * a * b + 27 * b),
        (4, 8),
        "chunk and additions tie the four parts",
    ),
    Entry(
        "two sides of the image",
        lambda: around(Net(_sides, p=conv(8, 8), q=conv(8, 8))),
        lambda a, b, c: S * (27 * a + 9 * a * b + 9 * b * c + 27 * c),
        (8, 8, 8),
        "concatenation along the image ties both writers",
    ),
    Entry(
        "two of the channels shown as a mask",
        lambda: around(lambda x: x[:, 2:] * torch.sigmoid(x[:, :1] + x[:, 1:2]), width=10, given=8),
        lambda a, b: S * (27 * (2 + a) + 9 * a * b + 27 * b),
        AB,
        "the first two stay, and the rest is as wide as it is",
    ),
]
