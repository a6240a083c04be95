"""Class-conditional ResNet generators for 32x32 images: cGAN-SNGAN and a BigGAN of their size.

cGAN-SNGAN (Miyato and Koyama 2018) is SNGAN's generator with conditional BatchNorm in its blocks, embeddings per norm.
BigGAN (Brock et al. 2019) has spectral norm, one embedding that all norms share, a part of the latent for each block
next to it, and self-attention; published BigGANs are larger, for images from 128x128 on.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu
from torch.nn.utils.parametrizations import spectral_norm

from ...files.errors import UserError
from ..layers import check_count, check_flag, initialize_xavier
from ..self_attention.attention import SelfAttention
from .conditional_norm import ConditionalBatchNorm

SEED_SIZE = 4  # side of the map that the latent is turned into
N_BLOCKS = 3
BLOCKS_BEFORE_ATTENTION = 2  # blocks before the attention: it sees 16x16


class ConditionalUpBlock(nn.Module):
    """[CBN, ReLU, up x2, conv 3x3, CBN, ReLU, conv 3x3] + [up x2, conv 1x1], all with bias."""

    def __init__(self, channels: int, norm: Callable[[], ConditionalBatchNorm]) -> None:
        super().__init__()
        self.norm1 = norm()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = norm()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.shortcut = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, 2H, 2W)."""
        h = interpolate(relu(self.norm1(x, condition)), scale_factor=2.0, mode="nearest")
        h = self.conv2(relu(self.norm2(self.conv1(h), condition)))
        return h + self.shortcut(interpolate(x, scale_factor=2.0, mode="nearest"))


class ConditionalResnet(nn.Module):
    """Latent (N, latent) and label (N,) to image (N, output_channels, 32, 32) in [-1, 1].

    Args:
        ngf: Channels of every block.
        latent: Length of the latent.
        classes: How many there are.
        shared: Length of the embedding that all norms share; 0: each has its own of the label.
        split_latent: The first part of the latent makes the map, the others go to a block each, next to the embedding.
        attention: Self-attention at 16x16.
        spectral: Spectral norm of all layers but the embeddings.
        output_channels: Channels of the image.
    """

    def __init__(
        self,
        ngf: int,
        latent: int,
        classes: int,
        shared: int,
        split_latent: bool,
        attention: bool,
        spectral: bool,
        output_channels: int,
    ) -> None:
        super().__init__()
        check_count("ngf", ngf)
        check_count("latent", latent)
        check_count("classes", classes)
        check_count("output_channels", output_channels)
        check_count("shared", shared, at_least=0)
        for name, flag in (("split_latent", split_latent), ("attention", attention), ("spectral", spectral)):
            check_flag(name, flag)
        parts = 1 + N_BLOCKS
        if split_latent and (not shared or latent % parts):
            raise UserError(
                f"split_latent needs a shared embedding, in {parts} parts: got shared={shared}, latent={latent}; "
                f"expected shared above 0 and a latent that is a multiple of {parts}"
            )
        self.part = latent // parts if split_latent else latent
        condition = shared + (self.part if split_latent else 0)

        def norm() -> ConditionalBatchNorm:
            return ConditionalBatchNorm(ngf, classes, condition if shared else 0)

        self.embedding: nn.Module = nn.Embedding(classes, shared) if shared else nn.Identity()
        self.linear = nn.Linear(self.part, ngf * SEED_SIZE**2)
        self.blocks = nn.ModuleList(ConditionalUpBlock(ngf, norm) for _ in range(N_BLOCKS))
        self.attention: nn.Module = SelfAttention(ngf, heads=1) if attention else nn.Identity()
        self.norm = nn.BatchNorm2d(ngf)
        self.conv = nn.Conv2d(ngf, output_channels, 3, padding=1)
        initialize_xavier(self)
        if spectral:
            for layer in [m for m in self.modules() if isinstance(m, nn.Conv2d | nn.Linear)]:
                spectral_norm(layer)

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        """Generate from (N, latent) and (N,)."""
        condition = self.embedding(label)
        first, *others = z.split(self.part, dim=1)
        h = self.linear(first).unflatten(1, (-1, SEED_SIZE, SEED_SIZE))
        for i, block in enumerate(self.blocks):
            h = block(h, torch.cat((condition, others[i]), 1) if others else condition)
            if i + 1 == BLOCKS_BEFORE_ATTENTION:
                h = self.attention(h)
        return self.conv(relu(self.norm(h))).tanh()


def cgan_sngan_32(
    ngf: int = 256, latent: int = 128, classes: int = 10, shared: int = 0, output_channels: int = 3
) -> nn.Module:
    """SNGAN's generator for 32x32 images with conditional BatchNorm.

    Args:
        ngf: channels of every block.
        latent: length of the latent.
        classes: how many there are.
        shared: length of an embedding that all norms share; 0: each has its own, as published.
        output_channels: channels of the image.

    Raises:
        ValueError: an argument is out of its range.
    """
    return ConditionalResnet(ngf, latent, classes, shared, False, False, False, output_channels)


def biggan_32(
    ngf: int = 256,
    latent: int = 80,
    classes: int = 10,
    shared: int = 128,
    split_latent: bool = True,
    attention: bool = True,
    output_channels: int = 3,
) -> nn.Module:
    """BigGAN's generator at 32x32: spectral norm, a shared embedding, a split latent, self-attention.

    Args:
        ngf: channels of every block.
        latent: length of the latent, a multiple of 4 if it is split.
        classes: how many there are.
        shared: length of the embedding that all norms share; 0: each has its own of the label.
        split_latent: a part of the latent for each block.
        attention: self-attention at 16x16.
        output_channels: channels of the image.

    Raises:
        ValueError: an argument is out of its range.
    """
    return ConditionalResnet(ngf, latent, classes, shared, split_latent, attention, True, output_channels)
