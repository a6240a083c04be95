"""The compact generator of Real-ESRGAN (Wang et al. 2021): a plain chain of convolutions, published key names.

Its published checkpoints (realesr-animevideov3, realesr-general-x4v3) take and give images in [0, 1].
"""

from torch import Tensor, nn
from torch.nn import functional as F

from ..layers import check_added, check_choice, check_count

ACTIVATIONS = ("prelu", "relu", "leakyrelu")
SLOPE = 0.1  # of the leaky ReLU


class SrvggCompact(nn.Module):
    """Image to image, (N, input_channels, H, W) -> (N, output_channels, scale * H, scale * W).

    All convolutions work at the size of the input. A pixel shuffle enlarges the last one's output; the input, enlarged
    to its nearest pixels, is added. `body` is one flat list: `body.0.weight` is the first convolution.
    """

    def __init__(
        self,
        scale: int = 4,
        num_feat: int = 64,
        num_conv: int = 16,
        activation: str = "prelu",
        input_channels: int = 3,
        output_channels: int = 3,
    ):
        super().__init__()
        check_count("scale", scale)
        check_count("num_feat", num_feat)
        check_count("num_conv", num_conv, at_least=0)
        check_choice("activation", activation, ACTIVATIONS)
        check_added(input_channels, output_channels)
        self.scale = scale
        layers: list[nn.Module] = [nn.Conv2d(input_channels, num_feat, 3, padding=1), _activation(activation, num_feat)]
        for _ in range(num_conv):
            layers += [nn.Conv2d(num_feat, num_feat, 3, padding=1), _activation(activation, num_feat)]
        layers.append(nn.Conv2d(num_feat, output_channels * scale**2, 3, padding=1))
        self.body = nn.ModuleList(layers)
        self.upsampler = nn.PixelShuffle(scale)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge (N, input_channels, H, W)."""
        features = x
        for layer in self.body:
            features = layer(features)
        return self.upsampler(features) + F.interpolate(x, scale_factor=self.scale, mode="nearest")


def _activation(name: str, channels: int) -> nn.Module:
    if name == "prelu":
        return nn.PReLU(channels)
    return nn.ReLU() if name == "relu" else nn.LeakyReLU(SLOPE)


def srvgg_compact(
    scale: int = 4,
    num_feat: int = 64,
    num_conv: int = 16,
    activation: str = "prelu",
    input_channels: int = 3,
    output_channels: int = 3,
) -> nn.Module:
    """Compact generator of Real-ESRGAN.

    Args:
        scale: Pixels of the output per pixel of the input, along each side; 1 restores at the same size.
        num_feat: Width of all hidden convolutions.
        num_conv: Convolutions between the first and the last; 16 (realesr-animevideov3) or 32 (realesr-general-x4v3).
        activation: "prelu", "relu" or "leakyrelu".
        input_channels: Channels of the input image: as many as of the output, or 1, which is added to each of them.
        output_channels: Channels of the output image.

    Raises:
        UserError: An argument is out of its range.
    """
    return SrvggCompact(scale, num_feat, num_conv, activation, input_channels, output_channels)
