"""Adversarial losses on a discriminator's raw scores: what G minimizes and what D minimizes.

Sources: vanilla (Goodfellow et al. 2014, G's non-saturating form), lsgan (Mao et al. 2017), hinge (Miyato et
al. 2018). Scores have any shape; every patch counts alike. Losses are means, scalars, float32.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..files.errors import UserError


def generator_adversarial(mode: str, fake: Tensor) -> Tensor:
    """Return the generator's adversarial loss, given the discriminator's raw scores of its outputs.

    vanilla: mean log(1 + e^-s); lsgan: mean (s - 1)^2; hinge: -mean s.

    Raises:
        ValueError: unknown mode.
    """
    fake = fake.float()
    if mode == "vanilla":
        return F.softplus(-fake).mean()
    if mode == "lsgan":
        return (fake - 1).square().mean()
    if mode == "hinge":
        return -fake.mean()
    raise UserError(f"adversarial loss {mode!r} is unknown; use vanilla, lsgan or hinge")


def discriminator_adversarial(mode: str, real: Tensor, fake: Tensor) -> Tensor:
    """Return the discriminator's loss, given its raw scores of real images and of outputs: the sum of both terms.

    vanilla: mean log(1 + e^-r) + mean log(1 + e^f); lsgan: mean (r - 1)^2 + mean f^2; hinge:
    mean max(0, 1 - r) + mean max(0, 1 + f). Upstream halves it for its PatchGANs; the tasks do so.

    Raises:
        ValueError: unknown mode.
    """
    real = real.float()
    if mode == "vanilla":
        return F.softplus(-real).mean() + fake_adversarial(mode, fake)
    if mode == "lsgan":
        return (real - 1).square().mean() + fake_adversarial(mode, fake)
    if mode == "hinge":
        return torch.relu(1 - real).mean() + fake_adversarial(mode, fake)
    raise UserError(f"adversarial loss {mode!r} is unknown; use vanilla, lsgan or hinge")


def fake_adversarial(mode: str, fake: Tensor) -> Tensor:
    """Return the second of the two terms alone: of images that the discriminator is to tell from real ones.

    Raises:
        ValueError: unknown mode.
    """
    fake = fake.float()
    if mode == "vanilla":
        return F.softplus(fake).mean()
    if mode == "lsgan":
        return fake.square().mean()
    if mode == "hinge":
        return torch.relu(1 + fake).mean()
    raise UserError(f"adversarial loss {mode!r} is unknown; use vanilla, lsgan or hinge")


def l1(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference, in float32 regardless of the inputs."""
    return (a.float() - b.float()).abs().mean()
