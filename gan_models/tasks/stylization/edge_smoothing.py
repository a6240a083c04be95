"""Drawings whose edges are blurred: the negatives that teach a discriminator to ask for clear edges.

Chen et al. 2018 find edges with Canny's detector, dilate them, and blur the picture there. This is the same in tensors,
on the fly: Sobel gradients, thinning along them, two thresholds, a square of 5 pixels, and OpenCV's Gaussian of 5.

Shapes: N images of C channels, H x W pixels, all of the usual range, [-1, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d, pad

from ...files.pictures.colors import LUMA

WEAK_EDGE, STRONG_EDGE = (
    100.0,
    200.0,
)  # of |dx| + |dy| by Sobel on 0 .. 255: Canny's thresholds in the published scripts
GROWTH_STEPS = 16  # pixels that a strong edge goes on along a weak one
SIDE = 5  # pixels of the dilation and of the blur
SIGMA = 0.3 * ((SIDE - 1) * 0.5 - 1) + 0.8  # of OpenCV for this side
_TAN_22 = 2**0.5 - 1  # of 22.5 degrees: directions are told apart in eighths
_SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


def smoothed_edges(images: Tensor) -> Tensor:
    """Return the images, blurred where they have edges.

    Args:
        images: [N, C, H, W] of at least 3 x 3 pixels.
    """
    near = max_pool2d(edges(images).to(images.dtype), SIDE, stride=1, padding=SIDE // 2)
    return torch.where(near > 0, _blurred(images), images)


def edges(images: Tensor) -> Tensor:
    """Return [N, 1, H, W], bool: the edges of the luma, one pixel wide; of other channels than RGB of their mean."""
    weights = torch.tensor(LUMA, device=images.device) if images.shape[1] == len(LUMA) else 1 / images.shape[1]
    scaled = (images.float() + 1) * 127.5
    gray = (scaled * (weights.view(1, -1, 1, 1) if isinstance(weights, Tensor) else weights)).sum(1, keepdim=True)
    sobel = torch.tensor(_SOBEL, device=images.device)
    dx, dy = conv2d(pad(gray, (1, 1, 1, 1), "replicate"), torch.stack((sobel, sobel.T))[:, None]).split(1, 1)
    size = dx.abs() + dy.abs()
    thin = size * _is_ridge(size, dx, dy)
    weak, strong = thin > WEAK_EDGE, (thin > STRONG_EDGE).to(size.dtype)
    for _ in range(GROWTH_STEPS):
        strong = max_pool2d(strong, 3, stride=1, padding=1) * weak
    return strong > 0


def _is_ridge(size: Tensor, dx: Tensor, dy: Tensor) -> Tensor:
    """Return where a gradient is no smaller than its two neighbors along it; of two equal ones the latter is kept."""
    height, width = size.shape[2:]
    around = pad(size, (1, 1, 1, 1))

    def neighbor(down: int, right: int) -> Tensor:
        return around[:, :, 1 + down : 1 + down + height, 1 + right : 1 + right + width]

    flat, steep = dy.abs() <= _TAN_22 * dx.abs(), dx.abs() <= _TAN_22 * dy.abs()
    falling = dx * dy > 0
    found = torch.zeros_like(size, dtype=torch.bool)
    for where, (down, right) in (
        (flat, (0, 1)),
        (steep & ~flat, (1, 0)),
        (falling & ~flat & ~steep, (1, 1)),
        (~falling & ~flat & ~steep, (1, -1)),
    ):
        found |= where & (size >= neighbor(-down, -right)) & (size > neighbor(down, right))
    return found


def _blurred(images: Tensor) -> Tensor:
    places = torch.arange(SIDE, device=images.device, dtype=torch.float32) - SIDE // 2
    line = torch.exp(-places.square() / (2 * SIGMA**2))
    line = (line / line.sum()).to(images.dtype)
    border = SIDE // 2
    planes = pad(images.flatten(0, 1)[:, None], (border,) * 4, "reflect")
    return conv2d(conv2d(planes, line.view(1, 1, -1, 1)), line.view(1, 1, 1, -1)).view_as(images)
