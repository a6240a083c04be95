"""Features of real images, cached by content: the same images through the same encoder are encoded once.

A key is a hash of all that the features depend on: the images' content, how they were read, and the encoder's weights
and preprocessing. Names and times are not part of it, so an entry is never out of date. An unreadable file is computed
again. The folder is GANPRUNE_CACHE, else `ganprune` in the user's cache folder; `off` disables the cache.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...gan_models.files.atomic_files import written_beside
from ...gan_models.files.hashes import json_sha256
from .encoders import Encoder, feature_batches
from .sample import MAX_STORED_IMAGES, FeatureSample, sample_of
from .statistics import FeatureStatistics

VARIABLE = "GANPRUNE_CACHE"
_FORMAT = 1


def cache_folder() -> Path | None:
    """Return the folder of the cache's entries; None if the user switched the cache off."""
    given = os.environ.get(VARIABLE)
    if given is not None:
        return None if given in ("", "off") else Path(given).expanduser() / "features"
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "ganprune" / "features"


def cached_sample(
    images: Callable[[], Iterable[Tensor]],
    encoder: Encoder,
    content: str,
    reading: str,
    device: torch.device | str = "cpu",
) -> FeatureSample:
    """Return the features of images, from the cache or computed once.

    Args:
        images: Opens the images as `feature_batches` takes them; not called if the features are cached.
        encoder: See `features.load_encoder`.
        content: Hash of the images' content.
        reading: How they were read: size, crop, which of them, in which order.
        device: Device that the encoder runs on; not part of the key.
    """
    folder = cache_folder()
    key = [_FORMAT, MAX_STORED_IMAGES, content, reading, encoder.name, encoder.sha256, encoder.preprocessing]
    path = None if folder is None else folder / f"{json_sha256(key)}.safetensors"
    if path is not None and (found := _read(path)) is not None:
        return found
    sample = sample_of(feature_batches(images(), encoder, device))
    if path is not None:
        _write(sample, path)
    return sample


def sample_tensors(sample: FeatureSample) -> dict[str, Tensor]:
    """Return a sample as named tensors, for a file."""
    counts = [sample.n, *(group.n or 0 for group in sample.groups)]
    tensors = {"features": sample.features.contiguous(), "counts": torch.tensor(counts)}
    for g, group in enumerate(sample.groups):
        tensors |= {f"mean.{g}": group.mean, f"covariance.{g}": group.covariance.contiguous()}
    return tensors


def sample_from(tensors: Mapping[str, Tensor]) -> FeatureSample:
    """Return the sample that `sample_tensors` took apart. Raises KeyError if a part is missing."""
    n, *counts = tensors["counts"].tolist()
    groups = (FeatureStatistics(tensors[f"mean.{g}"], tensors[f"covariance.{g}"], m) for g, m in enumerate(counts))
    return FeatureSample(n, tensors["features"], tuple(groups))


def _write(sample: FeatureSample, path: Path) -> None:
    """Write an entry atomically; a folder that cannot be written is not an error, and nothing is cached."""
    try:
        with written_beside(path) as beside:
            save_file(sample_tensors(sample), beside)
    except (OSError, safetensors.SafetensorError):
        return


def _read(path: Path) -> FeatureSample | None:
    try:
        return sample_from(load_file(path))
    except (OSError, KeyError, ValueError, safetensors.SafetensorError):
        return None
