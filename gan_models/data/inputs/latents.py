"""Latents that tasks draw for generators; a function of a seed only."""

from __future__ import annotations

import torch
from torch import Tensor

from ...networks.specs import InputSpec


def draw_latents(inputs: InputSpec, n: int, seed: int) -> dict[str, Tensor]:
    """Return n examples of each latent among inputs, standard normal, drawn on the CPU in the inputs' order.

    Args:
        inputs: The generator's inputs; those other than latents are ignored.
        n: Number of examples.
        seed: Seed, 0 to 2^63 - 1.

    Returns:
        Name -> float32 (n, *shape).
    """
    random = torch.Generator().manual_seed(seed)
    return {one.name: torch.randn((n, *one.shape), generator=random) for one in inputs.of_kind("latent")}
