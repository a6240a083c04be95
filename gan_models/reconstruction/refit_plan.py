"""The weights that are refitted, with their calls and the teacher's activations; and the others, with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ..groups.channel_groups import ChannelGroups
from ..groups.plan import ChannelPlan
from ..groups.surgery import row_factors
from .layers.call_tape import Call, Tape, readers
from .layers.layer import PRODUCT, Layer, NotRefitted, is_weighted, layer_of
from .layers.modulation import Modulation, modulations
from .record import RefittedLayer
from .residual_paths import ResidualPath, residual_path


@dataclass(frozen=True)
class Site:
    """A weight that is refitted.

    Attributes:
        weight: Its name.
        calls: The calls that read it; more than one if a module is called several times, or weights are tied.
        layers: The geometry of each call.
        bias: Name of the bias that is fitted with it; empty for none.
        outputs: Positions of the teacher's output channels that the cut network has; None: all.
        inputs: Positions of the teacher's input channels that the cut network has; given for weights of several calls.
        path: From its output to a sum that it is fitted to; None: its output.
        factors: Factors by which a cut multiplies these output channels; None: none.
        modulation: The calls around it, if it is a modulated convolution's; it is fitted to the last of them.
    """

    weight: str
    calls: tuple[int, ...]
    layers: tuple[Layer, ...]
    bias: str
    outputs: Tensor | None
    inputs: Tensor | None = None
    path: ResidualPath | None = None
    factors: Tensor | None = None
    modulation: Modulation | None = None

    def end(self, number: int) -> int:
        """Return the call whose output the weight is fitted to, for one of its calls."""
        if self.modulation is not None:
            return self.modulation.end
        return self.path.end if self.path else number

    def of_outputs(self, values: Tensor) -> Tensor:
        """Return the cut network's targets from the teacher's activations, [P, channels] -> [P, O]."""
        if self.outputs is not None:
            values = values[:, self.outputs.to(values.device)]
        return values if self.factors is None else values * self.factors.to(values)


@dataclass(frozen=True)
class RefitPlan:
    """The refits of all weights of a network.

    Attributes:
        sites: Weights that are refitted, in the order of their first calls.
        left: Other weights, with the reason.
        names: Names of all calls, by which another pass is checked.
        norms: Calls of norms with running statistics -> positions of the channels that the cut network has; None: all.
    """

    sites: tuple[Site, ...]
    left: tuple[RefittedLayer, ...]
    names: tuple[str, ...]
    norms: Mapping[int, Tensor | None]


def refit_plan(
    tape: Tape, model: nn.Module, weights: Mapping[int, str], groups: ChannelGroups, plan: ChannelPlan
) -> RefitPlan:
    """Return the weights of a cut network that are refitted.

    Args:
        tape: A pass of the teacher.
        model: The teacher.
        weights: Its parameters by identity.
        groups: Its channel groups.
        plan: The kept channels of the groups.
    """
    reading = readers(tape.calls, weights)
    mask = groups.mask(plan)
    axes = {(entry.parameter, entry.axis): mask[entry.flat] for entry in groups.axes}
    factors = {name: torch.from_numpy(each) for name, each in row_factors(groups, mask).items()}
    sites: list[Site] = []
    left: list[RefittedLayer] = []
    done: set[str] = set()
    modulated = modulations(tape, weights, reading)
    for number, call in enumerate(tape.calls):
        if not is_weighted(call.name, call.args, dict(call.kwargs)):
            continue
        if number in modulated:
            name, around = modulated[number]
            done.add(name)
            layer, *_ = layer_of(call.name, call.args, dict(call.kwargs))
            sites.append(Site(name, (number,), (layer,), "", _kept(name, 0, axes), modulation=around))
            continue
        name = _weight_of(call, weights)
        if name in done or (call.name == PRODUCT and name not in reading):  # products of two activations
            continue
        done.add(name)
        try:
            site = _site(name, reading.get(name, [number]), tape, weights, axes, reading)
            if (own := factors.get(name)) is not None:
                site = replace(site, factors=own if site.outputs is None else own[site.outputs])
            sites.append(site)
        except NotRefitted as reason:
            left.append(RefittedLayer(name, False, str(reason)))
    left += [
        RefittedLayer(name, False, f"it is read by {_readers(tape, numbers)}")
        for name, numbers in reading.items()
        if name not in done and _is_matrix(model, name) and not _is_bias(name, sites)
    ]
    return RefitPlan(tuple(sites), tuple(left), tuple(call.name for call in tape.calls), _norms(tape, model, axes))


def _norms(tape: Tape, model: nn.Module, axes: Mapping[tuple[str, int], np.ndarray]) -> dict[int, Tensor | None]:
    """Return the norms whose running statistics are buffers of the network and read by one call."""
    buffers = {id(tensor): name for name, tensor in model.named_buffers()}
    found: dict[int, Tensor | None] = {}
    seen: list[str] = []
    for number, call in enumerate(tape.calls):
        mean = call.kwargs.get("running_mean", call.args[1] if len(call.args) > 1 else None)
        if call.name == "batch_norm" and id(mean) in buffers:
            name = buffers[id(mean)]
            found[number] = _kept(name, 0, axes)
            seen.append(name)
    return {number: kept for (number, kept), name in zip(found.items(), seen, strict=True) if seen.count(name) == 1}


def _weight_of(call: Call, weights: Mapping[int, str]) -> str:
    """Return the name of a call's weight, or its module's if no parameter is the weight."""
    weight = call.kwargs.get("weight", call.args[1] if len(call.args) > 1 else None)
    return weights.get(id(weight), f"weight computed in {call.module or 'the model'}")


def _site(
    name: str,
    numbers: list[int],
    tape: Tape,
    weights: Mapping[int, str],
    axes: Mapping[tuple[str, int], np.ndarray],
    reading: Mapping[str, list[int]],
) -> Site:
    """Return the refit of one weight. Raises NotRefitted if it is not refitted."""
    if name not in reading:
        raise NotRefitted("it is computed from other parameters in each pass")
    calls = [tape.calls[number] for number in numbers]
    others = [
        call
        for call in calls
        if not is_weighted(call.name, call.args, dict(call.kwargs)) or _weight_of(call, weights) != name
    ]
    if others:
        raise NotRefitted(f"it is also read by {others[0].name}")
    read = [layer_of(call.name, call.args, dict(call.kwargs)) for call in calls]
    layers = [layer for layer, *_ in read]
    _, _, weight, bias = read[-1]
    bias_name = "" if bias is None else weights.get(id(bias), "")
    if bias_name and sorted(reading[bias_name]) != sorted(numbers):
        bias_name = ""  # other calls also read it, so it is not changed
    first = layers[0]
    if any((layer.transposed, layer.kernel) != (first.transposed, first.kernel) for layer in layers):
        raise NotRefitted("calls of different kinds read it")
    if len(numbers) > 1 and (first.groups > 1 or any(layer.groups > 1 for layer in layers)):
        raise NotRefitted(f"it has groups and is read by {len(numbers)} calls")
    out_axis = 1 if first.transposed and first.groups == 1 else 0
    outputs = _kept(name, out_axis, axes)
    if first.transposed and first.groups > 1 and (own := _kept(name, 1, axes)) is not None:
        each = weight.shape[1]
        outputs = (torch.arange(first.groups)[:, None] * each + own).flatten()
    elif first.transposed and first.groups > 1 and outputs is not None:  # depthwise: outputs follow the inputs
        each = weight.shape[1]
        outputs = (outputs[:, None] * each + torch.arange(each)).flatten()
    inputs = _kept(name, 1 - out_axis, axes) if len(numbers) > 1 else None
    path = residual_path(tape, numbers[0]) if len(numbers) == 1 else None
    return Site(name, tuple(numbers), tuple(layers), bias_name, outputs, inputs, path)


def _kept(name: str, axis: int, axes: Mapping[tuple[str, int], np.ndarray]) -> Tensor | None:
    """Return the kept positions of an axis; None if all are kept."""
    module, _, leaf = name.rpartition(".")
    parts = [f"{module}.parametrizations.{leaf}.{part}".lstrip(".") for part in ("original", "original1", "original0")]
    for candidate in (name, *parts):
        if (candidate, axis) in axes:
            return torch.from_numpy(axes[candidate, axis].nonzero()[0])
    return None


def _readers(tape: Tape, numbers: list[int]) -> str:
    return ", ".join(dict.fromkeys(tape.calls[number].name for number in numbers))


def _is_matrix(model: nn.Module, name: str) -> bool:
    try:
        return model.get_parameter(name).ndim >= 2
    except AttributeError:
        return False


def _is_bias(name: str, sites: list[Site]) -> bool:
    return any(site.bias == name for site in sites)


def pass_macs(layer: Layer, x: Tensor, weight: Tensor, output: Tensor) -> int:
    """Return the multiply-accumulates of one call."""
    if layer.transposed:
        return x.numel() * (weight.numel() // weight.shape[0])
    if not layer.kernel:
        return output.numel() * weight.shape[1]
    return output.numel() * (weight.numel() // weight.shape[0])
