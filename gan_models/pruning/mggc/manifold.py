"""The teacher's learned manifold: its outputs for the training inputs, as features, with exact neighbors.

From the abstract: the learned manifold is the set of images that the original generator makes, and it is split into
neighborhoods, each a Center sample with its neighbors. This reconstruction uses features of unit length from an
encoder, and exact Euclidean neighbors without the sample itself.

Shapes: N samples, d features, K neighbors, B samples per block.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import default_collate

from ...checkpoints.tensor_hashes import add_tensors, add_weights
from ...files.errors import UserError
from ...tasks.task import Task

# Function of inputs and the images [n, ...] that they became to features [n, d] of unit length.
Encode = Callable[[tuple[Tensor, ...], Tensor], Tensor]

MAX_SAMPLES = 10_000
MAX_NEIGHBORS = 50  # IC-GAN's largest neighborhood
_BLOCK = 16
_ROWS = 512


@dataclass(frozen=True)
class Manifold:
    """Samples of the teacher, by the index of their training entry.

    Attributes:
        entries: Index of each sample's entry in the data, int64 [N].
        features: Features of unit length, float32 [N, d].
        neighbors: Other samples in order of distance, int64 [N, K].
        distances: Their distances, float32 [N, K].
    """

    entries: Tensor
    features: Tensor
    neighbors: Tensor
    distances: Tensor

    def bandwidth(self, center: int, k: int) -> float:
        """Return the median distance from a center to its k neighbors, for a kernel; at least 0.001."""
        return max(float(self.distances[center, :k].median()), 1e-3)


class Samples:
    """Inputs of one generator, one per entry of the data; a pure function of the entry.

    Args:
        task: The task, which defines the generator's inputs.
        name: The generator.
        data: An `ImageSet` (read without augmentation) or any sequence of dictionaries of tensors.
        device: Device of the inputs.
    """

    def __init__(self, task: Task, name: str, data: Any, device: torch.device) -> None:
        self.task, self.name, self.data, self.device = task, name, data, device

    def inputs(self, entries: Iterable[int]) -> tuple[Tensor, ...]:
        """Return the inputs [n, ...] for these entries; each entry is its own batch, numbered by the entry."""
        parts = []
        for entry in entries:
            batch = default_collate([self.data[entry]]) | {"step": torch.tensor(entry)}
            parts.append(self.task.inputs(batch, self.name))
        return tuple(torch.cat(part).to(self.device) for part in zip(*parts, strict=True))


def nearest(features_Nd: Tensor, k: int, rows: int = _ROWS) -> tuple[Tensor, Tensor]:
    """Return the k nearest other samples of each sample, exactly; memory holds one block of rows x N distances.

    Args:
        features_Nd: Features of any floating type.
        k: At most N - 1.
        rows: Number of samples per block.

    Returns:
        Indices int64 [N, k] in order of distance, Euclidean distances float32 [N, k].

    Raises:
        ValueError: k is not in 1 .. N - 1.
    """
    n = len(features_Nd)
    if not 1 <= k < n:
        raise ValueError(f"invalid number of neighbors of {n} samples: got {k}; expected 1 to {n - 1}")
    # Float64: |a|^2 + |b|^2 - 2ab loses half of the digits of near neighbors.
    points = features_Nd.double()
    squared_N = points.square().sum(1)
    indices, distances = [], []
    for start in range(0, n, rows):
        block = points[start : start + rows]
        squared = squared_N[start : start + rows, None] + squared_N - 2 * block @ points.T
        own = torch.arange(len(block), device=points.device)
        squared[own, start + own] = torch.inf
        found = squared.topk(k, dim=1, largest=False)
        indices.append(found.indices)
        distances.append(found.values.clamp(min=0).sqrt().float())
    return torch.cat(indices), torch.cat(distances)


def entries_of(n_entries: int) -> Tensor:
    """Return the indices, int64 [N], of the training entries that samples are made from: at most 10,000, evenly spaced.

    Raises:
        UserError: There are fewer than two entries.
    """
    if n_entries < 2:
        raise UserError(f"neighbors need more training entries: got {n_entries}; expected at least 2")
    return torch.linspace(0, n_entries - 1, min(n_entries, MAX_SAMPLES), dtype=torch.float64).round().long()


def learned_manifold(teacher: nn.Module, samples: Samples, encode: Encode) -> Manifold:
    """Return the manifold of a teacher over its training data.

    Args:
        teacher: The generator, in eval mode on the samples' device.
        samples: Its inputs.
        encode: The encoder.

    Raises:
        UserError: There are fewer than two entries, or features are not finite.
    """
    entries = entries_of(len(samples.data))
    features = torch.cat([_features(teacher, samples, encode, block) for block in entries.split(_BLOCK)])
    if not features.isfinite().all():
        raise UserError("the teacher's outputs or their features contain NaN or infinity, so there is no manifold")
    neighbors, distances = nearest(features, min(MAX_NEIGHBORS, len(entries) - 1))
    return Manifold(entries, features.cpu(), neighbors.cpu(), distances.cpu())


def identity(teacher: nn.Module, samples: Samples, encode: Encode, data: str) -> str:
    """Return a hash (24 hex digits) of all that a manifold follows from: data, teacher, inputs and encoder.

    Args:
        teacher: As for `learned_manifold`.
        samples: Its inputs.
        encode: The encoder; its features of two fixed pictures identify it.
        data: Identity of the data and of the way that they are read.
    """
    entries = entries_of(len(samples.data))
    digest = hashlib.sha256(data.encode())
    digest.update(f"{samples.name} {samples.task.name} {entries.tolist()}".encode())
    add_weights(digest, teacher)
    with torch.no_grad():
        inputs = samples.inputs(entries[:2].tolist())
        add_tensors(digest, *inputs)
        noise = torch.rand(teacher(*inputs).shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
        add_tensors(digest, (encode(inputs, noise.to(samples.device)) * 1e4).round())
    return digest.hexdigest()[:24]


def unit(features: Tensor) -> Tensor:
    """Return features [n, ...] as float32 rows of unit length [n, d], for which Euclidean and cosine order agree."""
    return F.normalize(features.float().flatten(1), dim=1)


def _features(teacher: nn.Module, samples: Samples, encode: Encode, entries: Tensor) -> Tensor:
    with torch.no_grad():
        inputs = samples.inputs(entries.tolist())
        return encode(inputs, teacher(*inputs))
