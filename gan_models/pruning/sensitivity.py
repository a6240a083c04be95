"""The sensitivity of the loss to channels that an L1 norm shrinks: sensitive channels are pulled less."""

from __future__ import annotations

import torch
from torch import Tensor


def pull_of(sensitivity: Tensor, exponent: float) -> Tensor:
    """Return the pull of each magnitude towards zero [N], about 1: less if the loss depends more on it.

    The proximal step in an adaptive optimizer's own metric has threshold lambda lr / (sqrt(v) + eps), v the mean
    squared gradient (Yun et al. 2021, "ProxGen"); here to a power, relative to the mean, and between 1/8 and 8. With
    exponent 1 latents fall in the order of |z| rms(dL/dz), the first-order estimate of what removing a channel costs;
    with 0 it is DHP's plain step.

    Args:
        sensitivity: Mean squared gradients [N], zero if there was none.
        exponent: Exponent, 0 to 1.
    """
    rms = sensitivity.sqrt()
    mean = rms.mean()
    return (rms / mean).clamp(min=1 / 8, max=8).pow(-exponent) if float(mean) > 0 else torch.ones_like(rms)
