"""Features of real images, kept by content: whoever asks again for the same images through the same network has them.

A key is made of everything that the features depend on: the images' content, how they were read, the encoder's weights
and preprocessing. Nothing is looked up by name or time, so an entry is never out of date; a file that cannot be read
is made again. The folder is GANPRUNE_CACHE, else `ganprune` in the user's cache folder; `off` keeps nothing.
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
from .sample import KEPT, FeatureSample, sample_of
from .statistics import FeatureStatistics

VARIABLE = "GANPRUNE_CACHE"
_FORMAT = 1


def cache_folder() -> Path | None:
    """Return the folder of entries; None if the user switched it off."""
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
    """The features of images, from the cache or computed once.

    Args:
        images: opens the images as `feature_batches` takes them; not called where the features are known.
        encoder: see `features.load_encoder`.
        content: hash of the images' content.
        reading: how they were read: size, crop, which of them, in which order.
        device: where the encoder runs; not part of the key.
    """
    folder = cache_folder()
    key = [_FORMAT, KEPT, content, reading, encoder.name, encoder.sha256, encoder.preprocessing]
    path = None if folder is None else folder / f"{json_sha256(key)}.safetensors"
    if path is not None and (found := _read(path)) is not None:
        return found
    sample = sample_of(feature_batches(images(), encoder, device))
    if path is not None:
        _write(sample, path)
    return sample


def sample_tensors(sample: FeatureSample) -> dict[str, Tensor]:
    """A sample as named tensors, for a file."""
    counts = [sample.n, *(group.n or 0 for group in sample.groups)]
    tensors = {"features": sample.features.contiguous(), "counts": torch.tensor(counts)}
    for g, group in enumerate(sample.groups):
        tensors |= {f"mean.{g}": group.mean, f"covariance.{g}": group.covariance.contiguous()}
    return tensors


def sample_from(tensors: Mapping[str, Tensor]) -> FeatureSample:
    """The sample that `sample_tensors` took apart. Raises KeyError where a part is missing."""
    n, *counts = tensors["counts"].tolist()
    groups = (FeatureStatistics(tensors[f"mean.{g}"], tensors[f"covariance.{g}"], m) for g, m in enumerate(counts))
    return FeatureSample(n, tensors["features"], tuple(groups))


def _write(sample: FeatureSample, path: Path) -> None:
    """Whole or not at all; a folder that cannot be written keeps nothing and is no error."""
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
