"""Latents: what tasks draw for generators, a function of a seed alone."""

from __future__ import annotations

import torch
from torch import Tensor

from ...networks.specs import InputSpec


def draw_latents(inputs: InputSpec, n: int, seed: int) -> dict[str, Tensor]:
    """Return n examples of each latent among inputs, standard normal, drawn on the CPU in the inputs' order.

    Args:
        inputs: What a generator takes; other inputs than latents are passed over.
        n: Examples.
        seed: 0 to 2^63 - 1.

    Returns:
        Name -> float32 (n, *shape).
    """
    random = torch.Generator().manual_seed(seed)
    return {one.name: torch.randn((n, *one.shape), generator=random) for one in inputs.of_kind("latent")}
