"""The generator of AnimeGANv2 (Chen et al. 2020), with the key names of its published PyTorch checkpoints.

Narrower than CartoonGAN's: conv 7x7; two stride-2 convs; four inverted residual blocks (1x1 to twice the width,
depthwise 3x3, 1x1) between plain convs; two bilinear enlargements; conv 7x7, conv 1x1, tanh. Convolutions reflect at
the borders and have no bias except for the depthwise ones. Behind each is a norm over all channels of an image
(GroupNorm of one group).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..layers import check_count, check_flag, initialize_normal

SLOPE = 0.2
EXPANSION = 2
N_BLOCKS = 4


def _layer(n_in: int, n_out: int, kernel: int = 3, stride: int = 1, depthwise: bool = False) -> nn.Sequential:
    """Return [reflection, convolution, norm, LeakyReLU]; a strided one reflects at the right and below alone."""
    border: int | tuple[int, ...] = (0, 1, 0, 1) if stride > 1 else kernel // 2
    convolution = nn.Conv2d(n_in, n_out, kernel, stride, groups=n_in if depthwise else 1, bias=depthwise)
    return nn.Sequential(nn.ReflectionPad2d(border), convolution, nn.GroupNorm(1, n_out), nn.LeakyReLU(SLOPE))


class InvertedBlock(nn.Module):
    """[1x1 to twice the width, depthwise 3x3, 1x1, norm], added to the input if the channels are as many."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        wide = EXPANSION * n_in
        self.adds = n_in == n_out
        self.layers = nn.Sequential(
            _layer(n_in, wide, 1),
            _layer(wide, wide, depthwise=True),
            nn.Conv2d(wide, n_out, 1, bias=False),
            nn.GroupNorm(1, n_out),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, n_in, H, W) to (N, n_out, H, W)."""
        return x + self.layers(x) if self.adds else self.layers(x)


class AnimeGenerator(nn.Module):
    """Image to image at the same size, (N, 3, H, W) -> (N, 3, H, W) in [-1, 1]; H and W are multiples of 4."""

    def __init__(self, ngf: int = 32, align_corners: bool = True) -> None:
        super().__init__()
        check_count("ngf", ngf)
        check_flag("align_corners", align_corners)
        self.align_corners = align_corners
        narrow, middle, trunk = 2 * ngf, 4 * ngf, 8 * ngf
        self.block_a = nn.Sequential(_layer(3, ngf, 7), _layer(ngf, narrow, stride=2), _layer(narrow, narrow))
        self.block_b = nn.Sequential(_layer(narrow, middle, stride=2), _layer(middle, middle))
        blocks = (InvertedBlock(middle if i == 0 else trunk, trunk) for i in range(N_BLOCKS))
        self.block_c = nn.Sequential(_layer(middle, middle), *blocks, _layer(trunk, middle))
        self.block_d = nn.Sequential(_layer(middle, middle), _layer(middle, middle))
        self.block_e = nn.Sequential(_layer(middle, narrow), _layer(narrow, narrow), _layer(narrow, ngf, 7))
        self.out_layer = nn.Sequential(nn.Conv2d(ngf, 3, 1, bias=False), nn.Tanh())
        initialize_normal(self)

    def _enlarged(self, x: Tensor) -> Tensor:
        return interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=self.align_corners)

    def forward(self, x: Tensor) -> Tensor:
        """Stylize (N, 3, H, W)."""
        h = self.block_c(self.block_b(self.block_a(x)))
        return self.out_layer(self.block_e(self._enlarged(self.block_d(self._enlarged(h)))))


def animeganv2(ngf: int = 32, align_corners: bool = True) -> nn.Module:
    """AnimeGANv2's generator.

    Args:
        ngf: width of the stem; the blocks have 8 * ngf channels.
        align_corners: enlarge as the published checkpoints were trained; false runs on more devices.

    Raises:
        ValueError: an argument is out of its range.
    """
    return AnimeGenerator(ngf, align_corners)
