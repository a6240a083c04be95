"""Conditional DCGAN for 32x32 images, as it is trained on MNIST and its likes, with the layer names of its common code.

The latent and the one-hot label each become a 4x4 map by a transposed convolution; both continue together through
transposed convolutions 4x4 of stride 2, with BatchNorm and ReLU behind all but the last.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot, relu

from ..layers import check_count, initialize_normal


class ConditionalDcgan(nn.Module):
    """Latent (N, latent) and label (N,) to image (N, output_channels, 32, 32) in [-1, 1]."""

    def __init__(self, ngf: int, latent: int, classes: int, output_channels: int) -> None:
        super().__init__()
        check_count("ngf", ngf)
        check_count("latent", latent)
        check_count("classes", classes)
        check_count("output_channels", output_channels)
        self.classes = classes
        self.deconv1_1 = nn.ConvTranspose2d(latent, 2 * ngf, 4)
        self.deconv1_1_bn = nn.BatchNorm2d(2 * ngf)
        self.deconv1_2 = nn.ConvTranspose2d(classes, 2 * ngf, 4)
        self.deconv1_2_bn = nn.BatchNorm2d(2 * ngf)
        self.deconv2 = nn.ConvTranspose2d(4 * ngf, 2 * ngf, 4, 2, 1)
        self.deconv2_bn = nn.BatchNorm2d(2 * ngf)
        self.deconv3 = nn.ConvTranspose2d(2 * ngf, ngf, 4, 2, 1)
        self.deconv3_bn = nn.BatchNorm2d(ngf)
        self.deconv4 = nn.ConvTranspose2d(ngf, output_channels, 4, 2, 1)
        initialize_normal(self)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        """Generate from (N, latent) and (N,)."""
        known = one_hot(label, self.classes).to(z.dtype)
        h = relu(self.deconv1_1_bn(self.deconv1_1(z[:, :, None, None])))
        of_class = relu(self.deconv1_2_bn(self.deconv1_2(known[:, :, None, None])))
        h = relu(self.deconv2_bn(self.deconv2(torch.cat((h, of_class), 1))))
        return self.deconv4(relu(self.deconv3_bn(self.deconv3(h)))).tanh()


def cdcgan_32(ngf: int = 128, latent: int = 100, classes: int = 10, output_channels: int = 3) -> nn.Module:
    """Conditional DCGAN's generator for 32x32 images.

    Args:
        ngf: channels at 16x16; twice as many before, of latent and of label.
        latent: length of the latent.
        classes: how many there are.
        output_channels: channels of the image; MNIST and its likes have 1.

    Raises:
        ValueError: an argument is out of its range.
    """
    return ConditionalDcgan(ngf, latent, classes, output_channels)
