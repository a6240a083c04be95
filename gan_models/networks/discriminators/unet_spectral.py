"""The discriminator of Real-ESRGAN (Wang et al. 2021): a U-Net with spectral norm that scores each pixel."""

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ..layers import check_count

SLOPE = 0.2


class UnetSpectral(nn.Module):
    """Scores pixels: (N, input_channels, H, W) -> (N, 1, H, W), unbounded; H and W are multiples of 8.

    Convolutions are called `conv0` to `conv9`, as in the published code; all but the first and the last are spectrally
    normed. Maps on the way up are added to those of the way down.
    """

    def __init__(self, ndf: int, input_channels: int):
        super().__init__()
        check_count("ndf", ndf)
        check_count("input_channels", input_channels)
        self.conv0 = nn.Conv2d(input_channels, ndf, 3, padding=1)
        self.conv1 = _down(ndf, 2 * ndf)
        self.conv2 = _down(2 * ndf, 4 * ndf)
        self.conv3 = _down(4 * ndf, 8 * ndf)
        self.conv4 = _same(8 * ndf, 4 * ndf)
        self.conv5 = _same(4 * ndf, 2 * ndf)
        self.conv6 = _same(2 * ndf, ndf)
        self.conv7 = _same(ndf, ndf)
        self.conv8 = _same(ndf, ndf)
        self.conv9 = nn.Conv2d(ndf, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Score (N, input_channels, H, W)."""
        whole = _active(self.conv0(x))
        half = _active(self.conv1(whole))
        quarter = _active(self.conv2(half))
        h = _active(self.conv3(quarter))
        for conv, beside in ((self.conv4, quarter), (self.conv5, half), (self.conv6, whole)):
            enlarged = F.interpolate(h, scale_factor=2, mode="bilinear", align_corners=False)
            h = _active(conv(enlarged)) + beside
        return self.conv9(_active(self.conv8(_active(self.conv7(h)))))


def unet_spectral(ndf: int = 64, input_channels: int = 3) -> nn.Module:
    """Discriminator of Real-ESRGAN.

    Args:
        ndf: Channels at full resolution.
        input_channels: Channels of what it is shown.

    Raises:
        UserError: An argument is out of its range.
    """
    return UnetSpectral(ndf, input_channels)


def _active(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE)


def _down(inputs: int, outputs: int) -> nn.Module:
    return spectral_norm(nn.Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=False))


def _same(inputs: int, outputs: int) -> nn.Module:
    return spectral_norm(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))
