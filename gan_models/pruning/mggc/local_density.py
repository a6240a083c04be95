"""Losses that preserve the density in neighborhoods: an adversarial form, a kernel form, and the encoders of both.

From the abstract: the pruned generator should match the original's density in each neighborhood of the learned
manifold, in a manner resembling kernel density estimation, by adversarial training. The formula is unpublished. This
reconstruction has two forms:
* adversarial: the task's own adversarial losses, the original's samples of one neighborhood are real and the pruned
  generator's samples of the same inputs are fake (after IC-GAN's neighborhood sampling, Casanova et al. 2021);
* kernel: original to ganprune, and exactly testable: zero if both generators agree.

Shapes: C centers, M neighbors drawn per center, d features, n samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ...files.errors import UserError
from ...tasks.task import Task, shown
from .manifold import Encode, unit


def log_density(center_Cd: Tensor, samples_CMd: Tensor, bandwidth_C: Tensor) -> Tensor:
    """Return the log of the mean RBF kernel exp(-|a - b|^2 / 2h^2) between each center and its samples: [C]."""
    squared_CM = (samples_CMd - center_Cd[:, None]).square().sum(-1)
    exponent = -squared_CM / (2 * bandwidth_C[:, None].square())
    return exponent.logsumexp(1) - math.log(samples_CMd.shape[1])


def kernel_loss(center_Cd: Tensor, original_CMd: Tensor, pruned_CMd: Tensor, bandwidth_C: Tensor) -> Tensor:
    """Return the mean over centers of (log p - log p0)^2, with the density of either generator near the center.

    Original to ganprune; exactly 0 if both make the same images. Far outside the neighborhood (a difference of logs
    above 1) it grows linearly, so that one center does not outweigh all others.

    Args:
        center_Cd: Features of the centers.
        original_CMd: Features of the original's samples of each neighborhood.
        pruned_CMd: Features of the pruned generator's samples of the same inputs.
        bandwidth_C: h of each center.
    """
    with torch.no_grad():
        wanted = log_density(center_Cd, original_CMd, bandwidth_C)
    difference = (log_density(center_Cd, pruned_CMd, bandwidth_C) - wanted).abs()
    return torch.where(difference <= 1, difference.square(), 2 * difference - 1).mean()


def trial_features(encoder: Callable[[Tensor], Tensor]) -> Encode:
    """Return the features of images by the trial's encoder."""
    return lambda inputs, images: unit(encoder(images))


def features_of(
    choice: str, encoder: Callable[[Tensor], Tensor] | None, task: Task, judge: nn.Module
) -> tuple[str, Encode]:
    """Return the name and the features of the encoder that defines neighborhoods.

    Args:
        choice: `trial` or `discriminator`.
        encoder: The trial's encoder; without one, the discriminator is used.
        task: The task, which defines the discriminator's inputs.
        judge: The discriminator, in eval mode.
    """
    if choice == "trial" and encoder is not None:
        return "trial", trial_features(encoder)
    return "discriminator", discriminator_features(task, judge)


def discriminator_features(task: Task, judge: nn.Module) -> Encode:
    """Return the discriminator's penultimate features, averaged over positions: the input of its last weighted layer.

    Args:
        task: The task, which defines the discriminator's inputs.
        judge: The discriminator, in eval mode.

    Raises:
        ValueError: The discriminator has no layer with weights; raised on the first call.
    """
    weighted = [module for module in judge.modules() if isinstance(getattr(module, "weight", None), Tensor)]

    def encode(inputs: tuple[Tensor, ...], images: Tensor) -> Tensor:
        read: list[Tensor] = []

        def note(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            if given[0].is_floating_point():  # an embedding reads labels
                read.append(given[0])

        handles = [module.register_forward_pre_hook(note) for module in weighted]
        try:
            judge(*shown(task, inputs, images))
        finally:
            for handle in handles:
                handle.remove()
        if not read:
            raise UserError(
                "the discriminator has no features: got no layer with weights; expected one. Try encoder=trial"
            )
        features = read[-1]
        return unit(features if features.dim() < 3 else features.flatten(2).mean(2))

    return encode


def balance(mode: str, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    """Return a discriminator's state: mean scores, and the share of either kind on the right side of the boundary.

    Args:
        mode: Adversarial loss; the boundary is 0.5 for lsgan and 0 for the others.
        real: Raw scores of any shape, of the original's images.
        fake: Raw scores of the pruned generator's images.
    """
    boundary = 0.5 if mode == "lsgan" else 0.0
    return {
        "score_real": real.detach().float().mean(),
        "score_fake": fake.detach().float().mean(),
        "accuracy_real": (real.detach() > boundary).float().mean(),
        "accuracy_fake": (fake.detach() <= boundary).float().mean(),
    }
