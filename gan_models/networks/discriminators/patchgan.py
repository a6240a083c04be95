"""The discriminators of pix2pix and CycleGAN (Isola et al. 2017), upstream's state-dict keys."""

from torch import Tensor, nn

from ..layers import NORMS, check_choice, check_count, initialize_normal, needs_bias, norm2d

MAX_WIDTH_FACTOR = 8  # in units of ndf


class PatchDiscriminator(nn.Module):
    """Scores overlapping patches: (N, input_channels, H, W) -> (N, 1, h, w), unbounded.

    4x4 convs: `n_layers` of stride 2, two of stride 1; with 3 layers a score sees 70x70 pixels and a
    256x256 image has 30x30 scores.
    """

    def __init__(self, ndf: int, n_layers: int, norm: str, input_channels: int):
        super().__init__()
        check_count("ndf", ndf)
        check_count("n_layers", n_layers)
        check_count("input_channels", input_channels)
        check_choice("norm", norm, NORMS)
        layers: list[nn.Module] = [nn.Conv2d(input_channels, ndf, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        width = ndf
        for i in range(1, n_layers + 1):
            wider = ndf * min(2**i, MAX_WIDTH_FACTOR)
            stride = 2 if i < n_layers else 1
            layers += [
                nn.Conv2d(width, wider, 4, stride=stride, padding=1, bias=needs_bias(norm)),
                norm2d(norm, wider),
                nn.LeakyReLU(0.2),
            ]
            width = wider
        layers.append(nn.Conv2d(width, 1, 4, padding=1))
        self.model = nn.Sequential(*layers)
        initialize_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """Score (N, input_channels, H, W)."""
        return self.model(x)


class PixelDiscriminator(nn.Module):
    """Scores single pixels with three 1x1 convs: (N, input_channels, H, W) -> (N, 1, H, W), unbounded."""

    def __init__(self, ndf: int, norm: str, input_channels: int):
        super().__init__()
        check_count("ndf", ndf)
        check_count("input_channels", input_channels)
        check_choice("norm", norm, NORMS)
        bias = needs_bias(norm)
        self.net = nn.Sequential(
            nn.Conv2d(input_channels, ndf, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(ndf, 2 * ndf, 1, bias=bias),
            norm2d(norm, 2 * ndf),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * ndf, 1, 1, bias=bias),
        )
        initialize_normal(self)

    def forward(self, x: Tensor) -> Tensor:
        """Score (N, input_channels, H, W)."""
        return self.net(x)


def basic(ndf: int = 64, norm: str = "instance", input_channels: int = 3) -> nn.Module:
    """Upstream's `basic`: the 70x70 PatchGAN.

    Args:
        ndf: width of the first layer.
        norm: "instance" or "batch".
        input_channels: 3 for an image, 6 for a pair (pix2pix conditions on the input).

    Raises:
        ValueError: an argument is out of its range.
    """
    return PatchDiscriminator(ndf, 3, norm, input_channels)


def n_layers(ndf: int = 64, n_layers: int = 3, norm: str = "instance", input_channels: int = 3) -> nn.Module:
    """Upstream's `n_layers`: PatchGAN with `n_layers` stride-2 convs; other arguments as `basic`."""
    return PatchDiscriminator(ndf, n_layers, norm, input_channels)


def pixel(ndf: int = 64, norm: str = "instance", input_channels: int = 3) -> nn.Module:
    """Upstream's `pixel`: the 1x1 PixelGAN; arguments as `basic`."""
    return PixelDiscriminator(ndf, norm, input_channels)
