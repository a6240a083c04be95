"""The generator of CartoonGAN (Chen et al., CVPR 2018), with the key names of its published PyTorch checkpoints.

Conv 7x7; two stages of a stride-2 and a plain conv 3x3; residual blocks on 4 * ngf channels; two stages of an
upsampling and a plain conv 3x3; conv 7x7, tanh. A stage has one norm and one ReLU, behind its second conv. Paddings of
3 and those of the blocks reflect, the others are zeros.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from ..layers import check_choice, check_count, initialize_normal

NORMS = ("instance", "batch", "none")
UPSAMPLINGS = ("transposed", "nearest", "bilinear")
CHANNEL_ORDERS = ("rgb", "bgr")
EPSILON = 1e-9  # of the published InstanceNorm
FIRST_BLOCK = 4  # the number in the published names


def _norm(norm: str, channels: int) -> nn.Module:
    if norm == "none":
        return nn.Identity()
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.InstanceNorm2d(channels, eps=EPSILON, affine=True)


class CartoonGenerator(nn.Module):
    """Image to image at the same size, (N, input_channels, H, W) -> (N, output_channels, H, W) in [-1, 1].

    H and W are multiples of 4. Layers are called as in the published checkpoints: `conv01_1`, `in01_1`, `deconv01_1`.
    There `in01_1` has a `scale` and a `shift`; they are loaded as weight and bias.
    """

    def __init__(
        self,
        ngf: int = 64,
        n_blocks: int = 8,
        norm: str = "instance",
        upsampling: str = "transposed",
        channel_order: str = "rgb",
        input_channels: int = 3,
        output_channels: int = 3,
    ) -> None:
        super().__init__()
        check_count("ngf", ngf)
        check_count("n_blocks", n_blocks, at_least=0)
        check_count("input_channels", input_channels)
        check_count("output_channels", output_channels)
        check_choice("norm", norm, NORMS)
        check_choice("upsampling", upsampling, UPSAMPLINGS)
        check_choice("channel_order", channel_order, CHANNEL_ORDERS)
        self.n_blocks, self.upsampling, self.reversed = n_blocks, upsampling, channel_order == "bgr"
        middle, trunk = 2 * ngf, 4 * ngf
        self.conv01_1 = nn.Conv2d(input_channels, ngf, 7, padding=3, padding_mode="reflect")
        self.in01_1 = _norm(norm, ngf)
        self.conv02_1 = nn.Conv2d(ngf, middle, 3, stride=2, padding=1)
        self.conv02_2 = nn.Conv2d(middle, middle, 3, padding=1)
        self.in02_1 = _norm(norm, middle)
        self.conv03_1 = nn.Conv2d(middle, trunk, 3, stride=2, padding=1)
        self.conv03_2 = nn.Conv2d(trunk, trunk, 3, padding=1)
        self.in03_1 = _norm(norm, trunk)
        for number in self._blocks:
            for half in (1, 2):
                conv = nn.Conv2d(trunk, trunk, 3, padding=1, padding_mode="reflect")
                setattr(self, f"conv{number:02}_{half}", conv)
                setattr(self, f"in{number:02}_{half}", _norm(norm, trunk))
        self.deconv01_1 = self._up(trunk, middle)
        self.deconv01_2 = nn.Conv2d(middle, middle, 3, padding=1)
        self.in12_1 = _norm(norm, middle)
        self.deconv02_1 = self._up(middle, ngf)
        self.deconv02_2 = nn.Conv2d(ngf, ngf, 3, padding=1)
        self.in13_1 = _norm(norm, ngf)
        self.deconv03_1 = nn.Conv2d(ngf, output_channels, 7, padding=3, padding_mode="reflect")
        initialize_normal(self)

    @property
    def _blocks(self) -> range:
        return range(FIRST_BLOCK, FIRST_BLOCK + self.n_blocks)

    def _up(self, width: int, narrower: int) -> nn.Module:
        if self.upsampling == "transposed":
            return nn.ConvTranspose2d(width, narrower, 3, stride=2, padding=1, output_padding=1)
        return nn.Conv2d(width, narrower, 3, padding=1)

    def _enlarged(self, x: Tensor) -> Tensor:
        if self.upsampling == "transposed":
            return x  # by the convolution that follows
        if self.upsampling == "nearest":
            return interpolate(x, scale_factor=2.0, mode="nearest")
        return interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)

    def forward(self, x: Tensor) -> Tensor:
        """Stylize (N, input_channels, H, W)."""
        h = x.flip(1) if self.reversed else x
        h = relu(self.in01_1(self.conv01_1(h)))
        h = relu(self.in02_1(self.conv02_2(self.conv02_1(h))))
        h = relu(self.in03_1(self.conv03_2(self.conv03_1(h))))
        for number in self._blocks:
            conv1, conv2, norm1, norm2 = (
                self.get_submodule(f"{kind}{number:02}_{half}") for kind in ("conv", "in") for half in (1, 2)
            )
            h = h + norm2(conv2(relu(norm1(conv1(h)))))
        h = relu(self.in12_1(self.deconv01_2(self.deconv01_1(self._enlarged(h)))))
        h = relu(self.in13_1(self.deconv02_2(self.deconv02_1(self._enlarged(h)))))
        h = self.deconv03_1(h).tanh()
        return h.flip(1) if self.reversed else h


def cartoongan(
    ngf: int = 64,
    n_blocks: int = 8,
    norm: str = "instance",
    upsampling: str = "transposed",
    channel_order: str = "rgb",
    input_channels: int = 3,
    output_channels: int = 3,
) -> nn.Module:
    """CartoonGAN's generator.

    Args:
        ngf: width of the stem; the trunk has 4 * ngf channels.
        n_blocks: residual blocks.
        norm: "instance" (the published checkpoints), "batch" (reimplementations) or "none".
        upsampling: "transposed" (published), or "nearest" or "bilinear" resizing before a plain convolution.
        channel_order: "rgb", or "bgr" for the published checkpoints, which take and give BGR; images stay RGB outside.
        input_channels: channels of the input image.
        output_channels: channels of the output image.

    Raises:
        ValueError: an argument is out of its range.
    """
    return CartoonGenerator(ngf, n_blocks, norm, upsampling, channel_order, input_channels, output_channels)
