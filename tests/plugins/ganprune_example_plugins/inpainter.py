"""A generator of two inputs: a photo with a hole, and the mask that says where the hole is."""

from __future__ import annotations

import torch
from ganprune.gan_models.networks.catalog import Network
from torch import Tensor, nn

INPAINTER = Network(f"{__name__}:inpainter", "photo=image:3,64,64;mask=mask:1,64,64")


class Inpainter(nn.Module):
    """An encoder per input, their sum, residual blocks and a last convolution.

    Args:
        width: Channels after the first layers.
        blocks: Residual blocks.
    """

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.photo = nn.Conv2d(3, width, 3, padding=1)
        self.mask = nn.Conv2d(1, width, 3, padding=1)
        self.norm = nn.InstanceNorm2d(width, affine=True)
        self.down = nn.Conv2d(width, 2 * width, 4, 2, 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(2 * width, 2 * width, 3, padding=1),
                nn.InstanceNorm2d(2 * width, affine=True),
                nn.ReLU(),
                nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            )
            for _ in range(blocks)
        )
        self.up = nn.ConvTranspose2d(2 * width, width, 4, 2, 1)
        self.last = nn.Conv2d(2 * width, 3, 3, padding=1)

    def forward(self, photo: Tensor, mask: Tensor) -> Tensor:
        """Return the photo [N, 3, H, W] with what the mask [N, 1, H, W] covers filled in; H and W are even."""
        first = torch.relu(self.norm(self.photo(photo) + self.mask(mask)))
        x = torch.relu(self.down(first))
        for block in self.blocks:
            x = x + block(x)
        return torch.tanh(self.last(torch.cat([torch.relu(self.up(x)), first], 1)))


def inpainter(*, width: int = 16, blocks: int = 2) -> nn.Module:
    """Return the generator with fresh weights."""
    return Inpainter(width, blocks)
