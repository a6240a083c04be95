"""Gates: scales on channels, at the same places that a cut removes from their consumers.

A gate multiplies the axis of the weight that consumes the channel: W (g * x) = (W * g) x. The network needs no hook or
mask, and any method that generates weights (hypernetworks, quantizers) composes with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._pytree import tree_map

from ..groups.channel_groups import AxisChannels, ChannelGroups, IslandChannels
from ..groups.plan import ChannelPlan
from ..groups.surgery import layer_norms_of


class OnOff(torch.autograd.Function):
    """A step function, 1 if a gate is not zero, else 0; the gradient passes through as if the gate were used."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor) -> Tensor:  # noqa: D102
        return (gates != 0).to(gates.dtype)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:  # noqa: D102
        return grad_outputs[0]


def flat_gates(groups: ChannelGroups, gates: Mapping[str, Tensor]) -> Tensor:
    """Return [1 + all channels]: a leading 1 for positions never pruned, then each group's gates [size] in order."""
    parts = [gates[name] for name in groups.names]
    one = torch.ones(1, dtype=parts[0].dtype, device=parts[0].device) if parts else torch.ones(1)
    return torch.cat([one, *parts])


def plan_gates(groups: ChannelGroups, plan: ChannelPlan, like: Tensor | None = None) -> dict[str, Tensor]:
    """Return gates of 0 and 1 for a plan, in the dtype and on the device of `like`."""
    groups.check(plan)
    gates = {}
    for name, size in groups.sizes.items():
        gate = torch.zeros(size) if like is None else torch.zeros(size, dtype=like.dtype, device=like.device)
        gate[list(plan.kept[name])] = 1
        gates[name] = gate
    return gates


def gated_tensors(groups: ChannelGroups, tensors: Mapping[str, Tensor], flat: Tensor) -> dict[str, Tensor]:
    """Return the parameters and buffers that consume channels, scaled by the gates; all others are omitted.

    Args:
        groups: Groups of the network.
        tensors: Parameters and buffers by name; they may be generated.
        flat: Result of `flat_gates`; differentiable.
    """
    scaled: dict[str, Tensor] = {}
    for entry, binary in groups.gates:
        tensor = scaled.get(entry.parameter, tensors[entry.parameter])
        gate = _spread(entry, OnOff.apply(flat) if binary else flat, tensor)
        scaled[entry.parameter] = tensor * gate
    for entry in groups.masks:
        tensor = scaled.get(entry.parameter, tensors[entry.parameter])
        scaled[entry.parameter] = tensor * _spread(entry, OnOff.apply(flat), tensor)
    return scaled


def _spread(entry: AxisChannels, flat: Tensor, tensor: Tensor) -> Tensor:
    index = torch.from_numpy(entry.flat).to(flat.device)
    shape = [1] * tensor.ndim
    shape[entry.axis] = -1
    return flat[index].reshape(shape)


def gated_call(
    model: nn.Module,
    groups: ChannelGroups,
    gates: Mapping[str, Tensor],
    *inputs: Tensor,
    tensors: Mapping[str, Tensor] | None = None,
) -> Any:
    """Run a network with gated channels; with a plan's gates the result is that of the cut network.

    Args:
        model: The network at full width.
        groups: Its groups.
        gates: Group name -> [size].
        *inputs: The network's inputs.
        tensors: Parameters and buffers to use in place of the network's own, by name.
    """
    own = dict(model.named_parameters()) | dict(model.named_buffers()) | dict(tensors or {})
    if not groups.groups:
        return functional_call(model, own, inputs)
    flat = flat_gates(groups, gates)
    with masked_norms(model, groups, flat):
        return functional_call(model, own | gated_tensors(groups, own, flat), inputs)


@contextmanager
def masked_norms(model: nn.Module, groups: ChannelGroups, flat: Tensor) -> Iterator[None]:
    """Exclude channels with a gate of zero from norms over several channels inside the context."""
    handles = []
    for name, channels in groups.norms:
        module = model.get_submodule(name)
        if isinstance(module, nn.GroupNorm | nn.LayerNorm | nn.RMSNorm):
            mask = (flat[torch.from_numpy(channels).to(flat.device)] != 0).to(flat.dtype)
            handles.append(module.register_forward_hook(_masked_hook(mask)))
    for island in groups.islands:
        kept = (flat[torch.from_numpy(island.flat).to(flat.device)] != 0).nonzero().flatten()
        hook = _island_hook(island, kept)
        handles.append(model.get_submodule(island.module).register_forward_hook(hook, with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _island_hook(island: IslandChannels, kept: Tensor) -> Any:
    """Return a hook that returns the module's output for kept channels only, and zeros for the others."""
    running = False

    def hook(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], output: Tensor) -> Tensor:
        nonlocal running
        if running:
            return output

        def small(value: Any) -> Any:
            # The one input that the module uses has the output's shape; other inputs are not used.
            same = isinstance(value, Tensor) and value.shape == output.shape
            return value.index_select(island.axis, kept) if same else value

        running = True
        norms = layer_norms_of(module, len(island.flat))
        for norm in norms:
            norm.normalized_shape = (len(kept),)
        try:
            own = dict(module.named_parameters()) | dict(module.named_buffers())
            tensors = {name: own[name].index_select(axis, kept) for name, axis in island.parameters}
            made = functional_call(module, tensors, tree_map(small, inputs), tree_map(small, named))
        finally:
            running = False
            for norm in norms:
                norm.normalized_shape = (len(island.flat),)
        return torch.zeros_like(output).index_copy(island.axis, kept, made.to(output.dtype))

    return hook


def _masked_hook(mask_C: Tensor) -> Any:
    def hook(module: nn.GroupNorm | nn.LayerNorm | nn.RMSNorm, inputs: tuple[Tensor], _: Tensor) -> Tensor:
        x = inputs[0]
        if isinstance(module, nn.GroupNorm):
            grouped = x.reshape(x.shape[0], module.num_groups, -1)
            mask = mask_C.reshape(1, -1, *[1] * (x.ndim - 2)).expand_as(x[:1]).reshape(1, module.num_groups, -1)
            normal = _normalize(grouped, mask, module.eps).reshape_as(x)
            shape = (1, -1, *[1] * (x.ndim - 2))
        elif isinstance(module, nn.RMSNorm):
            shape = module.normalized_shape  # norms of one axis; the axes after it have size 1
            x = x.flatten(-len(shape))
            eps = torch.finfo(x.dtype).eps if module.eps is None else module.eps
            mean = (x.square() * mask_C).sum(-1, keepdim=True) / mask_C.sum().clamp(min=1)
            normal = (x * torch.rsqrt(mean + eps)).unflatten(-1, shape)
        else:
            shape = module.normalized_shape
            normal = _normalize(x.flatten(-len(shape)), mask_C, module.eps).unflatten(-1, shape)
        if module.weight is not None:
            normal = normal * module.weight.reshape(shape)
        bias = getattr(module, "bias", None)
        return normal if bias is None else normal + bias.reshape(shape)

    return hook


def _normalize(x: Tensor, mask: Tensor, eps: float) -> Tensor:
    """Normalize unmasked entries to zero mean and unit variance over the last axis."""
    n = mask.sum(-1, keepdim=True).clamp(min=1)
    mean = (x * mask).sum(-1, keepdim=True) / n
    variance = ((x - mean).square() * mask).sum(-1, keepdim=True) / n
    return (x - mean) * torch.rsqrt(variance + eps)
