"""The mobile ResNet generator of GAN Compression (Li et al. 2020), also OMGD's: separable residual blocks.

As `resnet`, but each 3x3 conv of a block is depthwise 3x3, InstanceNorm (always, without scale),
pointwise 1x1. Stem, down and up convs stay dense. State-dict keys are GAN Compression's.
"""

from torch import Tensor, nn

from .layers import initialize_normal, needs_bias, norm2d
from .resnet import check_translation, translation_layers


class SeparableConv2d(nn.Module):
    """Depthwise 3x3 without padding, InstanceNorm, pointwise 1x1."""

    def __init__(self, channels: int, bias: bool):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(channels, channels, 3, groups=channels, bias=bias),
            norm2d("instance", channels),
            nn.Conv2d(channels, channels, 1, bias=bias),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, H - 2, W - 2)."""
        return self.conv(x)


class MobileResnetBlock(nn.Module):
    """x + f(x) with f = [pad, separable conv, norm, ReLU, dropout, pad, separable conv, norm]."""

    def __init__(self, channels: int, norm: str, dropout: bool):
        super().__init__()
        bias = needs_bias(norm)
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            SeparableConv2d(channels, bias),
            norm2d(norm, channels),
            nn.ReLU(),
            # The place is taken with dropout on or off: GAN Compression's keys do not shift.
            nn.Dropout(0.5) if dropout else nn.Identity(),
            nn.ReflectionPad2d(1),
            SeparableConv2d(channels, bias),
            norm2d(norm, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        return x + self.conv_block(x)


class MobileResnetGenerator(nn.Module):
    """Image to image at the same size, (N, input_channels, H, W) -> (N, output_channels, H, W) in [-1, 1].

    H and W are multiples of 4.
    """

    def __init__(
        self,
        ngf: int = 64,
        n_blocks: int = 9,
        norm: str = "instance",
        dropout: bool = False,
        input_channels: int = 3,
        output_channels: int = 3,
    ):
        super().__init__()
        check_translation(ngf, n_blocks, norm, dropout, (input_channels, output_channels))

        def blocks(width: int) -> list[nn.Module]:
            return [MobileResnetBlock(width, norm, dropout) for _ in range(n_blocks)]

        self.model = translation_layers(ngf, norm, blocks, input_channels, output_channels)
        initialize_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """Translate (N, input_channels, H, W)."""
        return self.model(x)


def mobile_resnet_9blocks(
    ngf: int = 64,
    n_blocks: int = 9,
    norm: str = "instance",
    dropout: bool = False,
    input_channels: int = 3,
    output_channels: int = 3,
) -> nn.Module:
    """GAN Compression's mobile ResNet-9.

    Args:
        ngf: width of the stem; the trunk has 4 * ngf channels.
        n_blocks: residual blocks.
        norm: "instance" or "batch"; the norm inside a separable conv is InstanceNorm always.
        dropout: dropout 0.5 inside each block.
        input_channels: channels of the input image.
        output_channels: channels of the output image.

    Raises:
        ValueError: an argument is out of its range.
    """
    return MobileResnetGenerator(ngf, n_blocks, norm, dropout, input_channels, output_channels)
