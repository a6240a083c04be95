"""RRDBNet, the generator of ESRGAN (Wang et al. 2018) and Real-ESRGAN (Wang et al. 2021), published key names.

Residual-in-residual dense blocks at the size of the input, then two steps of nearest-neighbor enlargement. Published
checkpoints (RealESRGAN_x4plus, RealESRGAN_x4plus_anime_6B, ESRGAN_x4) take and give images in [0, 1].
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...files.errors import UserError
from ..layers import check_count, initialize_scaled

SLOPE = 0.2  # of the leaky ReLUs
RESIDUAL = 0.2  # what a block's result counts beside its input
UNSHUFFLED = {1: 4, 2: 2, 4: 1}  # scale -> pixels per side that are folded into channels before the first convolution


class DenseBlock(nn.Module):
    """x + 0.2 * f(x); f is five convolutions, each of which takes x and the outputs of all before it."""

    def __init__(self, channels: int, growth: int):
        super().__init__()
        for i in range(4):
            self.add_module(f"conv{i + 1}", nn.Conv2d(channels + i * growth, growth, 3, padding=1))
        self.conv5 = nn.Conv2d(channels + 4 * growth, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        maps = [x]
        for i in range(4):
            maps.append(F.leaky_relu(self.get_submodule(f"conv{i + 1}")(torch.cat(maps, 1)), SLOPE))
        return x + RESIDUAL * self.conv5(torch.cat(maps, 1))


class ResidualDenseBlocks(nn.Module):
    """x + 0.2 * f(x); f is three dense blocks."""

    def __init__(self, channels: int, growth: int):
        super().__init__()
        self.rdb1 = DenseBlock(channels, growth)
        self.rdb2 = DenseBlock(channels, growth)
        self.rdb3 = DenseBlock(channels, growth)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        return x + RESIDUAL * self.rdb3(self.rdb2(self.rdb1(x)))


class RrdbNet(nn.Module):
    """Image to image, (N, input_channels, H, W) -> (N, output_channels, scale * H, scale * W).

    Scales 2 and 1 fold 2 x 2 and 4 x 4 pixels into channels first, so that the blocks always work at a fourth of the
    output's sides. H and W are multiples of the fold: 2 for scale 2, 4 for scale 1.
    """

    def __init__(
        self,
        scale: int = 4,
        num_feat: int = 64,
        num_block: int = 23,
        num_grow_ch: int = 32,
        input_channels: int = 3,
        output_channels: int = 3,
    ):
        super().__init__()
        for name, count in (("num_feat", num_feat), ("num_grow_ch", num_grow_ch), ("input_channels", input_channels)):
            check_count(name, count)
        check_count("num_block", num_block, at_least=0)
        check_count("output_channels", output_channels)
        if isinstance(scale, bool) or scale not in UNSHUFFLED:
            raise UserError(f"scale={scale!r} is not known: use one of {', '.join(map(str, UNSHUFFLED))}")
        self.fold = UNSHUFFLED[scale]
        self.conv_first = nn.Conv2d(input_channels * self.fold**2, num_feat, 3, padding=1)
        self.body = nn.Sequential(*(ResidualDenseBlocks(num_feat, num_grow_ch) for _ in range(num_block)))
        self.conv_body = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv_up1 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv_up2 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv_hr = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        self.conv_last = nn.Conv2d(num_feat, output_channels, 3, padding=1)
        initialize_scaled(self.body)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge (N, input_channels, H, W).

        Raises:
            UserError: H or W is not a multiple of what is folded.
        """
        if self.fold > 1:
            height, width = x.shape[-2:]
            if height % self.fold or width % self.fold:
                raise UserError(
                    f"this RRDBNet needs height and width in multiples of {self.fold}: got {height}x{width}; expected, "
                    f"for instance, {self.fold * (height // self.fold + 1)}. Try to resize or crop the images"
                )
            x = F.pixel_unshuffle(x, self.fold)
        features = self.conv_first(x)
        features = features + self.conv_body(self.body(features))
        for step in (self.conv_up1, self.conv_up2):
            features = F.leaky_relu(step(F.interpolate(features, scale_factor=2, mode="nearest")), SLOPE)
        return self.conv_last(F.leaky_relu(self.conv_hr(features), SLOPE))


def rrdbnet(
    scale: int = 4,
    num_feat: int = 64,
    num_block: int = 23,
    num_grow_ch: int = 32,
    input_channels: int = 3,
    output_channels: int = 3,
) -> nn.Module:
    """Return the generator of ESRGAN and Real-ESRGAN.

    Args:
        scale: Pixels of the output per pixel of the input, along each side: 4, 2 or 1.
        num_feat: Width of the trunk, which all blocks add to.
        num_block: Residual-in-residual dense blocks: 23 (x4plus), 6 (x4plus_anime_6B).
        num_grow_ch: Channels that each convolution inside a dense block adds.
        input_channels: Channels of the input image.
        output_channels: Channels of the output image.

    Raises:
        UserError: An argument is out of its range.
    """
    return RrdbNet(scale, num_feat, num_block, num_grow_ch, input_channels, output_channels)
