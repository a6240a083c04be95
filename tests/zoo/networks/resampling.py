"""Changes of the image's size, and moves of its pixels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..entry import AB, Entry, Net, S, around, both, conv
from .weights import ALL


def _to_depth(x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, c, h // 2, 2, w // 2, 2).permute(0, 3, 5, 1, 2, 4).reshape(n, 4 * c, h // 2, w // 2)


def _haar(x: Tensor) -> Tensor:
    a, b, c, d = x[..., ::2, ::2], x[..., ::2, 1::2], x[..., 1::2, ::2], x[..., 1::2, 1::2]
    return torch.cat([a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d], 1) / 2


def _warp(m: Net, x: Tensor) -> Tensor:
    h = m.a(x)
    flow = torch.tanh(m.flow(h)).permute(0, 2, 3, 1)
    still = F.affine_grid(m.still.expand(x.shape[0], -1, -1), list(x.shape), align_corners=False)
    return m.c(F.grid_sample(h, still + 0.2 * flow, align_corners=False))


def _segmented(m: Net, x: Tensor) -> Tensor:
    h, where = F.max_pool2d(torch.relu(m.a(x)), 2, return_indices=True)
    return m.c(F.max_unpool2d(torch.relu(m.b(h)), where, 2))


def _pyramid(m: Net, x: Tensor) -> Tensor:
    levels = [F.interpolate(f(F.adaptive_avg_pool2d(x, n)), x.shape[2:]) for n, f in zip((1, 2, 4), m.fs, strict=True)]
    return torch.cat([x, *levels], 1)


def _with_zeros(x: Tensor) -> Tensor:
    """Zeros between pixels, as in StyleGAN's upfirdn."""
    n, c, h, w = x.shape
    x = F.pad(x.reshape(n, c, h, 1, w, 1), [0, 1, 0, 0, 0, 1])
    return x.reshape(n, c, h * 2, w * 2)


def _max_and_where(x: Tensor) -> Tensor:
    values, _ = F.adaptive_max_pool2d(x, 4, return_indices=True)
    return values


def _blur_pool(m: Net, x: Tensor) -> Tensor:
    return F.conv2d(
        F.pad(x, (1, 1, 1, 1), mode="reflect"), m.kernel.repeat(x.shape[1], 1, 1, 1), stride=2, groups=x.shape[1]
    )


def half(a: float, b: float) -> float:
    """`both` if the trait gives images of half the size."""
    return S * 27 * a + 16 * (9 * a * b + 27 * b)


def double(a: float, b: float) -> float:
    """`both` if the trait gives images of twice the size."""
    return S * 27 * a + 256 * (9 * a * b + 27 * b)


AXES = "it works on the image's axes alone"

RESAMPLING = [
    Entry(
        "pixel shuffle",
        lambda: around(conv(8, 32), nn.PixelShuffle(2)),
        lambda a, b, c: S * (27 * a + 36 * a * b) + 256 * (9 * b * c + 27 * c),
        ALL,
        "four outputs go as one channel",
    ),
    Entry(
        "pixel unshuffle",
        lambda: around(nn.PixelUnshuffle(2), given=32),
        lambda a, b: S * 27 * a + 16 * (36 * a * b + 27 * b),
        AB,
        "four inputs go as one channel",
    ),
    Entry(
        "depth from space by view and permute",
        lambda: around(_to_depth, given=32),
        lambda a, b: S * 27 * a + 16 * (36 * a * b + 27 * b),
        AB,
        "four inputs go as one channel",
    ),
    Entry(
        "Haar bands",
        lambda: around(_haar, given=32),
        lambda a, b: S * 27 * a + 16 * (36 * a * b + 27 * b),
        AB,
        "four bands go as one channel",
    ),
    Entry("nearest neighbor", lambda: around(nn.Upsample(scale_factor=2)), double, AB, AXES),
    Entry(
        "bilinear to a size",
        lambda: around(lambda x: F.interpolate(x, size=[16, 16], mode="bilinear", align_corners=True)),
        double,
        AB,
        AXES,
    ),
    Entry(
        "bicubic with antialiasing",
        lambda: around(lambda x: F.interpolate(x, scale_factor=0.5, mode="bicubic", antialias=True)),
        half,
        AB,
        AXES,
    ),
    Entry(
        "area and exact nearest",
        lambda: around(lambda x: F.interpolate(F.interpolate(x, size=4, mode="area"), size=8, mode="nearest-exact")),
        both,
        AB,
        AXES,
    ),
    Entry(
        "average and maximum pools", lambda: around(lambda x: F.avg_pool2d(x, 2) + F.max_pool2d(x, 2)), half, AB, AXES
    ),
    Entry("power-average pool", lambda: around(nn.ReLU(), nn.LPPool2d(2, 2)), half, AB, AXES),
    Entry(
        "adaptive pools", lambda: around(lambda x: F.adaptive_avg_pool2d(x, (4, 4)) + _max_and_where(x)), half, AB, AXES
    ),
    Entry(
        "unpooling by places",
        lambda: Net(_segmented, a=conv(3, 8), b=conv(8, 8), c=conv(8, 3)),
        lambda a: S * 54 * a + 16 * 9 * a * a,
        (8,),
        "places belong to the channels that they came from",
    ),
    Entry(
        "pyramid pooling",
        lambda: around(Net(_pyramid, fs=nn.ModuleList([conv(8, 2, 1) for _ in range(3)])), given=14),
        lambda a, b, c, d, e: both(a, e) + a * (b + 4 * c + 16 * d) + S * 9 * (b + c + d) * e,
        (8, 2, 2, 2, 8),
        "concatenation ties nothing",
    ),
    Entry("zeros between pixels", lambda: around(_with_zeros), double, AB, AXES),
    Entry(
        "blur pool",
        lambda: around(Net(_blur_pool, kernel=torch.rand(1, 1, 3, 3))),
        lambda a, b: half(a, b) + 16 * 9 * a,
        AB,
        "the kernel is repeated as often as there are channels",
    ),
    Entry(
        "repeated pixels",
        lambda: around(lambda x: x.repeat_interleave(2, 2).repeat_interleave(2, dim=3)),
        double,
        AB,
        AXES,
    ),
    Entry(
        "crop",
        lambda: around(lambda x: F.pad(x[:, :, 1:-1, 1:-1], (1, 1, 1, 1)), lambda x: F.pad(x, (-2, -2, -2, -2))),
        half,
        AB,
        AXES,
    ),
    Entry(
        "rolled and flipped pixels",
        lambda: around(lambda x: x.roll((1, -2), (2, 3)).flip(3).rot90(1, (2, 3))),
        both,
        AB,
        AXES,
    ),
    Entry(
        "warp by a flow",
        lambda: Net(_warp, a=conv(3, 8), flow=conv(8, 2), still=torch.tensor([[[1.0, 0, 0], [0, 1, 0]]]), c=conv(8, 3)),
        lambda a: S * (54 * a + 18 * a),
        (8,),
        "pixels are picked alike in each channel; the flow's two channels stay",
    ),
    Entry(
        "filter in the frequency domain",
        lambda: around(
            Net(
                lambda m, x: torch.fft.irfft2(torch.fft.rfft2(x) * m.gain, s=(8, 8)),
                gain=nn.Parameter(torch.rand(8, 8, 5)),
            )
        ),
        both,
        AB,
        AXES + "; gains go with their channels",
    ),
    Entry(
        "sub-pixel output",
        lambda: nn.Sequential(conv(3, 8), nn.ReLU(), conv(8, 12), nn.PixelShuffle(2)),
        lambda a: S * (27 * a + 9 * 12 * a),
        (8,),
        "the shuffle gives the output image, whose channels stay",
    ),
    Entry(
        "two steps up by one layer",
        lambda: Net(
            lambda m, x: m.last(m.up(F.interpolate(m.up(F.interpolate(m.first(x), scale_factor=2)), scale_factor=2))),
            first=conv(3, 8),
            up=conv(8, 8),
            last=conv(8, 3),
        ),
        lambda a: S * 27 * a + (256 + 1024) * 9 * a * a + 1024 * 27 * a,
        (8,),
        "the shared layer writes what it reads: one group",
    ),
]
