"""Inpainting by gated convolutions (Yu et al. 2019): the first, coarse stage of free-form inpainting.

A gated convolution makes features and gates of all channels, elu(features) * sigmoid(gates): where to look is learned.
The second stage with contextual attention is not included.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import elu, interpolate

from ...files.errors import UserError
from ..layers import check_count, check_flag
from .holes import composed

DILATIONS = (2, 4, 8, 16)


class GatedConv(nn.Module):
    """elu(features) * sigmoid(gates), both by one convolution."""

    def __init__(self, taken: int, given: int, size: int = 3, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        padding = (size - 1) * dilation // 2
        self.conv = nn.Conv2d(taken, 2 * given, size, stride, padding, dilation)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, taken, H, W) to (N, given, H / stride, W / stride)."""
        features, gates = self.conv(x).chunk(2, 1)
        return elu(features) * gates.sigmoid()


class GatedInpainting(nn.Module):
    """Image (N, C, H, W) and holes (N, 1, H, W; 1 where pixels are missing) to the filled image in [-1, 1].

    H and W are multiples of 4. What the image shows inside the holes has no effect.
    """

    def __init__(self, width: int, compose: bool, input_channels: int) -> None:
        super().__init__()
        check_count("ngf", width)
        check_count("input_channels", input_channels)
        check_flag("compose", compose)
        if width % 2:
            raise UserError(f"ngf={width} must be even: the last layer but one has half of it")
        self.compose = compose
        wide, trunk = 2 * width, 4 * width
        self.stem = GatedConv(input_channels + 2, width, 5)
        self.down = nn.Sequential(
            GatedConv(width, wide, stride=2), GatedConv(wide, wide), GatedConv(wide, trunk, stride=2)
        )
        self.trunk = nn.Sequential(
            GatedConv(trunk, trunk),
            GatedConv(trunk, trunk),
            *(GatedConv(trunk, trunk, dilation=dilation) for dilation in DILATIONS),
            GatedConv(trunk, trunk),
            GatedConv(trunk, trunk),
        )
        self.up1 = nn.Sequential(GatedConv(trunk, wide), GatedConv(wide, wide))
        self.up2 = nn.Sequential(GatedConv(wide, width), GatedConv(width, width // 2))
        self.head = nn.Conv2d(width // 2, input_channels, 3, padding=1)

    def forward(self, image: Tensor, holes: Tensor) -> Tensor:
        """Fill the holes."""
        known = image * (1 - holes)
        h = self.down(self.stem(torch.cat((known, torch.ones_like(holes), holes), 1)))
        h = self.up1(interpolate(self.trunk(h), scale_factor=2.0, mode="nearest"))
        h = self.up2(interpolate(h, scale_factor=2.0, mode="nearest"))
        filled = self.head(h).tanh()
        return composed(image, filled, holes) if self.compose else filled


def gated_inpainting(ngf: int = 48, compose: bool = True, input_channels: int = 3) -> nn.Module:
    """Inpainting by gated convolutions, one stage.

    Args:
        ngf: channels of the stem; the trunk has 4 * ngf.
        compose: the output has the image's own pixels outside the holes.
        input_channels: channels of the image.

    Raises:
        ValueError: an argument is out of its range.
    """
    return GatedInpainting(ngf, compose, input_channels)
