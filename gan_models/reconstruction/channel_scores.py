"""Scores of channels on calibration inputs: the loss if a channel is removed, with or without compensation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..cuttable_layers.attention_by_heads import heads_parted
from ..groups.channel_groups import AxisChannels, ChannelGroups
from .layers.call_tape import tensors, weights_by_identity
from .layers.layer import WEIGHTED_KINDS, Layer, NotRefitted, layer_of, layer_parts
from .refit_plan import pass_macs
from .targets import run
from .weight_store import computed_once

Scores = dict[str, NDArray[np.float64]]
RIDGE = 1e-3  # ridge relative to the mean square of a layer's inputs
ROWS = 2000
PROBES, BATCH = 4, 4


@dataclass
class _Reader:
    """The inputs of a part of a layer from one group of channels; removals in the group affect nothing else.

    Attributes:
        group: The group.
        inverse_GKK: Inverse covariance of all inputs of the part, restricted to the group's K inputs.
        weights_GOK: Weights of these inputs, for all groups of the layer, which are of equal size.
        channels: Channel of each of the K inputs in the group.
        energy: Summed variance of the outputs of the whole layer, over all parts.
    """

    group: str
    inverse_GKK: Tensor
    weights_GOK: Tensor
    channels: NDArray[np.int64]
    energy: float

    def reads_evenly(self, size: int) -> bool:
        """Return True if each channel of the group has the same number of inputs."""
        return len(set(np.bincount(self.channels, minlength=size).tolist())) == 1

    def losses(self, positions: Tensor) -> Tensor:
        """Return tr(W_R ([H^-1]_RR)^-1 W_R') for each row R of positions [C, R], summed over the layer's groups."""
        blocks = self.inverse_GKK[:, positions[:, :, None], positions[:, None, :]].double()  # [G, C, R, R]
        weights = self.weights_GOK[..., positions].movedim(2, 1).double()  # [G, C, O, R]
        solved = torch.linalg.solve(blocks, weights.mT)
        return (weights * solved.mT).sum((0, 2, 3)) / self.energy

    def remove(self, positions: Tensor) -> None:
        """Remove inputs [R] and compensate for them in the weights of the others."""
        columns = self.inverse_GKK[..., positions].double()  # [G, K, R]
        gone = torch.linalg.solve(columns[:, positions], columns.mT)  # [G, R, K]
        self.weights_GOK -= self.weights_GOK[..., positions] @ gone.to(self.weights_GOK)
        self.inverse_GKK -= (columns @ gone).to(self.inverse_GKK)


@dataclass(frozen=True)
class Removal:
    """The order in which a group's channels are removed, one by one.

    Attributes:
        channels: int64 [size], in order of removal; the last one stays.
        losses: float64 [size - 1], the increase of the readers' loss at each removal, after the ones before it. The sum
            of the first k is the loss of a group without its first k channels.
    """

    channels: NDArray[np.int64]
    losses: NDArray[np.float64]


@dataclass(frozen=True)
class Removals:
    """The removals of all groups, from one pass of a network.

    Attributes:
        groups: Group name -> its removals; a group that no convolution or linear layer reads is omitted.
        macs: Multiply-accumulates of the pass.
    """

    groups: Mapping[str, Removal]
    macs: int


def removals(
    model: nn.Module, groups: ChannelGroups, inputs: tuple[Tensor, ...], seed: int, rows: int = ROWS
) -> Removals:
    """Return the loss of the readers at each removal of a channel, after compensation in the other weights.

    The loss of a reader is tr(W_R ([H^-1]_RR)^-1 W_R') over the variance of its outputs, with H the covariance of its
    inputs. This is ZipLM's structured score (Kurtic et al. 2023), after optimal brain surgeon. Channels of a group are
    removed one by one, the one of the least loss first, and H^-1 and the weights are updated in between. The removal
    within groups of several readers is original to ganprune.

    Args:
        model: The dense network.
        groups: Its groups.
        inputs: Calibration inputs.
        seed: Seed of sampled positions, and of the network's own random numbers.
        rows: Positions per layer, in addition to one per input.
    """
    readers, macs = _readers(model, groups, inputs, seed, rows)
    found: dict[str, Removal] = {}
    for name, size in groups.sizes.items():
        own = [reader for reader in readers if reader.group == name and reader.reads_evenly(size)]
        if own:
            found[name] = _removed(own, size)
    return Removals(found, macs)


def _removed(readers: list[_Reader], size: int) -> Removal:
    """Return the removals of one group."""
    positions = []
    for reader in readers:
        of_channel = [np.flatnonzero(reader.channels == channel) for channel in range(size)]
        positions.append(torch.from_numpy(np.stack(of_channel)))
    left = list(range(size))
    gone, costs = list[int](), list[float]()
    while len(left) > 1:
        losses = sum(reader.losses(where[left]) for reader, where in zip(readers, positions, strict=True))
        assert isinstance(losses, Tensor)
        place = int(losses.argmin())
        costs.append(max(0.0, float(losses[place])))  # below zero only by rounding
        gone.append(left.pop(place))
        for reader, where in zip(readers, positions, strict=True):
            reader.remove(where[gone[-1]])
    return Removal(np.array([*gone, *left], dtype=np.int64), np.array(costs))


def _readers(
    model: nn.Module, groups: ChannelGroups, inputs: tuple[Tensor, ...], seed: int, rows: int
) -> tuple[list[_Reader], int]:
    """Return every part of a layer that reads prunable channels, and the MACs of the single pass of the network."""
    reading = {(_as_read(entry.parameter), entry.axis): entry for entry, _ in groups.gates}
    generator = torch.Generator().manual_seed(seed)
    found: list[_Reader] = []
    macs = 0

    def watch(number: int, name: str, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        nonlocal macs
        output = func(*args, **kwargs)
        if name in WEIGHTED_KINDS:
            try:
                layer, x, weight, _ = layer_of(name, args, kwargs)
            except NotRefitted:
                return output
            macs += pass_macs(layer, x, weight, output)
            entry = reading.get((weights.get(id(weight), ""), 0 if layer.transposed else 1))
            if entry is not None:
                shape = tuple(output.shape)
                places = layer.positions(shape, torch.arange(shape[0]), rows + weight[0].numel(), generator)
                found.extend(_parts_of(layer, layer.patches(x, places), weight, places, entry.flat, groups))
        return output

    was_training = model.training
    model.eval()
    try:
        with heads_parted(model), computed_once(model):
            weights = weights_by_identity(model)
            run(model, inputs, watch, seed)
    finally:
        model.train(was_training)
    return found, macs


def _as_read(parameter: str) -> str:
    """Return the name under which a layer reads a parameter, without its parametrization."""
    head, parametrized, tail = parameter.partition(".parametrizations.")
    return f"{head}.{tail.partition('.')[0]}" if parametrized else parameter


def _parts_of(
    layer: Layer, read: Tensor, weight: Tensor, places: Tensor, flat: NDArray[np.int64], groups: ChannelGroups
) -> list[_Reader]:
    """Return the inputs of the parts of a layer from each group.

    Args:
        layer: Geometry of the layer.
        read: Its inputs, [P, C, T].
        weight: Its weight.
        places: Positions of its output.
        flat: Channels of the weight's reading axis, as in `AxisChannels`.
        groups: Groups of the network.
    """
    nothing = read.new_zeros(len(read), layer.groups)
    each = read.shape[1] // layer.groups
    per_input = flat if len(flat) == each else flat[:each]
    energy = 0.0
    inverses = []
    for taps, part in layer_parts(layer, read, nothing, weight, places):
        centered = part.inputs_GPD.double()
        centered = centered - centered.mean(1, keepdim=True)
        covariance, own = centered.mT @ centered, part.weights_GOD.double()
        energy += float(((own @ covariance) * own).sum())
        damping = max(RIDGE * float(covariance.diagonal(dim1=-2, dim2=-1).mean()), 1e-12)
        covariance.diagonal(dim1=-2, dim2=-1).add_(damping)
        inverses.append(
            (torch.cholesky_inverse(torch.linalg.cholesky(covariance)), own, np.repeat(per_input, len(taps)))
        )
    found = []
    for inverse, own, channels in inverses:
        for name, size in groups.sizes.items():
            first = 1 + groups.offsets[name]
            where = np.flatnonzero((channels >= first) & (channels < first + size))
            if len(where):
                index = torch.from_numpy(where).to(inverse.device)
                block = inverse[:, index[:, None], index].to(weight.dtype)
                found.append(
                    _Reader(name, block, own[..., index].to(weight.dtype), channels[where] - first, max(energy, 1e-30))
                )
    return found


def probed_scores(model: nn.Module, groups: ChannelGroups, inputs: tuple[Tensor, ...], seed: int) -> Scores:
    """Return the squared change of the outputs if a channel is removed, to first order and without compensation.

    It is the diagonal of the outputs' Gauss-Newton matrix in gates g on the readers' inputs, E (d<v, G(x)>/dg)^2 with
    v ~ N(0, 1) per output element (Hutchinson's estimator). It is summed over `PROBES` v per batch of `BATCH` inputs. A
    group that no weight reads has its gates on the weights that write it.

    Args:
        model: The dense network.
        groups: Its groups.
        inputs: Calibration inputs.
        seed: Seed of the probes, and of the network's own random numbers.

    Returns:
        Group name -> float64 [size].
    """
    parameters: dict[str, Tensor] = dict(model.named_parameters())
    reading = _probed_axes(groups, parameters)
    names = list(dict.fromkeys(entry.parameter for entry in reading))
    total = np.zeros(1 + sum(groups.sizes.values()))
    was_training, wanted = model.training, {name: tensor.requires_grad for name, tensor in parameters.items()}
    model.eval().requires_grad_(True)
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.default_generator.manual_seed(seed)
            for begin in range(0, len(inputs[0]) if names else 0, BATCH):
                outputs = tensors(model(*(x[begin : begin + BATCH] for x in inputs)))
                for probe in range(PROBES):
                    loss = sum((torch.randn_like(output) * output).sum() for output in outputs)
                    assert isinstance(loss, Tensor)
                    gradients = torch.autograd.grad(
                        loss, [parameters[name] for name in names], retain_graph=probe < PROBES - 1, allow_unused=True
                    )
                    total += _squared(dict(zip(names, gradients, strict=True)), parameters, reading, len(total))
    finally:
        model.train(was_training)
        for name, tensor in parameters.items():
            tensor.requires_grad_(wanted[name])
    return {
        name: total[1 + groups.offsets[name] : 1 + groups.offsets[name] + size] for name, size in groups.sizes.items()
    }


def _probed_axes(groups: ChannelGroups, parameters: Mapping[str, Tensor]) -> list[AxisChannels]:
    """Return the axes on which gates are probed."""
    reading = [entry for entry, _ in groups.gates if entry.parameter in parameters]
    known = np.zeros(1 + sum(groups.sizes.values()), dtype=bool)
    for entry in reading:
        known[entry.flat] = True
    writing = [
        AxisChannels(entry.parameter, entry.axis, np.where(known[entry.flat], 0, entry.flat))
        for entry in groups.writes
        if entry.parameter in parameters and not known[entry.flat].all()
    ]
    return [*reading, *writing]


def _squared(
    gradients: dict[str, Tensor | None], parameters: dict[str, Tensor], reading: list[AxisChannels], n: int
) -> NDArray[np.float64]:
    """Return the squared gradient of every channel's gate, [n]."""
    gates = np.zeros(n)
    for entry in reading:
        gradient = gradients[entry.parameter]
        if gradient is not None:
            product = (gradient * parameters[entry.parameter]).detach()
            axes = [axis for axis in range(product.ndim) if axis != entry.axis]
            along = product.sum(axes) if axes else product
            gates += np.bincount(entry.flat, weights=along.double().cpu().numpy(), minlength=n)
    gates[0] = 0
    return gates**2
