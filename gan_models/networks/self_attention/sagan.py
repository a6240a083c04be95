"""SAGAN for 64x64 images, with the layer names of its published PyTorch code.

Generator: transposed convs 4x4 from a latent to 4x4, 8x8, 16x16, 32x32 and 64x64, all but the last spectrally normed,
with BatchNorm and ReLU; self-attention at 16x16 and at 32x32. Discriminator: strided convs 4x4, spectrally normed, with
LeakyReLU; self-attention at 8x8 and at 4x4; a conv 4x4.

The published code divides a transposed weight by the norm of its input channels by all else, and so does this one.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ..layers import check_count, check_flag
from .attention import SelfAttention

SIDE = 64  # pixels of an image
SLOPE = 0.1


class SaganGenerator(nn.Module):
    """Latent (N, latent) to image (N, output_channels, 64, 64) in [-1, 1]."""

    def __init__(
        self, ngf: int = 64, latent: int = 128, heads: int = 0, spectral: bool = True, channels: int = 3
    ) -> None:
        super().__init__()
        check_count("ngf", ngf)
        check_count("latent", latent)
        check_count("heads", heads, at_least=0)
        check_count("output_channels", channels)
        check_flag("spectral", spectral)

        def layer(n_in: int, n_out: int, stride: int) -> nn.Sequential:
            up: nn.Module = nn.ConvTranspose2d(n_in, n_out, 4, stride, stride // 2)
            if spectral:
                up = spectral_norm(up, dim=0)
            return nn.Sequential(up, nn.BatchNorm2d(n_out), nn.ReLU())

        self.l1 = layer(latent, 8 * ngf, 1)
        self.l2 = layer(8 * ngf, 4 * ngf, 2)
        self.l3 = layer(4 * ngf, 2 * ngf, 2)
        self.l4 = layer(2 * ngf, ngf, 2)
        self.last = nn.Sequential(nn.ConvTranspose2d(ngf, channels, 4, 2, 1), nn.Tanh())
        self.attn1 = SelfAttention(2 * ngf, heads)
        self.attn2 = SelfAttention(ngf, heads)

    def forward(self, z: Tensor) -> Tensor:
        """Generate from (N, latent)."""
        h = self.attn1(self.l3(self.l2(self.l1(z[:, :, None, None]))))
        return self.last(self.attn2(self.l4(h)))


class SaganDiscriminator(nn.Module):
    """Image (N, input_channels, 64, 64) to one unbounded score per image, (N, 1)."""

    def __init__(self, ndf: int = 64, input_channels: int = 3) -> None:
        super().__init__()
        check_count("ndf", ndf)
        check_count("input_channels", input_channels)

        def layer(n_in: int, n_out: int) -> nn.Sequential:
            return nn.Sequential(spectral_norm(nn.Conv2d(n_in, n_out, 4, 2, 1)), nn.LeakyReLU(SLOPE))

        self.l1, self.l2 = layer(input_channels, ndf), layer(ndf, 2 * ndf)
        self.l3, self.l4 = layer(2 * ndf, 4 * ndf), layer(4 * ndf, 8 * ndf)
        self.last = nn.Sequential(nn.Conv2d(8 * ndf, 1, 4))
        self.attn1, self.attn2 = SelfAttention(4 * ndf), SelfAttention(8 * ndf)

    def forward(self, x: Tensor) -> Tensor:
        """Score (N, input_channels, 64, 64)."""
        h = self.attn1(self.l3(self.l2(self.l1(x))))
        return self.last(self.attn2(self.l4(h))).flatten(1)


def sagan_64(
    ngf: int = 64, latent: int = 128, heads: int = 0, spectral: bool = True, output_channels: int = 3
) -> nn.Module:
    """SAGAN's generator for 64x64 images.

    Args:
        ngf: channels at 32x32; eight times as many at 4x4.
        latent: length of the latent.
        heads: of the attentions; 0: as in the published PyTorch code, without a convolution behind (`SelfAttention`).
        spectral: spectral norm of the transposed convolutions.
        output_channels: channels of the image.

    Raises:
        ValueError: an argument is out of its range.
    """
    return SaganGenerator(ngf, latent, heads, spectral, output_channels)


def sagan_discriminator(ndf: int = 64, input_channels: int = 3) -> nn.Module:
    """SAGAN's spectrally normed discriminator for 64x64 images.

    Args:
        ndf: channels after the first layer.
        input_channels: channels of the image.

    Raises:
        ValueError: an argument is out of its range.
    """
    return SaganDiscriminator(ndf, input_channels)
