"""Convolutions of every kind, and layers that stand for one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..entry import AB, B, Entry, Net, S, around, both, conv, second
from .weights import ALL, three


class Same(nn.Conv2d):
    """A convolution that pads as TensorFlow does, in its own forward."""

    def forward(self, x: Tensor) -> Tensor:
        k, s = self.kernel_size[0], self.stride[0]
        total = max((-(-x.shape[-1] // s) - 1) * s + k - x.shape[-1], 0)
        x = F.pad(x, [total // 2, total - total // 2] * 2)
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def _volume(m: Net, x: Tensor) -> Tensor:
    h = x[:, :, None].repeat(1, 1, 4, 1, 1)
    h = m.norm(m.b(F.relu(m.a(h))))
    return m.last(F.avg_pool3d(h, (4, 1, 1)).squeeze(2))


def _gated(m: Net, x: Tensor) -> Tensor:
    return F.elu(m.feature(x)) * torch.sigmoid(m.gate(x))


def _partial(m: Net, x: Tensor, mask: Tensor) -> Tensor:
    """A convolution of what a mask leaves, weighted by how much that is."""
    h = m.first(x * mask)
    seen = F.conv2d(mask, m.ones, padding=1)
    h = (h - m.first.bias.view(1, -1, 1, 1)) * (9 / seen.clamp(min=1)) + m.first.bias.view(1, -1, 1, 1)
    return m.last(torch.relu(m.next(h * (seen > 0).to(h.dtype))))


def _involution(m: Net, x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    kernel = m.span(torch.relu(m.squeeze(x))).view(n, 1, 9, h, w)
    return (kernel * F.unfold(x, 3, padding=1).view(n, c, 9, h, w)).sum(2)


def _unfolded(m: Net, x: Tensor) -> Tensor:
    columns = F.unfold(x, 3, padding=1).transpose(1, 2)
    return m.f(columns).transpose(1, 2).unflatten(2, (8, 8))


def _inverted(m: Net, x: Tensor) -> Tensor:
    h = F.relu6(m.depthwise(F.relu6(m.widen(x))))
    weight = torch.sigmoid(m.excite(torch.relu(m.squeeze(F.adaptive_avg_pool2d(h, 1)))))
    return x + m.narrow(h * weight)


def _pad(layer: nn.Module) -> nn.Sequential:
    return around(layer, nn.Conv2d(8, 8, 3))


def _latent(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Unflatten(1, (-1, 1, 1)), *layers)


FREE = "each layer's outputs are a group"

CONVOLUTIONS = [
    Entry(
        "strides and transposed convolutions",
        lambda: nn.Sequential(
            conv(3, 8), nn.Conv2d(8, 8, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 8, 4, 2, 1), conv(8, 3)
        ),
        lambda a, b, c: S * (27 * a + 27 * c) + 16 * 16 * (a * b + b * c),
        ALL,
        FREE,
    ),
    Entry(
        "transposed convolution with output padding",
        lambda: around(nn.MaxPool2d(2), nn.ConvTranspose2d(8, 8, 3, 2, 1, 1)),
        lambda a, b, c: three(a, b, c) - 48 * 9 * a * b,
        ALL,
        FREE,
    ),
    Entry(
        "depthwise convolution",
        lambda: around(conv(8, 8, groups=8)),
        lambda a, b: both(a, b) + S * 9 * a,
        AB,
        "a kernel per channel goes with it",
    ),
    Entry(
        "depthwise convolution with two kernels per channel",
        lambda: around(conv(8, 16, groups=8), given=16),
        lambda a, b: S * (27 * a + 18 * a + 18 * a * b + 27 * b),
        AB,
        "both kernels of a channel go with it",
    ),
    Entry(
        "depthwise convolution after a point",
        lambda: around(conv(8, 8, 1), conv(8, 8, groups=8)),
        lambda a, b, c: S * (27 * a + a * b + 9 * b + 9 * b * c + 27 * c),
        ALL,
        "a kernel per channel goes with it",
    ),
    Entry(
        "depthwise transposed convolution",
        lambda: around(nn.AvgPool2d(2), nn.ConvTranspose2d(8, 8, 4, 2, 1, groups=8, bias=False)),
        lambda a, b: both(a, b) + 16 * 16 * a,
        AB,
        "a kernel per channel goes with it",
    ),
    Entry(
        "grouped convolution",
        lambda: around(conv(8, 8, groups=2)),
        lambda a, b, c: S * (27 * 2 * a + 9 * a * 2 * b + 9 * 2 * b * c + 27 * c),
        (4, 4, 8),
        "both convolution groups keep the same of their channels",
    ),
    Entry(
        "grouped transposed convolution",
        lambda: around(nn.ConvTranspose2d(8, 8, 3, 1, 1, groups=2)),
        lambda a, b, c: S * (27 * 2 * a + 9 * a * 2 * b + 9 * 2 * b * c + 27 * c),
        (4, 4, 8),
        "both convolution groups keep the same of their channels",
    ),
    Entry(
        "grouped convolution and channel shuffle",
        lambda: around(conv(8, 8, groups=2), nn.ChannelShuffle(2)),
        lambda a, b, c: S * (27 * 2 * a + 9 * a * 2 * b + 9 * 2 * b * c + 27 * c),
        (4, 4, 8),
        "the shuffle moves channels of groups that keep as many",
    ),
    Entry("dilated convolutions", lambda: around(nn.Conv2d(8, 8, 3, padding=2, dilation=2)), three, ALL, FREE),
    Entry(
        "rows and columns",
        lambda: around(nn.Conv2d(8, 8, (1, 3), padding=(0, 1)), nn.Conv2d(8, 8, (3, 1), padding=(1, 0))),
        lambda a, b, c, d: S * (27 * a + 3 * a * b + 3 * b * c + 9 * c * d + 27 * d),
        (8, 8, 8, 8),
        FREE,
    ),
    Entry(
        "padding by a word",
        lambda: around(nn.Conv2d(8, 8, 5, padding="same")),
        lambda a, b, c: three(a, b, c) + S * 16 * a * b,
        ALL,
        FREE,
    ),
    Entry("reflected padding of a convolution", lambda: around(conv(8, 8, padding_mode="reflect")), three, ALL, FREE),
    Entry("circular padding of a convolution", lambda: around(conv(8, 8, padding_mode="circular")), three, ALL, FREE),
    Entry("reflection pad", lambda: _pad(nn.ReflectionPad2d(1)), three, ALL, FREE),
    Entry("replication pad", lambda: _pad(nn.ReplicationPad2d(1)), three, ALL, FREE),
    Entry("zero pad", lambda: _pad(nn.ZeroPad2d((2, 0, 1, 1))), three, ALL, FREE),
    Entry(
        "padding in a subclass",
        lambda: around(Same(8, 8, 3), nn.ReLU(), Same(8, 8, 3, groups=8)),
        lambda a, b, c: three(a, b, c) + S * 9 * b,
        ALL,
        "the subclass takes its sizes from its tensors and attributes",
    ),
    Entry(
        "one dimension",
        lambda: nn.Sequential(
            nn.Conv1d(1, 8, 5, padding=2), nn.ReflectionPad1d(2), nn.Conv1d(8, 8, 5), nn.Conv1d(8, 1, 5, padding=2)
        ),
        lambda a, b: 32 * (5 * a + 5 * a * b + 5 * b),
        AB,
        FREE,
        inputs="audio:1,32",
    ),
    Entry(
        "one dimension, upward",
        lambda: nn.Sequential(
            nn.Conv1d(1, 8, 7, padding=3),
            nn.LeakyReLU(0.1),
            nn.ConvTranspose1d(8, 8, 4, 2, 1),
            nn.Conv1d(8, 1, 7, padding=3),
        ),
        lambda a, b: 16 * (7 * a + 4 * a * b) + 32 * 7 * b,
        AB,
        FREE,
        inputs="audio:1,16",
    ),
    Entry(
        "three dimensions",
        lambda: Net(
            _volume,
            a=nn.Conv3d(3, 8, 3, padding=1),
            b=nn.Conv3d(8, 8, 3, padding=1),
            norm=nn.BatchNorm3d(8),
            last=conv(8, 3),
        ),
        lambda a, b: 4 * S * (81 * a + 27 * a * b) + S * 27 * b,
        AB,
        FREE,
    ),
    Entry(
        "gated convolution",
        lambda: around(Net(_gated, feature=conv(8, 8), gate=conv(8, 8))),
        lambda a, b, c: three(a, b, c) + S * 9 * a * b,
        ALL,
        "feature and gate write one group",
    ),
    Entry(
        "partial convolution with a mask",
        lambda: Net(_partial, first=conv(3, 8), ones=torch.ones(1, 1, 3, 3), next=conv(8, 8), last=conv(8, 3)),
        lambda a, b: both(a, b) + S * 9,
        AB,
        "the mask has one channel",
        inputs="image:3,8,8;mask:1,8,8",
    ),
    Entry(
        "involution",
        lambda: around(Net(_involution, squeeze=conv(8, 4, 1), span=conv(4, 9, 1))),
        lambda a, r, b: both(a, b) + S * (a * r + 9 * r),
        (8, 4, 8),
        "unfold keeps nine places of each channel, and the kernel's nine numbers stay",
    ),
    Entry(
        "unfold and a linear layer",
        lambda: around(Net(_unfolded, f=nn.Linear(72, 8))),
        three,
        ALL,
        "nine columns of the linear layer go with a channel",
    ),
    Entry(
        "inverted residual with squeeze and excitation",
        lambda: nn.Sequential(
            conv(3, 8),
            Net(
                _inverted,
                widen=conv(8, 32, 1),
                depthwise=conv(32, 32, groups=32),
                squeeze=conv(32, 4, 1),
                excite=conv(4, 32, 1),
                narrow=conv(32, 8, 1),
            ),
            conv(8, 3),
        ),
        lambda a, h, r: S * (54 * a + 2 * a * h + 9 * h) + 2 * h * r,
        (8, 32, 4),
        "stream, wide channels and squeezed ones",
    ),
    Entry(
        "from a latent by transposed convolutions",
        lambda: _latent(
            nn.ConvTranspose2d(8, 8, 4),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 8, 4, 2, 1),
            nn.ConvTranspose2d(8, 3, 3, 1, 1),
        ),
        lambda a, b: 16 * 8 * a + 16 * 16 * a * b + 64 * 27 * b,
        AB,
        "the latent's eight numbers stay",
        inputs="latent:8",
    ),
    Entry(
        "from a latent by a linear layer",
        lambda: Net(
            lambda m, z: m.last(m.next(m.start(z).view(z.shape[0], -1, 4, 4))),
            start=nn.Linear(8, 128),
            next=nn.ConvTranspose2d(8, 8, 4, 2, 1),
            last=conv(8, 3),
        ),
        lambda a, b: 8 * 16 * a + 16 * 16 * a * b + 64 * 27 * b,
        AB,
        "sixteen rows of the linear layer go with a channel",
        inputs="latent:8",
    ),
    Entry(
        "from a latent by a view of stored numbers",
        lambda: Net(
            lambda m, z: m.last(m.next(m.start(z).view(-1, 8, 4, 4))),
            start=nn.Linear(8, 128),
            next=nn.ConvTranspose2d(8, 8, 4, 2, 1),
            last=conv(8, 3),
        ),
        lambda b: 8 * 128 + 16 * 16 * 8 * b + 64 * 27 * b,
        B,
        "the view's size is in the code",
        inputs="latent:8",
    ),
    Entry(
        "convolution that slides over channels and pixels",
        lambda: around(Net(lambda m, x: m.f(x[:, None])[:, 0], f=nn.Conv3d(1, 1, 3, padding=1))),
        lambda b: second(b) + 27 * 8 * S,
        B,
        "neighbors in the order of channels are summed: they stay",
    ),
]
