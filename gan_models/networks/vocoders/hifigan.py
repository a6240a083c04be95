"""HiFi-GAN's generator (Kong et al. 2020), versions 1 to 3, with upstream's names of modules.

A mel spectrogram is enlarged by transposed convolutions; after each, the mean of several residual blocks with kernels
of different lengths follows (multi-receptive field fusion). Weights are normalized (weight norm), as upstream's are in
training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import weight_norm

from ...files.errors import UserError
from ..layers import check_choice, check_count

SLOPE = 0.1  # of leaky ReLUs, but for the last one, which has PyTorch's default as upstream's does
KINDS = ("1", "2")


def _conv(channels: int, size: int, dilation: int) -> nn.Module:
    layer = nn.Conv1d(channels, channels, size, dilation=dilation, padding=(size - 1) * dilation // 2)
    nn.init.normal_(layer.weight, 0.0, 0.01)
    return weight_norm(layer)


class ResBlock1(nn.Module):
    """x + [leaky ReLU, dilated conv, leaky ReLU, conv], once per dilation."""

    def __init__(self, channels: int, size: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(_conv(channels, size, dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(_conv(channels, size, 1) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, T) to the same shape."""
        for first, second in zip(self.convs1, self.convs2, strict=True):
            x = x + second(leaky_relu(first(leaky_relu(x, SLOPE)), SLOPE))
        return x


class ResBlock2(nn.Module):
    """x + [leaky ReLU, dilated conv], once per dilation."""

    def __init__(self, channels: int, size: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_conv(channels, size, dilation) for dilation in dilations)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, T) to the same shape."""
        for conv in self.convs:
            x = x + conv(leaky_relu(x, SLOPE))
        return x


class HifiGanGenerator(nn.Module):
    """Mel spectrogram (N, mels, frames) to waveform (N, 1, frames * hop) in [-1, 1]; hop: the product of the rates."""

    def __init__(
        self,
        width: int,
        kind: str,
        rates: Sequence[int],
        sizes: Sequence[int],
        block_sizes: Sequence[int],
        dilations: Sequence[Sequence[int]],
        mels: int,
    ) -> None:
        super().__init__()
        check_count("width", width)
        check_count("mels", mels)
        check_choice("kind", kind, KINDS)
        if width % 2 ** len(rates):
            raise UserError(
                f"width={width} cannot be halved {len(rates)} times: expected a multiple of {2 ** len(rates)}"
            )
        self.hop = math.prod(rates)
        self.n_blocks = len(block_sizes)
        block = ResBlock1 if kind == "1" else ResBlock2
        self.conv_pre = weight_norm(nn.Conv1d(mels, width, 7, padding=3))
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        for rate, size in zip(rates, sizes, strict=True):
            up = nn.ConvTranspose1d(width, width // 2, size, rate, padding=(size - rate) // 2)
            nn.init.normal_(up.weight, 0.0, 0.01)
            self.ups.append(weight_norm(up))
            width //= 2
            for block_size, dilated in zip(block_sizes, dilations, strict=True):
                self.resblocks.append(block(width, block_size, dilated))
        last = nn.Conv1d(width, 1, 7, padding=3)
        nn.init.normal_(last.weight, 0.0, 0.01)
        self.conv_post = weight_norm(last)

    def forward(self, mel: Tensor) -> Tensor:
        """Generate from (N, mels, frames)."""
        h = self.conv_pre(mel)
        for i, up in enumerate(self.ups):
            h = up(leaky_relu(h, SLOPE))
            blocks = self.resblocks[i * self.n_blocks : (i + 1) * self.n_blocks]
            first, *others = (block(h) for block in blocks)
            for output in others:
                first = first + output
            h = first / self.n_blocks
        return self.conv_post(leaky_relu(h)).tanh()


_LONG = ((1, 3, 5),) * 3


def hifigan_v1(width: int = 512, mels: int = 80) -> nn.Module:
    """HiFi-GAN V1: four stages, hop 256, blocks of kernels 3, 7 and 11.

    Args:
        width: channels before the first stage, a multiple of 16.
        mels: bands of the mel spectrogram.

    Raises:
        ValueError: an argument is out of its range.
    """
    return HifiGanGenerator(width, "1", (8, 8, 2, 2), (16, 16, 4, 4), (3, 7, 11), _LONG, mels)


def hifigan_v2(width: int = 128, mels: int = 80) -> nn.Module:
    """HiFi-GAN V2: V1 with a quarter of the channels; arguments as `hifigan_v1`."""
    return hifigan_v1(width, mels)


def hifigan_v3(width: int = 256, mels: int = 80) -> nn.Module:
    """HiFi-GAN V3: three stages, hop 256, shorter blocks of kernels 3, 5 and 7; arguments as `hifigan_v1`."""
    return HifiGanGenerator(width, "2", (8, 8, 4), (16, 16, 8), (3, 5, 7), ((1, 2), (2, 6), (3, 12)), mels)
