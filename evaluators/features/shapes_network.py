"""The network of the bundled encoder `shapes`, small, for use if Inception's weights are not available.

Trained by `benchmarks/train_shapes_encoder.py` on `builtin:shapes` to classify an image's layout and colors, and its
corruption (noise, blur, tint, checkerboard, ...). Architecture and training task are original to ganprune.

Shapes: N images, H x W pixels of any size of at least 16, d = 96 features.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...gan_models.files.errors import UserError

SHAPES_DIMENSION = 96
SIDE = 64
MINIMUM_SIDE = 16

_TEXTURE_FEATURES = 64
_LAYOUT_FEATURES = SHAPES_DIMENSION - _TEXTURE_FEATURES
_LAYOUT_CHANNELS = 8


def _conv(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class ShapesNetwork(nn.Module):
    """A network from images (N, 3, H, W) in [-1, 1] to features (N, 96): 64 pooled over the image and 32 of its layout.

    Pooled features describe texture, noise and color. The other 32 come from an 8 x 8 map and describe the layout, so
    that a generator that repeats one good image is far from the data. `scale` makes every feature's deviation 1 over
    clean and corrupted training images. A feature that is nearly constant on clean images (a detector of noise, say)
    keeps its weight that way.
    """

    scale: Tensor

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(_conv(3, 24, 1), _conv(24, 40, 2), _conv(40, 64, 2), _conv(64, 80, 2))
        self.texture = _conv(80, _TEXTURE_FEATURES, 1)
        self.reduce = nn.Sequential(nn.Conv2d(80, _LAYOUT_CHANNELS, 1), nn.ReLU())
        self.layout = nn.Linear(_LAYOUT_CHANNELS * (SIDE // 8) ** 2, _LAYOUT_FEATURES)
        self.register_buffer("scale", torch.ones(SHAPES_DIMENSION))

    def forward(self, images: Tensor) -> Tensor:
        """Return the features (N, 96), float32. Raises ValueError for images smaller than 16 pixels per side."""
        height, width = images.shape[-2:]
        if images.dim() != 4 or images.shape[1] != 3 or min(height, width) < MINIMUM_SIDE:
            raise UserError(
                f"images are unsuitable for the shapes encoder: got {tuple(images.shape)}; expected (N, 3, H, W) of "
                f"at least {MINIMUM_SIDE} pixels per side"
            )
        if (height, width) != (SIDE, SIDE):
            images = F.interpolate(images, (SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True)
        maps = self.trunk(images)
        pooled = cast(Tensor, self.texture(maps)).mean((2, 3))
        placed = self.layout(self.reduce(maps).flatten(1))
        return torch.cat((pooled, placed), 1) * self.scale
