"""The ResNet generator of CycleGAN (Johnson et al. 2016; Zhu et al. 2017), upstream's state-dict keys.

ReflectionPad 3, conv 7x7; two stride-2 convs; `n_blocks` residual blocks on 4 * ngf channels; two
stride-2 transposed convs; ReflectionPad 3, conv 7x7, tanh. Norm and ReLU after every conv but the last.
"""

from collections.abc import Callable

from torch import Tensor, nn

from ..files.errors import UserError
from .layers import NORMS, check_choice, check_count, check_flag, initialize_normal, needs_bias, norm2d

AFFINES = ("none", "prunable", "all")
N_DOWNS = 2


class ResnetBlock(nn.Module):
    """x + f(x) with f = [pad, conv 3x3, norm, ReLU, (dropout), pad, conv 3x3, norm].

    Dropout, where present, shifts the keys of the second conv by one, as upstream's does.
    """

    def __init__(self, channels: int, norm: str, dropout: bool, affine_middle: bool, affine_trunk: bool):
        super().__init__()
        bias = needs_bias(norm)
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            norm2d(norm, channels, affine=affine_middle),
            nn.ReLU(),
        ]
        if dropout:
            layers.append(nn.Dropout(0.5))
        layers += [
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            norm2d(norm, channels, affine=affine_trunk),
        ]
        self.conv_block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        return x + self.conv_block(x)


def translation_layers(
    ngf: int,
    norm: str,
    blocks: Callable[[int], list[nn.Module]],
    input_channels: int,
    output_channels: int,
    affine: str = "none",
    n_downs: int = N_DOWNS,
) -> nn.Sequential:
    """Return stem, down convs, residual blocks, up convs and head of a generator, in upstream's flat order.

    Args:
        ngf: Width of the stem.
        norm: "instance" or "batch".
        blocks: Makes the residual blocks, given their channels, in their turn: the order of random draws is upstream's.
        input_channels: Channels of the input image.
        output_channels: Channels of the output image.
        affine: Which InstanceNorms have a scale and shift: "none", "prunable" or "all".
        n_downs: Number of strided convolutions, and of transposed ones.
    """
    prunable, trunk = affine != "none", affine == "all"
    bias = needs_bias(norm)
    layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(input_channels, ngf, 7, bias=bias)]
    layers += [norm2d(norm, ngf, affine=prunable), nn.ReLU()]
    for i in range(n_downs):
        width = ngf * 2**i
        last = i == n_downs - 1  # the last down-conv writes into the trunk that the blocks add to
        layers += [
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=bias),
            norm2d(norm, 2 * width, affine=trunk if last else prunable),
            nn.ReLU(),
        ]
    layers += blocks(ngf * 2**n_downs)
    for i in range(n_downs, 0, -1):
        width = ngf * 2**i
        layers += [
            nn.ConvTranspose2d(width, width // 2, 3, stride=2, padding=1, output_padding=1, bias=bias),
            norm2d(norm, width // 2, affine=prunable),
            nn.ReLU(),
        ]
    layers += [nn.ReflectionPad2d(3), nn.Conv2d(ngf, output_channels, 7), nn.Tanh()]
    return nn.Sequential(*layers)


def check_translation(ngf: int, n_blocks: int, norm: str, dropout: bool, channels: tuple[int, int]) -> None:
    """Check the arguments of a generator that `translation_layers` makes.

    Raises:
        UserError: One of them is out of its range.
    """
    check_count("ngf", ngf)
    check_count("n_blocks", n_blocks, at_least=0)
    for name, count in zip(("input_channels", "output_channels"), channels, strict=True):
        check_count(name, count)
    check_flag("dropout", dropout)
    check_choice("norm", norm, NORMS)


class ResnetGenerator(nn.Module):
    """Image to image at the same size, (N, input_channels, H, W) -> (N, output_channels, H, W) in [-1, 1].

    H and W are multiples of 4. `model` is one flat Sequential, so that keys are upstream's:
    `model.1.weight` is the stem, `model.10.conv_block.1.weight` the first block's first conv.
    """

    def __init__(
        self,
        ngf: int = 64,
        n_blocks: int = 9,
        norm: str = "instance",
        dropout: bool = False,
        input_channels: int = 3,
        output_channels: int = 3,
        affine: str = "none",
    ):
        super().__init__()
        check_translation(ngf, n_blocks, norm, dropout, (input_channels, output_channels))
        check_choice("affine", affine, AFFINES)
        if norm == "batch" and affine != "none":
            raise UserError(f"affine={affine!r} is for norm='instance': BatchNorm is always affine")

        def blocks(width: int) -> list[nn.Module]:
            return [ResnetBlock(width, norm, dropout, affine != "none", affine == "all") for _ in range(n_blocks)]

        self.model = translation_layers(ngf, norm, blocks, input_channels, output_channels, affine)
        initialize_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """Translate (N, input_channels, H, W)."""
        return self.model(x)


def resnet(
    ngf: int = 64,
    n_blocks: int = 9,
    norm: str = "instance",
    dropout: bool = False,
    input_channels: int = 3,
    output_channels: int = 3,
    affine: str = "none",
) -> nn.Module:
    """ResNet generator with any number of blocks.

    Args:
        ngf: width of the stem; the trunk has 4 * ngf channels.
        n_blocks: residual blocks; 9 is upstream's choice for 256x256, 6 for 128x128.
        norm: "instance" or "batch".
        dropout: dropout 0.5 inside each block.
        input_channels: channels of the input image.
        output_channels: channels of the output image.
        affine: which InstanceNorms have a scale and shift: "none" (upstream), "prunable" (all but the
            trunk's: GAN Slimming's generator, Wang et al. 2020), or "all".

    Raises:
        ValueError: an argument is out of its range.
    """
    return ResnetGenerator(ngf, n_blocks, norm, dropout, input_channels, output_channels, affine)
