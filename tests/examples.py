"""Example batches of one input, for tests."""

from __future__ import annotations

from collections.abc import Sequence

from ganprune.gan_models.networks.specs import InputSpec
from torch import Tensor


def example_input(shape: Sequence[int], n: int = 1, device: str | None = None) -> Tensor:
    """Return a deterministic batch of images (three sizes) or latents (one)."""
    return InputSpec.of_shape(shape).examples(n, device)[0]
