"""Encoders that turn images into features, and one pass of images through one of them.

Shapes: N images, d feature dimension.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import torch
from torch import Tensor

from ...gan_models.files.errors import WorkFailed


class NonFiniteImages(WorkFailed):
    """An error: a generator's output, or its features, contain NaN or infinity, so there is no quality to measure."""


class Encoder(Protocol):
    """A network that turns images into features; frozen, in eval mode, on one device.

    Attributes:
        name: Its name in a measurement's name: `inception`, `shapes`, `inception-1a2b3c4d`.
        sha256: Hash of the weights' file.
        dimension: d.
        preprocessing: Its preprocessing in words; part of the protocol.
    """

    name: str
    sha256: str
    dimension: int
    preprocessing: str

    def __call__(self, images: Tensor) -> Tensor:
        """Return the features (N, d), float32, of images (N, 3, H, W), float in [-1, 1], on the images' device."""
        ...

    def to(self, device: torch.device | str) -> Encoder:
        """Move the encoder to a device, and return it."""
        ...


def as_eight_bit(images: Tensor) -> Tensor:
    """Return images in [-1, 1] as after saving to PNG and reading back: clamped, rounded to 255 steps."""
    levels = torch.round((images.float().clamp(-1, 1) + 1) * 127.5)
    return levels / 127.5 - 1


def feature_batches(images: Iterable[Tensor], encoder: Encoder, device: torch.device | str = "cpu") -> Iterator[Tensor]:
    """Yield the features of each batch of images, (n, d) float32 on the CPU; memory holds one batch.

    Every image is rounded to 8 bits first, so that a generator's output and a file of it measure the same.

    Args:
        images: Batches (n, 3, H, W) in [-1, 1], of any sizes.
        encoder: Moved to `device`.
        device: Device that the encoder runs on. TF32 is off and cuDNN deterministic, regardless of what the process
            uses elsewhere.

    Raises:
        NonFiniteImages: An image or a feature contains NaN or infinity; the message names the images.
        ValueError: A batch is not (n, 3, H, W).
    """
    encoder = encoder.to(device)
    done = 0
    for batch in images:
        if batch.dim() != 4 or batch.shape[1] != 3:
            raise ValueError(f"images have the wrong shape: got {tuple(batch.shape)}; expected batches (N, 3, H, W)")
        check_finite(batch, done, "output")
        with (
            torch.no_grad(),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
        ):
            features = encoder(as_eight_bit(batch.to(device))).cpu()
        check_finite(features, done, "features")
        done += len(batch)
        yield features


def check_finite(values: Tensor, first: int, what: str) -> None:
    """Check that all `values` are finite. Raises NonFiniteImages naming the images, numbered from `first`, if not."""
    bad = ~torch.isfinite(values).flatten(1).all(1)
    if bool(bad.any()):
        numbers = [first + i for i in bad.nonzero().flatten().tolist()]
        named = ", ".join(map(str, numbers[:3])) + (", ..." if len(numbers) > 3 else "")
        raise NonFiniteImages(f"{what} not finite (NaN or infinity) in {len(numbers)} of {len(values)} images: {named}")
