"""The U-Net generator of pix2pix (Isola et al. 2017), built from the inside out, upstream's state-dict keys.

Each level is x -> cat([x, up(inner(down(x)))]) with 4x4 convs of stride 2. The outermost level has no
skip, no norm and a tanh; the innermost has no norm on its way down.
"""

import torch
from torch import Tensor, nn

from ..files.errors import UserError
from .layers import NORMS, check_choice, check_count, check_flag, initialize_normal, needs_bias, norm2d

MAX_WIDTH_FACTOR = 8  # in units of ngf


class UnetLevel(nn.Module):
    """One level: LeakyReLU, down-conv, norm, the inner level, ReLU, up-conv, norm, (dropout); then the skip.

    Upstream's activations work in place, so that its skips carry LeakyReLU(x) where ours carry x. Every
    consumer applies a ReLU first and ReLU(LeakyReLU(x)) = ReLU(x), hence the outputs are the same.
    """

    def __init__(self, outer: int, inner: int, norm: str, inside: nn.Module | None, dropout: bool):
        super().__init__()
        bias = needs_bias(norm)
        down = nn.Conv2d(outer, inner, 4, stride=2, padding=1, bias=bias)
        from_inside = inner if inside is None else 2 * inner
        up = nn.ConvTranspose2d(from_inside, outer, 4, stride=2, padding=1, bias=bias)
        layers: list[nn.Module] = [nn.LeakyReLU(0.2), down]
        if inside is not None:
            layers += [norm2d(norm, inner), inside]
        layers += [nn.ReLU(), up, norm2d(norm, outer)]
        if dropout:
            layers.append(nn.Dropout(0.5))
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, outer, H, W) to (N, 2 * outer, H, W)."""
        return torch.cat([x, self.model(x)], 1)


class UnetOutermost(nn.Module):
    """The outermost level: down-conv, the inner levels, ReLU, up-conv with bias, tanh."""

    def __init__(self, input_channels: int, output_channels: int, inner: int, norm: str, inside: nn.Module):
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(input_channels, inner, 4, stride=2, padding=1, bias=needs_bias(norm)),
            inside,
            nn.ReLU(),
            nn.ConvTranspose2d(2 * inner, output_channels, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, input_channels, H, W) to (N, output_channels, H, W)."""
        return self.model(x)


class UnetGenerator(nn.Module):
    """Image to image, (N, input_channels, H, W) -> (N, output_channels, H, W) in [-1, 1].

    H and W are multiples of 2 ** num_downs. Keys nest as upstream's: `model.model.1.model.3...`.
    """

    def __init__(
        self,
        num_downs: int,
        ngf: int = 64,
        norm: str = "batch",
        dropout: bool = False,
        input_channels: int = 3,
        output_channels: int = 3,
    ):
        super().__init__()
        check_count("num_downs", num_downs, at_least=5)
        check_count("ngf", ngf)
        check_count("input_channels", input_channels)
        check_count("output_channels", output_channels)
        check_flag("dropout", dropout)
        check_choice("norm", norm, NORMS)
        self.multiple = 2**num_downs
        widest = MAX_WIDTH_FACTOR * ngf
        level = UnetLevel(widest, widest, norm, None, dropout=False)
        for _ in range(num_downs - 5):  # upstream drops out in these levels only
            level = UnetLevel(widest, widest, norm, level, dropout)
        for factor in (4, 2, 1):
            level = UnetLevel(factor * ngf, 2 * factor * ngf, norm, level, dropout=False)
        self.model = UnetOutermost(input_channels, output_channels, ngf, norm, level)
        initialize_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """Translate (N, input_channels, H, W).

        Raises:
            ValueError: H or W is not a multiple of 2 ** num_downs.
        """
        height, width = x.shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise UserError(
                f"this U-Net needs height and width in multiples of {self.multiple}, got {height}x{width}: "
                "resize the images or build it with fewer num_downs"
            )
        return self.model(x)


def unet(
    num_downs: int = 8,
    ngf: int = 64,
    norm: str = "batch",
    dropout: bool = False,
    input_channels: int = 3,
    output_channels: int = 3,
) -> nn.Module:
    """U-Net with any depth from 5.

    Args:
        num_downs: stride-2 steps; images are multiples of 2 ** num_downs.
        ngf: width of the outermost level; the widest has 8 * ngf channels.
        norm: "batch" or "instance".
        dropout: dropout 0.5 in the intermediate levels of width 8 * ngf (num_downs - 5 of them).
        input_channels: channels of the input image.
        output_channels: channels of the output image.

    Raises:
        ValueError: an argument is out of its range.
    """
    return UnetGenerator(num_downs, ngf, norm, dropout, input_channels, output_channels)
