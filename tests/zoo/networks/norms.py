"""Norms of every kind, as modules, as functions and written out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..entry import AB, B, Entry, Net, S, around, both, conv, second


class Norm32(nn.GroupNorm):
    """Group norm that always works in float32."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float()).type(x.dtype)


class PixelNorm(nn.Module):
    """Vectors of unit length at each pixel."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


def _last(norm: nn.Module) -> Net:
    return Net(lambda m, x: m.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), norm=norm)


def _by_moments(x: Tensor) -> Tensor:
    mean = x.mean((2, 3), keepdim=True)
    return (x - mean) / (x.var((2, 3), keepdim=True) + 1e-5).sqrt()


def _var_mean(x: Tensor) -> Tensor:
    variance, mean = torch.var_mean(x, dim=(2, 3), keepdim=True)
    return (x - mean) * torch.rsqrt(variance + 1e-5)


def _mixed(m: Net, x: Tensor) -> Tensor:
    """Instance and layer norm in a learned proportion (U-GAT-IT)."""
    by_image = (x - x.mean((1, 2, 3), keepdim=True)) / (x.var((1, 2, 3), keepdim=True) + 1e-5).sqrt()
    return m.gamma * (m.rho * _by_moments(x) + (1 - m.rho) * by_image) + m.beta


def _mix() -> Net:
    return Net(
        _mixed,
        rho=nn.Parameter(torch.full((1, 8, 1, 1), 0.7)),
        gamma=nn.Parameter(torch.ones(1, 8, 1, 1)),
        beta=nn.Parameter(torch.randn(1, 8, 1, 1)),
    )


def _half(m: Net, x: Tensor) -> Tensor:
    first, rest = torch.chunk(x, 2, dim=1)
    return torch.cat([m.norm(first), rest], 1)


def _functional_batch(m: Net, x: Tensor) -> Tensor:
    return F.batch_norm(x, m.mean, m.var, m.weight, m.bias)


def _standardised(m: Net, x: Tensor) -> Tensor:
    w = m.conv.weight
    w = (w - w.mean((1, 2, 3), keepdim=True)) / (w.std((1, 2, 3), keepdim=True) + 1e-5)
    return F.conv2d(x, w, m.conv.bias, padding=1)


def _context(m: Net, x: Tensor) -> Tensor:
    return x + m.f(x.mean((2, 3), keepdim=True))


def _convnext(m: Net, x: Tensor) -> Tensor:
    h = m.norm(m.depthwise(x).permute(0, 2, 3, 1))
    h = m.narrow(m.middle(F.gelu(m.widen(h))))
    return x + (m.gamma * h).permute(0, 3, 1, 2)


def _block(middle: nn.Module) -> Net:
    return Net(
        _convnext,
        depthwise=conv(8, 8, 7, groups=8),
        norm=nn.LayerNorm(8),
        widen=nn.Linear(8, 32),
        middle=middle,
        narrow=nn.Linear(32, 8),
        gamma=nn.Parameter(torch.full((8,), 0.5)),
    )


def _response(m: Net, x: Tensor) -> Tensor:
    """Global response norm of ConvNeXt V2."""
    size = torch.norm(x, p=2, dim=(1, 2), keepdim=True)
    return m.gamma * (x * (size / (size.mean(dim=-1, keepdim=True) + 1e-6))) + m.beta + x


def _grn() -> Net:
    return Net(_response, gamma=nn.Parameter(torch.randn(32)), beta=nn.Parameter(torch.randn(32)))


OWN = "a norm per channel goes with its channel"
OVER = "its statistics are taken over channels; that dropped ones could be left out of them is not counted on"


class MovingNorm(nn.LayerNorm):
    """Torch's layer norm, over the channels of an image."""

    def forward(self, x: Tensor) -> Tensor:
        moved = x.permute(0, 2, 3, 1)
        return F.layer_norm(moved, self.normalized_shape, self.weight, self.bias, self.eps).permute(0, 3, 1, 2)


NORMS = [
    Entry("batch norm", lambda: around(nn.BatchNorm2d(8), nn.ReLU()), both, AB, OWN),
    Entry("batch norm without affine", lambda: around(nn.BatchNorm2d(8, affine=False)), both, AB, OWN),
    Entry("synchronized batch norm", lambda: around(nn.SyncBatchNorm(8)), both, AB, OWN),
    Entry(
        "batch norm as a function",
        lambda: around(
            Net(
                _functional_batch,
                mean=torch.randn(8),
                var=torch.rand(8) + 0.5,
                weight=nn.Parameter(torch.randn(8)),
                bias=nn.Parameter(torch.randn(8)),
            )
        ),
        both,
        AB,
        "own parameters and buffers of one axis go with the channels",
    ),
    Entry("instance norm", lambda: around(nn.InstanceNorm2d(8)), both, AB, OWN),
    Entry(
        "instance norm with affine and running statistics",
        lambda: around(nn.InstanceNorm2d(8, affine=True, track_running_stats=True)),
        both,
        AB,
        OWN,
    ),
    Entry("instance norm as a function", lambda: around(F.instance_norm), both, AB, OWN),
    Entry("instance norm by mean and var", lambda: around(_by_moments), both, AB, "statistics of each channel alone"),
    Entry("instance norm by var_mean", lambda: around(_var_mean), both, AB, "statistics of each channel alone"),
    Entry(
        "norm, activation, convolution",
        lambda: nn.Sequential(nn.BatchNorm2d(3), conv(3, 8), nn.BatchNorm2d(8), nn.ReLU(), conv(8, 8), conv(8, 3)),
        both,
        AB,
        "only the norm of the input's three channels stays, and it has no MACs",
    ),
    Entry(
        "group norm",
        lambda: around(nn.GroupNorm(2, 8), nn.SiLU()),
        lambda a, b: both(2 * a, b),
        (4, 8),
        "two norm groups keep the same of their four channels each",
    ),
    Entry(
        "group norm with one group",
        lambda: around(nn.GroupNorm(1, 8)),
        both,
        AB,
        "one norm group of any number of channels",
    ),
    Entry(
        "group norm with a channel per group",
        lambda: around(nn.GroupNorm(8, 8)),
        both,
        AB,
        "a norm group is a channel, and goes with it",
    ),
    Entry(
        "group norm in float32",
        lambda: around(Norm32(2, 8)),
        lambda a, b: both(2 * a, b),
        (4, 8),
        "as group norm; a subclass of the module, that rounds to float32",
        in_float32=True,
    ),
    Entry(
        "layer norm over the last axis", lambda: around(_last(nn.LayerNorm(8))), both, AB, "a module's norm is masked"
    ),
    Entry("RMS norm over the last axis", lambda: around(_last(nn.RMSNorm(8))), both, AB, "a module's norm is masked"),
    Entry("layer norm over channels and pixels", lambda: around(nn.LayerNorm([8, 8, 8])), second, B, OVER),
    Entry(
        "layer norm as a function",
        lambda: around(lambda x: F.layer_norm(x.permute(0, 2, 3, 1), x.shape[1:2]).permute(0, 3, 1, 2)),
        second,
        B,
        OVER,
    ),
    Entry(
        "pixel norm",
        lambda: around(lambda x: x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)),
        second,
        B,
        OVER,
    ),
    Entry("pixel norm in a module", lambda: around(PixelNorm()), second, B, OVER),
    Entry(
        "pixel norm in a module called by name",
        lambda: around(Net(lambda m, x: m.norm(x=x) + 0, norm=PixelNorm())),
        second,
        B,
        OVER,
    ),
    Entry(
        "unit vectors in a module with two inputs",
        lambda: around(Net(lambda m, x: m.norm(x, x.mean((2, 3))), norm=Net(lambda m, x, _: F.normalize(x, dim=1)))),
        second,
        B,
        OVER,
    ),
    Entry("unit vectors by normalize", lambda: around(lambda x: F.normalize(x, dim=1)), second, B, OVER),
    Entry(
        "unit vectors by norm",
        lambda: around(lambda x: x / (x.norm(dim=1, keepdim=True) + 1e-6)),
        second,
        B,
        OVER,
    ),
    Entry(
        "unit vectors by a norm of order three",
        lambda: around(lambda x: x / (x.norm(p=3, dim=1, keepdim=True) + 1e-6)),
        second,
        B,
        OVER,
    ),
    Entry(
        "unit images by vector_norm",
        lambda: around(lambda x: x / (torch.linalg.vector_norm(x, dim=(2, 3))[:, :, None, None] + 1e-6)),
        both,
        AB,
        "the norm is taken over the image's axes alone",
    ),
    Entry(
        "mean of everything, with a type",
        lambda: around(lambda x: x - x.mean(dtype=x.dtype)),
        second,
        B,
        OVER,
    ),
    Entry(
        "mean of the image, with a type",
        lambda: around(lambda x: x - x.mean((2, 3), keepdim=True, dtype=x.dtype)),
        both,
        AB,
        "the mean is taken over the image's axes alone",
    ),
    Entry("instance and layer norm mixed", lambda: around(_mix()), second, B, OVER),
    Entry(
        "half instance norm by chunk",
        lambda: around(Net(_half, norm=nn.InstanceNorm2d(8, affine=True)), width=16),
        lambda a, b: both(2 * a, b),
        (8, 8),
        "both halves keep as many channels, so that the border stays in the middle",
    ),
    Entry(
        "local response norm", lambda: around(nn.LocalResponseNorm(3)), second, B, "it sums over neighbors' channels"
    ),
    Entry(
        "layer norm of a context",
        lambda: nn.Sequential(
            conv(3, 8),
            Net(_context, f=nn.Sequential(conv(8, 4, 1), nn.LayerNorm([4, 1, 1]), conv(4, 8, 1))),
            conv(8, 3),
        ),
        lambda a, c: S * 27 * 2 * a + 2 * a * c,
        (8, 4),
        "the axes behind the channels have size 1, so that it is a norm over channels",
    ),
    Entry(
        "standardized weights",
        lambda: around(Net(_standardised, conv=conv(8, 8))),
        lambda b, c: S * (27 * 8 + 9 * 8 * b + 9 * b * c + 27 * c),
        AB,
        "the mean over a weight's inputs changes with them, so that these stay; its outputs can go",
    ),
    Entry(
        "ConvNeXt block",
        lambda: nn.Sequential(conv(3, 8), _block(nn.Identity()), conv(8, 3)),
        lambda a, h: S * (27 * a + 49 * a + 2 * a * h + 27 * a),
        (8, 32),
        "the stream and the hidden channels; norms and scales go along",
    ),
    Entry(
        "ConvNeXt block with response norm",
        lambda: nn.Sequential(conv(3, 8), _block(_grn()), conv(8, 3)),
        lambda a: S * (27 * a + 49 * a + 2 * a * 32 + 27 * a),
        (8,),
        "the response norm takes a mean over hidden channels, which stay; the stream can go",
    ),
    Entry(
        "layer norm that moves channels",
        lambda: around(MovingNorm(8)),
        both,
        AB,
        "a class made of torch's norm moves channels to the last axis; run on the kept ones it is the cut norm",
    ),
]
