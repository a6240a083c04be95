"""Distances of a student's images to its teacher's: pixels, and features and Gram matrices of an encoder's maps.

GAN Slimming's released code: |relu1_2(y) - relu1_2(t)| + 1e5 sum over four layers of (Gram_y - Gram_t)^2 on VGG-16,
means over all entries, Gram matrices divided by C H W. The additional pixel term, and other encoders, are original to
ganprune.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..distillation.term import FeatureMaps
from ..files.errors import UserError
from ..tasks.losses import l1
from ..tasks.stylization.style_losses import gram


def perceptual(maps: FeatureMaps, images: Tensor, goals: Tensor) -> Tensor:
    """Return the L1 distance of the first maps plus the weighted squared differences of all Gram matrices.

    Args:
        maps: The encoder, whose weights get no gradient.
        images: Images of the student, [N, C, H, W] in [-1, 1].
        goals: Images of the teacher, of the same shape, without gradient.
    """
    with torch.no_grad():
        wanted = maps(goals)
    given = maps(images)
    style = torch.stack([(gram(a) - gram(b)).square().mean() for a, b in zip(given, wanted, strict=True)]).sum()
    return l1(given[0], wanted[0]) + maps.style_weight * style


def image_distance(name: str, maps: FeatureMaps | None) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the distance of a name.

    Args:
        name: `perceptual+l1`; `perceptual`, as published; `l1`; `mse`, the released code's alternative.
        maps: The encoder's maps; without them, `perceptual+l1` is the pixels' part only.

    Raises:
        ValueError: The name is unknown, or `perceptual` has no maps.
    """
    if name == "l1" or (name == "perceptual+l1" and maps is None):
        return l1
    if name == "mse":
        return lambda images, goals: (images.float() - goals.float()).square().mean()
    if maps is None or name not in ("perceptual", "perceptual+l1"):
        raise UserError(
            f"distance {name!r} cannot be had {'without an encoder' if maps is None else ''}; "
            "use perceptual+l1, perceptual (with an encoder), l1 or mse"
        )
    if name == "perceptual":
        return lambda images, goals: perceptual(maps, images, goals)
    return lambda images, goals: l1(images, goals) + perceptual(maps, images, goals)
