"""How far an output is from its own target, image by image; for tasks where every input has one.

Shapes: N images, C channels; images are in [-1, 1].
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...gan_models.files.errors import UserError

# Wang, Bovik, Sheikh and Simoncelli 2004: Gaussian window of 11 pixels, sigma 1.5, K1 = 0.01, K2 = 0.03.
_WINDOW, _SIGMA, _K1, _K2 = 11, 1.5, 0.01, 0.03


def l1_of(outputs: Tensor, targets: Tensor) -> Tensor:
    """Mean absolute difference of each pair, (N,), in units of the [-1, 1] scale: 0 to 2."""
    _same_shape(outputs, targets)
    return (outputs.double() - targets.double()).abs().flatten(1).mean(1)


def psnr_of(outputs: Tensor, targets: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each pair in dB, (N,), after clamping; equal images give inf."""
    _same_shape(outputs, targets)
    error = ((outputs.double().clamp(-1, 1) - targets.double().clamp(-1, 1)) ** 2).flatten(1).mean(1)
    return 10 * torch.log10(4 / error)


def ssim_of(outputs: Tensor, targets: Tensor) -> Tensor:
    """Structural similarity of each pair, (N,), at most 1; mean over channels and inner windows.

    Raises:
        ValueError: images smaller than the 11-pixel window, or shapes that differ.
    """
    _same_shape(outputs, targets)
    if min(outputs.shape[-2:]) < _WINDOW:
        raise UserError(f"SSIM needs images of at least {_WINDOW} pixels a side, got {tuple(outputs.shape[-2:])}")
    x, y = ((image.double().clamp(-1, 1) + 1) / 2 for image in (outputs, targets))
    mean_x, mean_y = _windowed(x), _windowed(y)
    variance_x, variance_y = _windowed(x * x) - mean_x**2, _windowed(y * y) - mean_y**2
    covariance = _windowed(x * y) - mean_x * mean_y
    c1, c2 = _K1**2, _K2**2
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    similarity = similarity / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2))
    return similarity.flatten(1).mean(1)


def _windowed(images: Tensor) -> Tensor:
    channels = images.shape[1]
    offsets = torch.arange(_WINDOW, dtype=images.dtype, device=images.device) - _WINDOW // 2
    weights = torch.exp(-(offsets**2) / (2 * _SIGMA**2))
    weights = (weights / weights.sum()).expand(channels, 1, 1, _WINDOW)
    rows = F.conv2d(images, weights, groups=channels)
    return F.conv2d(rows, weights.transpose(2, 3), groups=channels)


def _same_shape(outputs: Tensor, targets: Tensor) -> None:
    if outputs.shape != targets.shape or outputs.dim() != 4:
        raise ValueError(
            f"outputs and targets must be (N, C, H, W) of one shape, "
            f"got {tuple(outputs.shape)} and {tuple(targets.shape)}"
        )
