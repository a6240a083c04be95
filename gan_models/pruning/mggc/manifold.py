"""The teacher's learned manifold: what it makes of the training inputs, in features, with exact neighbors.

From the abstract: the learned manifold is the set of images that the original generator makes, and it is split
into neighborhoods, each a Center sample with its neighbors. Our reconstruction: features of unit length from an
encoder, neighbors by exact Euclidean search with the sample itself left out.

Shapes: N samples, d features, K neighbors, B samples of one block.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import default_collate

from ...checkpoints.checkpoint import load_weights, save_weights
from ...data.dataset import ImageSet
from ...files.errors import UserError
from ...files.plain_values import to_json
from ...tasks.task import Task
from ...tasks.task_data import fingerprint

# Inputs, and the images they became [n, ...] -> features [n, d], of unit length.
Encode = Callable[[tuple[Tensor, ...], Tensor], Tensor]

MOST_SAMPLES = 10_000
MOST_NEIGHBORS = 50  # IC-GAN's largest neighborhood
_BLOCK = 16
_ROWS = 512


@dataclass(frozen=True)
class Manifold:
    """Samples of the teacher, by the index of the training entry they were made from.

    Attributes:
        entries: Index of each sample's entry in the data, int64 [N].
        features: Unit length, float32 [N, d].
        neighbors: Samples in order of distance, own one left out, int64 [N, K].
        distances: To them, float32 [N, K].
        loaded: Whether it was found on disk.
    """

    entries: Tensor
    features: Tensor
    neighbors: Tensor
    distances: Tensor
    loaded: bool = False

    def bandwidth(self, center: int, k: int) -> float:
        """Median distance from a center to its k neighbors, for a kernel; at least 0.001."""
        return max(float(self.distances[center, :k].median()), 1e-3)


class Samples:
    """Inputs of one generator, one an entry of the data; a pure function of the entry.

    Args:
        task: Says what the generator eats.
        name: The generator.
        data: An `ImageSet` (read without augmentation) or any sequence of dictionaries of tensors.
        device: Where inputs are put.
    """

    def __init__(self, task: Task, name: str, data: Any, device: torch.device) -> None:
        self.task, self.name, self.data, self.device = task, name, data, device

    def inputs(self, entries: Iterable[int]) -> tuple[Tensor, ...]:
        """Return the inputs [n, ...] for these entries: each entry is a batch of its own, numbered by the entry."""
        parts = []
        for entry in entries:
            batch = default_collate([self.data[entry]]) | {"step": torch.tensor(entry)}
            parts.append(self.task.inputs(batch, self.name))
        return tuple(torch.cat(part).to(self.device) for part in zip(*parts, strict=True))


def nearest(features_Nd: Tensor, k: int, rows: int = _ROWS) -> tuple[Tensor, Tensor]:
    """The k nearest other samples of each sample, exactly; memory holds one block of rows x N distances.

    Args:
        features_Nd: Any floating type.
        k: At most N - 1.
        rows: Samples of a block.

    Returns:
        Indices int64 [N, k] in order of distance, Euclidean distances float32 [N, k].

    Raises:
        ValueError: k is not in 1 .. N - 1.
    """
    n = len(features_Nd)
    if not 1 <= k < n:
        raise ValueError(f"{k} neighbors of {n} samples are not possible; use 1 to {n - 1}")
    # Double: |a|^2 + |b|^2 - 2ab loses half of the digits of near neighbors.
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


def learned_manifold(teacher: nn.Module, samples: Samples, encode: Encode, shared: Path | None) -> Manifold:
    """The manifold of a teacher over its training data; computed once and kept in `shared`.

    The file's name is a hash of data, teacher, inputs and encoder (by what it says of a probe), so that a change of any
    makes a new file. At most 10,000 entries, evenly spaced.

    Args:
        teacher: The generator, in eval mode on the samples' device.
        samples: Its inputs.
        encode: The encoder.
        shared: A folder that outlives the trial; None keeps nothing.

    Raises:
        ValueError: Fewer than two entries, or features that are not finite.
    """
    n_entries = len(samples.data)
    if n_entries < 2:
        raise UserError(f"neighbors need at least 2 training entries, the data has {n_entries}")
    entries = torch.linspace(0, n_entries - 1, min(n_entries, MOST_SAMPLES), dtype=torch.float64).round().long()
    path = None if shared is None else shared / f"manifold-{_key(teacher, samples, encode, entries)}.safetensors"
    if path is not None and path.is_file():
        tensors = load_weights(path)
        return Manifold(
            tensors["entries"], tensors["features"], tensors["neighbours"], tensors["distances"], loaded=True
        )
    features = torch.cat([_features(teacher, samples, encode, block) for block in entries.split(_BLOCK)])
    if not features.isfinite().all():
        raise UserError("the teacher's outputs or their features hold NaN or infinity: there is no manifold")
    neighbors, distances = nearest(features, min(MOST_NEIGHBORS, len(entries) - 1))
    manifold = Manifold(entries, features.cpu(), neighbors.cpu(), distances.cpu())
    if path is not None:
        save_weights(
            {
                "entries": manifold.entries,
                "features": manifold.features,
                "neighbours": manifold.neighbors,
                "distances": manifold.distances,
            },
            path,
        )
    return manifold


def unit(features: Tensor) -> Tensor:
    """Features [n, ...] as float32 rows of unit length [n, d], so that Euclidean and cosine order agree."""
    return F.normalize(features.float().flatten(1), dim=1)


def _features(teacher: nn.Module, samples: Samples, encode: Encode, entries: Tensor) -> Tensor:
    with torch.no_grad():
        inputs = samples.inputs(entries.tolist())
        return encode(inputs, teacher(*inputs))


def _key(teacher: nn.Module, samples: Samples, encode: Encode, entries: Tensor) -> str:
    digest = hashlib.sha256()

    def add(*tensors: Tensor) -> None:
        for tensor in tensors:
            digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())

    data = samples.data
    if isinstance(data, ImageSet):
        digest.update(f"{fingerprint(data.spec)}{json.dumps(to_json(data.spec), sort_keys=True)}".encode())
    else:
        for i in range(len(data)):
            add(*(data[i][key] for key in sorted(data[i])))
    digest.update(f"{samples.name} {samples.task.name} {entries.tolist()}".encode())
    for name, tensor in teacher.state_dict().items():
        digest.update(name.encode())
        add(tensor)
    # Whatever the encoder is, its answer on two fixed pictures tells it from another one.
    with torch.no_grad():
        inputs = samples.inputs(entries[:2].tolist())
        add(*inputs)
        noise = torch.rand(teacher(*inputs).shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
        add((encode(inputs, noise.to(samples.device)) * 1e4).round())
    return digest.hexdigest()[:24]
