"""The tensors that a hypernetwork generates, their channel axes, and the numbers that this takes.

Legend: a, b are the positions of a weight's two channel axes, k the numbers of one channel pair (the kernel), e the
embedding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ...groups.channel_groups import ChannelGroups
from ..catalog import TRAINED
from ..settings import settings_of
from .settings import CoronetSettings

BYTES = 4  # bytes of a float32
STATES = 4  # numbers in training: a parameter, its gradient and Adam's two moments


@dataclass(frozen=True)
class GeneratedWeight:
    """A weight with prunable channels, as its hypernetwork needs it.

    Attributes:
        name: Name of the parameter.
        shape: Its own shape, independent of the layer's layout.
        axes: The two axes that carry channels; the others are the kernel.
        a, b: int64, channel of each position on these axes (`AxisChannels.flat`: 0 is never pruned).
        fan_in: Number of inputs of one output channel (C_in k^2).
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[int, int]
    a: NDArray[np.int64]
    b: NDArray[np.int64]
    fan_in: int

    @property
    def kernel(self) -> int:
        """Number of entries per channel pair: k^2 of a convolution, 1 of a linear layer."""
        return int(np.prod(self.shape)) // (len(self.a) * len(self.b))

    def numbers(self, embedding: int) -> int:
        """Return the number of parameters: B0 [a,b], W1 and B1 [a,b,e], W2 [a,b,e,k] and B2 [a,b,k] together."""
        k = self.kernel
        return len(self.a) * len(self.b) * (1 + 2 * embedding + embedding * k + k)


@dataclass(frozen=True)
class HypernetworkSize:
    """The size of a hypernetwork.

    Attributes:
        numbers: Number of trained parameters: all layers and the latents.
        latents: Number of latents.
        weights: Number of generated tensors.
        embedding: Embedding size.
    """

    numbers: int
    latents: int
    weights: int
    embedding: int

    @property
    def bytes(self) -> int:
        """Bytes of the parameters, float32."""
        return BYTES * self.numbers

    @property
    def bytes_in_training(self) -> int:
        """Bytes of the parameters, their gradients and Adam's two moments, float32."""
        return STATES * self.bytes


def generated_weights(model: nn.Module, groups: ChannelGroups) -> tuple[GeneratedWeight, ...]:
    """Return all weights that carry prunable channels: of convolutions of any kind, linear layers, embeddings.

    Vectors (biases, gains and offsets of norms) and tensors with channels on three axes are not included. They stay
    ordinary parameters and are also trained.

    Args:
        model: The network; it may be on the meta device.
        groups: Its groups.
    """
    carried: dict[str, dict[int, NDArray[np.int64]]] = {}
    for entry in groups.axes:
        carried.setdefault(entry.parameter, {})[entry.axis] = entry.flat
    writes = {entry.parameter: entry.axis for entry in groups.writes}
    reads = {entry.parameter: entry.axis for entry, _ in groups.gates}
    found = []
    for name, parameter in model.named_parameters():
        shape = tuple(parameter.shape)
        flats = carried.get(name, {})
        is_vector = parameter.numel() == max(shape, default=1)
        if not flats or is_vector or len(flats) > 2:
            continue
        first, second = sorted([*flats, *(axis for axis in range(len(shape)) if axis not in flats)][:2])
        others = np.zeros(max(shape), dtype=np.int64)
        a, b = flats.get(first, others[: shape[first]]), flats.get(second, others[: shape[second]])
        out = writes.get(name, first if reads.get(name, first) == second else second)
        found.append(GeneratedWeight(name, shape, (first, second), a, b, parameter.numel() // shape[out]))
    return tuple(found)


def hypernetwork_size(model: nn.Module, groups: ChannelGroups, embedding: int) -> HypernetworkSize:
    """Return the exact size of a network's hypernetwork, without building it."""
    weights, latents = generated_weights(model, groups), sum(groups.sizes.values())
    numbers = latents + sum(weight.numbers(embedding) for weight in weights)
    return HypernetworkSize(numbers, latents, len(weights), embedding)


def size_rows(model: nn.Module, groups: ChannelGroups) -> list[dict[str, int]]:
    """Return the sizes at every embedding of the catalog, for tables."""
    choices = next(setting.choices for setting in settings_of(CoronetSettings) if setting.name == "embedding")
    sizes = [hypernetwork_size(model, groups, embedding) for embedding in choices]
    return [
        {
            "embedding": size.embedding,
            "generated weights": size.weights,
            "latents": size.latents,
            "numbers": size.numbers,
            "bytes": size.bytes,
            TRAINED: size.bytes_in_training,
        }
        for size in sizes
    ]


def kept_positions(flat: NDArray[np.int64], mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions of an axis that a cut keeps, and their channels in the numbering of the cut network.

    Args:
        flat: Channel of each position, 0 for positions never pruned.
        mask: Bool [1 + channels], from `ChannelGroups.mask`.
    """
    renumbered = np.cumsum(mask) - 1
    positions = mask[flat].nonzero()[0]
    return positions, renumbered[flat[positions]]
