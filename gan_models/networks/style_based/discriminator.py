"""StyleGAN2's residual discriminator, with the layer names of its official PyTorch code."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..layers import check_count
from .equalized_layers import EqualizedConvolution, EqualizedLinear, activated
from .official_names import official_names

LAST_SIZE = 4  # side of the map that is scored
GROUP = 4  # images whose standard deviation is shared
MAX_CHANNELS = 512


class DownBlock(nn.Module):
    """[conv 3x3, conv 3x3 down] + [conv 1x1 down], over the square root of 2; in front of the first a conv 1x1.

    Args:
        n_in: Channels of the input.
        n_out: Channels of the output.
        image: Channels of the image, if the block sees it; else 0.
    """

    def __init__(self, n_in: int, n_out: int, image: int = 0) -> None:
        super().__init__()
        self.fromrgb = EqualizedConvolution(image, n_in, 1) if image else None
        self.conv0 = EqualizedConvolution(n_in, n_in, 3)
        self.conv1 = EqualizedConvolution(n_in, n_out, 3, down=True)
        self.skip = EqualizedConvolution(n_in, n_out, 1, down=True, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, n_out, H / 2, W / 2)."""
        if self.fromrgb is not None:
            x = activated(self.fromrgb(x))
        return (activated(self.conv1(activated(self.conv0(x)))) + self.skip(x)) * math.sqrt(0.5)


class LastBlock(nn.Module):
    """Minibatch standard deviation, conv 3x3 and two linear layers, to a score.

    Args:
        channels: Of the map of 4x4.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = EqualizedConvolution(channels + 1, channels, 3)
        self.fc = EqualizedLinear(channels * LAST_SIZE**2, channels)
        self.out = EqualizedLinear(channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, 4, 4) to (N, 1)."""
        x = activated(self.conv(torch.cat((x, spread_in_batch(x)), 1)))
        return self.out(activated(self.fc(x.flatten(1))))


def spread_in_batch(x: Tensor, group: int = GROUP) -> Tensor:
    """Return the mean standard deviation over groups of images as one channel (N, 1, H, W).

    Args:
        x: Maps (N, C, H, W).
        group: Images per group: the largest divisor of N up to it is used.
    """
    n = len(x)
    size = next(each for each in range(min(group, n), 0, -1) if n % each == 0)
    groups = x.reshape(size, n // size, *x.shape[1:])
    spread = (groups.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
    return spread.repeat(size)[:, None, None, None].expand(-1, 1, *x.shape[2:])


class StyleDiscriminator(nn.Module):
    """Image (N, input_channels, S, S) to one unbounded score per image, (N, 1), of S = 4 * 2 ** n_layers."""

    def __init__(self, ndf: int, n_layers: int, input_channels: int) -> None:
        super().__init__()
        check_count("ndf", ndf)
        check_count("n_layers", n_layers)
        check_count("input_channels", input_channels)
        self.sizes = tuple(LAST_SIZE * 2**power for power in range(n_layers, 0, -1))
        n_in = ndf
        for number, side in enumerate(self.sizes):
            n_out = min(2 * n_in, MAX_CHANNELS)
            self.add_module(f"b{side}", DownBlock(n_in, n_out, 0 if number else input_channels))
            n_in = n_out
        self.b4 = LastBlock(n_in)

    def forward(self, x: Tensor) -> Tensor:
        """Score (N, input_channels, S, S)."""
        for side in self.sizes:
            x = self.get_submodule(f"b{side}")(x)
        return self.b4(x)

    def own_names(self, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors of the official code's checkpoint without the filters that no layer uses."""
        return official_names(given, self.state_dict())


def stylegan2_discriminator(ndf: int = 128, n_layers: int = 6, input_channels: int = 3) -> nn.Module:
    """StyleGAN2's residual discriminator.

    Args:
        ndf: channels at the image's size; they double with every block, up to 512.
        n_layers: blocks that halve the map: 6 for images of 256x256, which become 4x4.
        input_channels: channels of the image.

    Raises:
        ValueError: an argument is out of its range.
    """
    return StyleDiscriminator(ndf, n_layers, input_channels)
