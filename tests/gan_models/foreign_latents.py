"""Generators from a latent that are not ours: a DCGAN, and one in the manner of StyleGAN.

The file stands alone, so that `foreign_latents.py:dcgan` names a generator from a file.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Dcgan(nn.Module):
    """Radford et al. 2015: latent -> transposed convs with BatchNorm and ReLU -> tanh."""

    def __init__(self, latent: int, width: int):
        super().__init__()
        self.latent = latent
        self.main = nn.Sequential(
            nn.ConvTranspose2d(latent, 4 * width, 4, 1, 0, bias=False),
            nn.BatchNorm2d(4 * width),
            nn.ReLU(True),
            nn.ConvTranspose2d(4 * width, 2 * width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(True),
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(True),
            nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, z: Tensor) -> Tensor:
        return self.main(z.view(z.size(0), self.latent, 1, 1))


def dcgan(*, latent: int = 24, width: int = 16) -> nn.Module:
    """(N, latent) -> (N, 3, 32, 32)."""
    return Dcgan(latent, width)


class AdaIn(nn.Module):
    """Huang & Belongie 2017: InstanceNorm, then scale and shift that a linear makes from the style."""

    def __init__(self, channels: int, style: int):
        super().__init__()
        self.norm = nn.InstanceNorm2d(channels)
        self.style = nn.Linear(style, 2 * channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        scale, shift = self.style(w).chunk(2, dim=1)
        return self.norm(x) * (1 + scale[:, :, None, None]) + shift[:, :, None, None]


class StyleLayer(nn.Module):
    """(Upsampling), conv, noise from a buffer times a scale a channel, LeakyReLU, AdaIN."""

    def __init__(self, inputs: int, outputs: int, style: int, size: int, upsample: bool):
        super().__init__()
        self.upsample = upsample
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.noise_scale = nn.Parameter(torch.zeros(1, outputs, 1, 1))
        generator = torch.Generator().manual_seed(size)
        noise = torch.randn(1, 1, size, size, generator=generator, device="cpu")
        self.register_buffer("noise", noise)
        self.adain = AdaIn(outputs, style)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        if self.upsample:
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = self.conv(x) + self.noise_scale * self.noise
        return self.adain(F.leaky_relu(x, 0.2), w)


class StyleGenerator(nn.Module):
    """In the manner of StyleGAN (Karras et al. 2019): mapping MLP, learned constant, AdaIN layers, to RGB."""

    def __init__(self, latent: int, style: int, width: int):
        super().__init__()
        self.mapping = nn.Sequential(
            nn.Linear(latent, style), nn.LeakyReLU(0.2), nn.Linear(style, style), nn.LeakyReLU(0.2)
        )
        self.constant = nn.Parameter(torch.ones(1, 4 * width, 4, 4))
        self.layers = nn.ModuleList(
            [
                StyleLayer(4 * width, 4 * width, style, 4, upsample=False),
                StyleLayer(4 * width, 2 * width, style, 8, upsample=True),
                StyleLayer(2 * width, width, style, 16, upsample=True),
                StyleLayer(width, width, style, 32, upsample=True),
            ]
        )
        self.to_rgb = nn.Conv2d(width, 3, 1)

    def forward(self, z: Tensor) -> Tensor:
        z = z * torch.rsqrt(z.pow(2).mean(dim=1, keepdim=True) + 1e-8)
        w = self.mapping(z)
        x = self.constant.expand(z.shape[0], -1, -1, -1)
        for layer in self.layers:
            x = layer(x, w)
        return torch.tanh(self.to_rgb(x))


def style_generator(*, latent: int = 24, style: int = 24, width: int = 16) -> nn.Module:
    """(N, latent) -> (N, 3, 32, 32) in [-1, 1]."""
    return StyleGenerator(latent, style, width)
