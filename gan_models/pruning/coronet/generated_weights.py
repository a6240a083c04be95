"""Which tensors a hypernetwork generates, over the channels of which axes, and how many numbers that takes.

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

BYTES = 4  # float32
STATES = 4  # a number, its gradient and Adam's two moments


@dataclass(frozen=True)
class GeneratedWeight:
    """One weight with prunable channels: what its hypernetwork must know.

    Attributes:
        name: Of the parameter.
        shape: Its own shape, whatever the layer's layout is.
        axes: The two axes that carry channels; what lies on the others is the kernel.
        a, b: int64, channel of each position of these axes (`AxisChannels.flat`: 0 always stays).
        fan_in: Numbers that one output channel is computed from (C_in k^2).
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[int, int]
    a: NDArray[np.int64]
    b: NDArray[np.int64]
    fan_in: int

    @property
    def kernel(self) -> int:
        """Numbers of one channel pair: k^2 of a convolution, 1 of a linear layer."""
        return int(np.prod(self.shape)) // (len(self.a) * len(self.b))

    def numbers(self, embedding: int) -> int:
        """B0 [a,b], W1 and B1 [a,b,e], W2 [a,b,e,k] and B2 [a,b,k] together."""
        k = self.kernel
        return len(self.a) * len(self.b) * (1 + 2 * embedding + embedding * k + k)


@dataclass(frozen=True)
class HypernetworkSize:
    """What a hypernetwork takes.

    Attributes:
        numbers: Trained numbers: of all layers, and the latents.
        latents: Latents alone.
        weights: Tensors that are generated.
        embedding: Embedding size.
    """

    numbers: int
    latents: int
    weights: int
    embedding: int

    @property
    def bytes(self) -> int:
        """Of the numbers, float32."""
        return BYTES * self.numbers

    @property
    def bytes_in_training(self) -> int:
        """Of the numbers, their gradients and Adam's two moments, float32."""
        return STATES * self.bytes


def generated_weights(model: nn.Module, groups: ChannelGroups) -> tuple[GeneratedWeight, ...]:
    """Every weight that carries prunable channels: of convolutions of any kind, linear layers, embeddings.

    Vectors (biases, gains and offsets of norms) are not among them, nor a tensor with channels on three axes: they
    stay ordinary parameters and are trained along.

    Args:
        model: May be on the meta device.
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
    """Exact size of a network's hypernetwork, without building it."""
    weights, latents = generated_weights(model, groups), sum(groups.sizes.values())
    numbers = latents + sum(weight.numbers(embedding) for weight in weights)
    return HypernetworkSize(numbers, latents, len(weights), embedding)


def size_rows(model: nn.Module, groups: ChannelGroups) -> list[dict[str, int]]:
    """Sizes at every embedding of the catalog, for tables."""
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
    """Positions of an axis that a cut leaves, and their channels in the numbering of the cut network.

    Args:
        flat: Channel of each position, 0 for what always stays.
        mask: Bool [1 + channels], as `ChannelGroups.mask` gives it.
    """
    renumbered = np.cumsum(mask) - 1
    positions = mask[flat].nonzero()[0]
    return positions, renumbered[flat[positions]]
