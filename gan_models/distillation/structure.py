"""The structural similarity of a student's output to its teacher's (Wang et al. 2004), as OMGD's term 1 - SSIM(S, T).

Means, variances and covariance are those of Gaussian windows of 11 pixels, sigma 1.5. K1 = 0.01 and K2 = 0.03, on
images in [0, 1]. Smaller images have a smaller window, of an odd number of pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .term import Pair, Seen, Term

WINDOW, SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2


def ssim(images: Tensor, goals: Tensor) -> Tensor:
    """Return the mean structural similarity of images [N, C, H, W] in [-1, 1], at most 1; differentiable."""
    x, y = ((each.float() + 1) / 2 for each in (images, goals))
    size = min(WINDOW, *(side - (side + 1) % 2 for side in x.shape[-2:]))
    offsets = torch.arange(size, dtype=x.dtype, device=x.device) - size // 2
    line = torch.softmax(-(offsets**2) / (2 * SIGMA**2), 0)
    window = torch.outer(line, line).expand(x.shape[1], 1, size, size)

    def mean(values: Tensor) -> Tensor:
        return F.conv2d(values, window, groups=x.shape[1])

    mean_x, mean_y = mean(x), mean(y)
    covariance = mean(x * y) - mean_x * mean_y
    spread = mean(x * x) - mean_x**2 + mean(y * y) - mean_y**2
    similarity = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    return (similarity / ((mean_x**2 + mean_y**2 + _C1) * (spread + _C2))).mean()


class Structure(Term):
    """One less the structural similarity of the outputs."""

    def __init__(self, pair: Pair) -> None:
        super().__init__()

    def forward(self, seen: Seen) -> Tensor:
        """Return 1 - SSIM."""
        return 1 - ssim(seen.output, seen.goal)
