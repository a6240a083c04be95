"""The losses of a style: Gram matrices of an encoder's maps, and colors that stay those of the photograph."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import huber_loss

from ..losses import l1
from ..task_parts import Maps

_MIN_MEAN_SHARE = 1e-8  # of a matrix's mean, below which the maps are empty
# R, G, B to Y, U, V of BT.601, of values in [0, 1]
_YUV = ((0.299, 0.587, 0.114), (-0.14714119, -0.28886916, 0.43601035), (0.61497538, -0.51496512, -0.10001026))


def gram(maps: Tensor) -> Tensor:
    """Return the Gram matrices [N, C, C] of maps [N, C, H, W], divided by C H W (Gatys et al. 2016)."""
    n, channels, height, width = maps.shape
    flat = maps.reshape(n, channels, height * width)
    return flat @ flat.transpose(1, 2) / (channels * height * width)


def gram_loss(maps: Maps, images: Tensor, targets: Tensor) -> Tensor:
    """Return the mean over maps of |gram(images) - gram(targets)| as a share of the mean |gram(targets)|.

    The share is original to ganprune: one weight fits every encoder.

    Args:
        maps: The encoder; no gradient is taken of its weights.
        images: [N, 3, H, W] in [-1, 1].
        targets: The same shape; no gradient flows to them.
    """
    with torch.no_grad():
        wanted = [gram(each.float()) for each in maps(targets)]
    shares = [
        (gram(own.float()) - goal).abs().mean() / goal.abs().mean().clamp_min(_MIN_MEAN_SHARE)
        for own, goal in zip(maps(images), wanted, strict=True)
    ]
    return torch.stack(shares).mean()


def color_loss(images: Tensor, photographs: Tensor) -> Tensor:
    """Return the distance of colors in YUV: L1 of Y plus Huber's loss of U and of V (AnimeGAN, Chen et al. 2019).

    Args:
        images: [N, 3, H, W] in [-1, 1].
        photographs: The same shape.
    """
    given, wanted = _yuv(images), _yuv(photographs)
    return l1(given[:, :1], wanted[:, :1]) + sum(
        (huber_loss(given[:, i], wanted[:, i]) for i in (1, 2)), given.new_zeros(())
    )


def _yuv(images: Tensor) -> Tensor:
    matrix = torch.tensor(_YUV, device=images.device)
    return torch.einsum("nchw,dc->ndhw", (images.float() + 1) / 2, matrix)
