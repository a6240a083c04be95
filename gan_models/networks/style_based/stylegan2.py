"""StyleGAN2's generator (Karras et al. 2020), with the layer names of its official PyTorch code.

A mapping network makes a style w from a latent; the synthesis network starts from a constant of 4x4 and doubles it,
with two modulated convolutions per size, and adds an image per size. A modulated convolution is computed as
convolution of the input times the style, with the weight itself, and then a scale per output channel and image. This
equals the published form, whose weights differ per image, and runs at any batch size with constant weights.

The noise is the fixed one of the checkpoint, in training, too: a teacher and a network that was cut from it see the
same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...files.errors import UserError
from ..layers import check_count
from .equalized_layers import EqualizedLinear, activated, blur_filter, blurred, enlarged
from .official_names import official_names

SEED_SIZE = 4  # side of the constant
MAPPING_RATE = 0.01  # factor of the mapping network's learning rate
EPSILON = 1e-8


class MappingNetwork(nn.Module):
    """Latent (N, latent) to style (N, style): a normed latent through linear layers.

    Args:
        latent: Length of the latent.
        style: Length of the style.
        layers: Number of linear layers.
        truncation: Factor of the style's distance from its mean `w_avg`; 1: there is no mean.
    """

    makes_style = True  # read by the path-length term, gan_models/tasks/style_based
    w_avg: Tensor

    def __init__(self, latent: int, style: int, layers: int, truncation: float) -> None:
        super().__init__()
        self.layers, self.truncation = layers, truncation
        for number in range(layers):
            self.add_module(f"fc{number}", EqualizedLinear(style if number else latent, style, rate=MAPPING_RATE))
        if truncation != 1:
            self.register_buffer("w_avg", torch.zeros(style))

    def forward(self, z: Tensor) -> Tensor:
        """Map (N, latent) to (N, style)."""
        w = z * (z.square().mean(1, keepdim=True) + EPSILON).rsqrt()
        for number in range(self.layers):
            w = activated(self.get_submodule(f"fc{number}")(w))
        return w if self.truncation == 1 else self.w_avg + self.truncation * (w - self.w_avg)


class SynthesisLayer(nn.Module):
    """Modulated convolution 3x3, scaled to unit length per image, then noise, bias and activation.

    Args:
        n_in: Channels of the input.
        n_out: Channels of the output.
        style: Length of the style.
        size: Side of the output.
        up: True: a transposed convolution of stride 2, and a blur.
    """

    noise_const: Tensor
    resample_filter: Tensor

    def __init__(self, n_in: int, n_out: int, style: int, size: int, up: bool = False) -> None:
        super().__init__()
        self.affine = EqualizedLinear(style, n_in, bias=1.0)
        self.weight = nn.Parameter(torch.randn(n_out, n_in, 3, 3))
        self.bias = nn.Parameter(torch.zeros(n_out))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise_const", torch.randn(size, size))
        self.up = up
        if up:
            self.register_buffer("resample_filter", blur_filter())

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Map (N, n_in, H, W) and (N, style) to (N, n_out, size, size)."""
        style = self.affine(w)
        x = x * style[:, :, None, None]
        if self.up:
            x = F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
        else:
            x = F.conv2d(x, self.weight, padding=1)
        # The lengths follow the convolution: a refit of its weight must come first.
        lengths = (style.square() @ self.weight.square().sum((2, 3)).t() + EPSILON).rsqrt()
        x = x * lengths[:, :, None, None]
        if self.up:
            x = blurred(x, 4 * self.resample_filter, 1)
        return activated(x + self.noise_const * self.noise_strength + self.bias[:, None, None])


class ToImage(nn.Module):
    """Modulated convolution 1x1 to the image's channels, without a scale of the outputs.

    Args:
        n_in: Channels of the input.
        n_out: Channels of the image.
        style: Length of the style.
    """

    def __init__(self, n_in: int, n_out: int, style: int) -> None:
        super().__init__()
        self.affine = EqualizedLinear(style, n_in, bias=1.0)
        self.weight = nn.Parameter(torch.randn(n_out, n_in, 1, 1))
        self.bias = nn.Parameter(torch.zeros(n_out))
        self.scale = 1 / math.sqrt(n_in)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Map (N, n_in, H, W) and (N, style) to (N, n_out, H, W)."""
        style = self.affine(w) * self.scale
        return F.conv2d(x * style[:, :, None, None], self.weight, self.bias)


class SynthesisBlock(nn.Module):
    """One size of the synthesis network: its layers, and the image so far plus this size's.

    Args:
        n_in: Channels of the input; 0: the block starts from its constant.
        n_out: Channels of the output.
        style: Length of the style.
        size: Side of the output.
        output_channels: Channels of the image.
    """

    resample_filter: Tensor

    def __init__(self, n_in: int, n_out: int, style: int, size: int, output_channels: int) -> None:
        super().__init__()
        self.starts = n_in == 0
        if self.starts:
            self.const = nn.Parameter(torch.randn(n_out, size, size))
        else:
            self.conv0 = SynthesisLayer(n_in, n_out, style, size, up=True)
            self.register_buffer("resample_filter", blur_filter())
        self.conv1 = SynthesisLayer(n_out, n_out, style, size)
        self.torgb = ToImage(n_out, output_channels, style)

    def forward(self, x: Tensor | None, image: Tensor | None, w: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, n_out, size, size) and the image (N, output_channels, size, size)."""
        if x is None or image is None:
            made: Tensor = self.conv1(self.const.repeat(w.shape[0], 1, 1, 1), w)
            return made, self.torgb(made, w)
        made = self.conv1(self.conv0(x, w), w)
        return made, enlarged(image, self.resample_filter) + self.torgb(made, w)


class Synthesis(nn.Module):
    """Style (N, style) to image (N, output_channels, size, size).

    Args:
        style: Length of the style.
        size: Side of the image, a power of 2.
        channel_base: Channels times the side of the map, up to `channel_max` channels.
        channel_max: Most channels of a map.
        output_channels: Channels of the image.
    """

    def __init__(self, style: int, size: int, channel_base: int, channel_max: int, output_channels: int) -> None:
        super().__init__()
        self.sizes = tuple(2**power for power in range(2, size.bit_length()))
        n_in = 0
        for side in self.sizes:
            n_out = min(channel_base // side, channel_max)
            self.add_module(f"b{side}", SynthesisBlock(n_in, n_out, style, side, output_channels))
            n_in = n_out

    def forward(self, w: Tensor) -> Tensor:
        """Generate from (N, style)."""
        x: Tensor | None = None
        image: Tensor | None = None
        for side in self.sizes:
            x, image = self.get_submodule(f"b{side}")(x, image, w)
        assert image is not None
        return image


class StyleGan2(nn.Module):
    """Latent (N, latent) to image (N, output_channels, size, size), about in [-1, 1]; arguments as `stylegan2_256`."""

    def __init__(
        self,
        size: int,
        latent: int,
        style: int,
        layers: int,
        channel_base: int,
        channel_max: int,
        output_channels: int,
        truncation: float,
    ) -> None:
        super().__init__()
        for name, value in (("latent", latent), ("style", style), ("layers", layers), ("channel_max", channel_max)):
            check_count(name, value)
        check_count("output_channels", output_channels)
        check_count("size", size, at_least=SEED_SIZE)
        if size.bit_count() != 1:
            raise UserError(f"size={size} must be a power of 2, such as 64 or 256")
        check_count("channel_base", channel_base, at_least=size)
        if isinstance(truncation, bool) or not isinstance(truncation, int | float) or not 0 <= truncation <= 1:
            raise UserError(f"truncation={truncation!r} must be a number from 0 to 1")
        self.mapping = MappingNetwork(latent, style, layers, truncation)
        self.synthesis = Synthesis(style, size, channel_base, channel_max, output_channels)

    def forward(self, z: Tensor) -> Tensor:
        """Generate from (N, latent)."""
        return self.synthesis(self.mapping(z))

    def own_names(self, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the tensors of a published checkpoint under this network's names; see `official_names`."""
        return official_names(given, self.state_dict())


def stylegan2_256(
    size: int = 256,
    latent: int = 512,
    style: int = 512,
    layers: int = 8,
    channel_base: int = 32768,
    channel_max: int = 512,
    output_channels: int = 3,
    truncation: float = 1.0,
) -> nn.Module:
    """StyleGAN2's generator.

    Args:
        size: side of the image, a power of 2.
        latent: length of the latent.
        style: length of the style w.
        layers: linear layers of the mapping network; 2 in some of the ADA code's configurations.
        channel_base: channels times the side of the map, up to `channel_max`; 16384 in the ADA code's `paper256`.
        channel_max: most channels of a map.
        output_channels: channels of the image.
        truncation: factor of the style's distance from its mean; below 1 the checkpoint must contain `mapping.w_avg`.

    Raises:
        ValueError: an argument is out of its range.
    """
    return StyleGan2(size, latent, style, layers, channel_base, channel_max, output_channels, truncation)
