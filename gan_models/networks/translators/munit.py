"""MUNIT's generator (Huang et al. 2018): content of an image, style of a latent by an MLP that writes AdaIN's scales.

The names of the parts are upstream's (`enc_content`, `mlp`, `dec`). The style encoder is left out: when it runs, a
style is drawn, or given as a vector.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import instance_norm, interpolate, pad, relu

from ..layers import check_count

EPSILON = 1e-5


class Padded(nn.Module):
    """Reflection padding and a convolution; the keys of upstream's Conv2dBlock."""

    def __init__(self, taken: int, given: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.padding = size // 2 if stride == 1 else 1
        self.conv = nn.Conv2d(taken, given, size, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, taken, H, W) to (N, given, H / stride, W / stride)."""
        return self.conv(pad(x, (self.padding,) * 4, "reflect"))


class LayerNorm(nn.Module):
    """One mean and one variance per example over all channels and pixels; scale and shift per channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.rand(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (N, C, H, W)."""
        centered = x - x.mean((1, 2, 3), keepdim=True)
        deviation = centered.square().mean((1, 2, 3), keepdim=True).sqrt()
        return centered / (deviation + EPSILON) * self.gamma[None, :, None, None] + self.beta[None, :, None, None]


class ContentBlock(nn.Module):
    """x + [conv 3x3, InstanceNorm, ReLU, conv 3x3, InstanceNorm]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = Padded(channels, channels, 3), Padded(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        return x + instance_norm(self.second(relu(instance_norm(self.first(x)))))


class StyledBlock(nn.Module):
    """x + [conv 3x3, AdaIN, ReLU, conv 3x3, AdaIN]; scales and shifts are given."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = Padded(channels, channels, 3), Padded(channels, channels, 3)

    def forward(self, x: Tensor, styles: tuple[Tensor, ...]) -> Tensor:
        """Map (N, C, H, W) to the same shape; `styles` are shift and scale (N, C) of both norms."""
        h = relu(_adain(self.first(x), styles[0], styles[1]))
        return x + _adain(self.second(h), styles[2], styles[3])


def _adain(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return instance_norm(x) * scale[:, :, None, None] + shift[:, :, None, None]


class MunitGenerator(nn.Module):
    """Image (N, C, H, W) and style (N, style) to an image (N, C, H, W) in [-1, 1]. H and W are multiples of 4."""

    def __init__(self, ngf: int, style: int, n_blocks: int, hidden: int, input_channels: int) -> None:
        super().__init__()
        for name, value in (("ngf", ngf), ("latent", style), ("hidden", hidden), ("input_channels", input_channels)):
            check_count(name, value)
        check_count("n_blocks", n_blocks)
        width = 4 * ngf
        self.stem, self.down1, self.down2 = Padded(input_channels, ngf, 7), Padded(ngf, 2 * ngf, 4, 2), Padded(
            2 * ngf, width, 4, 2
        )  # fmt: skip
        self.content = nn.ModuleList(ContentBlock(width) for _ in range(n_blocks))
        self.mlp = nn.Sequential(nn.Linear(style, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        # Upstream's last layer of the MLP in parts, one per scale and shift: each follows its own group of channels.
        self.styles = nn.ModuleList(nn.Linear(hidden, width) for _ in range(4 * n_blocks))
        self.styled = nn.ModuleList(StyledBlock(width) for _ in range(n_blocks))
        self.up1, self.norm1 = Padded(width, 2 * ngf, 5), LayerNorm(2 * ngf)
        self.up2, self.norm2 = Padded(2 * ngf, ngf, 5), LayerNorm(ngf)
        self.head = Padded(ngf, input_channels, 7)

    def forward(self, image: Tensor, style: Tensor) -> Tensor:
        """Translate (N, C, H, W) with style (N, style)."""
        h = relu(instance_norm(self.stem(image)))
        for down in (self.down1, self.down2):
            h = relu(instance_norm(down(h)))
        for block in self.content:
            h = block(h)
        code = self.mlp(style)
        for i, block in enumerate(self.styled):
            h = block(h, tuple(layer(code) for layer in self.styles[4 * i : 4 * i + 4]))
        h = relu(self.norm1(self.up1(interpolate(h, scale_factor=2.0))))
        h = relu(self.norm2(self.up2(interpolate(h, scale_factor=2.0))))
        return self.head(h).tanh()


def munit(ngf: int = 64, latent: int = 8, n_blocks: int = 4, hidden: int = 256, input_channels: int = 3) -> nn.Module:
    """MUNIT's generator without its style encoder.

    Args:
        ngf: channels of the stem; the trunk has 4 * ngf.
        latent: length of the style.
        n_blocks: residual blocks of content, and as many that are styled.
        hidden: width of the MLP.
        input_channels: channels of the image.

    Raises:
        ValueError: an argument is out of its range.
    """
    return MunitGenerator(ngf, latent, n_blocks, hidden, input_channels)
