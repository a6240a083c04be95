"""Cutting of a network to a plan: smaller tensors, no masks."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ..cuttable_layers.attention_by_heads import AttentionByHeads, part_heads_of
from .channel_groups import ChannelGroups, owner
from .plan import ChannelPlan

Network = TypeVar("Network", bound=nn.Module)


def cut(model: nn.Module, groups: ChannelGroups, plan: ChannelPlan) -> nn.Module:
    """Return a new network with only the kept channels; the full plan gives a bit-identical copy.

    Args:
        model: The network whose groups were found; it is not changed.
        groups: Its groups, from `find_groups`.
        plan: Kept channels of every group.

    Raises:
        ValueError: The plan does not fit the groups.
    """
    mask = groups.mask(plan)
    new = copy_network(model)
    aliases = _aliases(new)
    changed: set[str] = set()
    index: dict[str, dict[int, Tensor]] = {}
    for entry in groups.axes:
        keep = mask[entry.flat]
        if not keep.all():
            index.setdefault(entry.parameter, {})[entry.axis] = torch.from_numpy(keep.nonzero()[0])
    factors = row_factors(groups, mask)
    for name in dict.fromkeys((*index, *factors)):
        axes, tensor = index.get(name, {}), _get(new, name)
        sliced = _multiplied(tensor.detach(), factors.get(name))
        for axis, positions in axes.items():
            sliced = sliced.index_select(axis, positions.to(sliced.device))
        replacement = nn.Parameter(sliced, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else sliced
        for alias in aliases[name]:
            _set(new, alias, replacement)
            changed.add(owner(alias))
    for name in changed:
        _fit_weights(new.get_submodule(name))
    for name, flat in groups.norms:
        _fit_norm(new.get_submodule(name), int(mask[flat].sum()))
    for island in groups.islands:
        for norm in layer_norms_of(new.get_submodule(island.module), len(island.flat)):
            _fit_norm(norm, int(mask[island.flat].sum()))
    return new


def row_factors(groups: ChannelGroups, mask: np.ndarray) -> dict[str, np.ndarray]:
    """Return the factors by which a cut multiplies rows of parameters, at full width; other parameters are omitted.

    Args:
        groups: The network's groups.
        mask: Mask of the plan, from `ChannelGroups.mask`.
    """
    found: dict[str, np.ndarray] = {}
    for entry in groups.rescaled:
        factors = entry.factors(mask)
        if (factors != 1).any():
            found[entry.parameter] = found.get(entry.parameter, 1) * factors
    return found


def _multiplied(tensor: Tensor, factors: np.ndarray | None) -> Tensor:
    """Return a tensor with its rows multiplied by factors, if there are any."""
    if factors is None:
        return tensor
    return tensor * torch.from_numpy(factors).to(tensor).reshape(-1, *[1] * (tensor.ndim - 1))


def embedded(full: nn.Module, small: nn.Module, groups: ChannelGroups, plan: ChannelPlan) -> nn.Module:
    """Return a copy of a network with a cut network's weights at their original places: the inverse of `cut`.

    Args:
        full: The network whose groups were found; the removed channels keep its weights.
        small: The network cut to the plan, possibly trained since.
        groups: Groups of `full`.
        plan: Kept channels of every group.

    Raises:
        ValueError: A tensor of `small` is missing, or its shape does not fit the plan.
    """
    mask = groups.mask(plan)
    factors = row_factors(groups, mask)
    new, tensors = copy_network(full), dict(_named_tensors(small))
    positions: dict[str, dict[int, Tensor]] = {}
    for entry in groups.axes:
        positions.setdefault(entry.parameter, {})[entry.axis] = torch.from_numpy(mask[entry.flat].nonzero()[0])
    for name, tensor in _named_tensors(new):
        if name not in tensors:
            raise ValueError(f"the cut network has no {name}")
        index = [torch.arange(size) for size in tensor.shape]
        for axis, kept in positions.get(name, {}).items():
            index[axis] = kept
        value, expected = tensors[name].detach(), [len(each) for each in index]
        if list(value.shape) != expected:
            raise ValueError(
                f"{name} of the cut network has another shape than the plan: got {list(value.shape)}; expected "
                f"{expected}"
            )
        if name in factors:
            value = _multiplied(value, 1 / factors[name][index[0].numpy()])
        with torch.no_grad():
            if tensor.ndim:
                tensor[torch.meshgrid(*index, indexing="ij")] = value.to(tensor)
            else:
                tensor.copy_(value)
    return new


def copy_network(model: Network) -> Network:
    """Return a deep copy that shares no tensor; tensors computed by hooks (spectral norm) are detached."""
    memo: dict[int, Any] = {}
    for module in model.modules():
        for value in vars(module).values():
            if isinstance(value, Tensor) and not value.is_leaf:
                memo[id(value)] = value.detach().clone()
    return copy.deepcopy(model, memo)


def _get(model: nn.Module, name: str) -> Tensor:
    owner, _, leaf = name.rpartition(".")
    return getattr(model.get_submodule(owner), leaf)


def _set(model: nn.Module, name: str, value: Tensor) -> None:
    owner, _, leaf = name.rpartition(".")
    module = model.get_submodule(owner)
    if leaf in module._parameters:
        module._parameters[leaf] = value  # type: ignore[assignment]
    else:
        module._buffers[leaf] = value


def _aliases(model: nn.Module) -> dict[str, list[str]]:
    """Return every name of each parameter and buffer -> all names of the same tensor (tied weights)."""
    named = _named_tensors(model)
    by_identity: dict[int, list[str]] = {}
    for name, tensor in named:
        by_identity.setdefault(id(tensor), []).append(name)
    return {name: by_identity[id(tensor)] for name, tensor in named}


def _named_tensors(model: nn.Module) -> list[tuple[str, Tensor]]:
    return [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]


def _fit_weights(module: nn.Module) -> None:
    """Set the sizes that a torch.nn module stores as attributes to those of its tensors."""
    part_heads_of(module)
    if isinstance(module, nn.modules.conv._ConvNd):
        rows, columns = _weight(module).shape[:2]
        n_in, n_out = (rows, columns) if module.transposed else (columns, rows)
        depthwise = module.groups > 1 and module.in_channels == module.groups
        if depthwise:
            multiplier = module.out_channels // module.groups
            module.groups = rows if module.transposed else rows // multiplier
        if module.transposed:
            module.in_channels, module.out_channels = n_in, n_out * module.groups
        else:
            module.in_channels, module.out_channels = n_in * module.groups, n_out
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = _weight(module).shape
    elif isinstance(module, AttentionByHeads):
        module.fit()
    elif isinstance(module, nn.PReLU):
        module.num_parameters = module.weight.shape[0]
    elif isinstance(module, nn.Embedding):
        module.num_embeddings, module.embedding_dim = module.weight.shape


def _weight(module: nn.Module) -> Tensor:
    """Return a layer's weight; if hooks compute it in each pass, the parameter that they compute it from."""
    own = (module._parameters.get(name) for name in ("weight_orig", "weight_v"))
    found = next((tensor for tensor in own if tensor is not None), None)
    weight = module.weight if found is None else found
    assert isinstance(weight, Tensor)
    return weight


def layer_norms_of(module: nn.Module, n_channels: int) -> list[nn.LayerNorm | nn.RMSNorm]:
    """Return the norms in a module (including itself) that store this number of channels as an attribute."""
    norms = [one for one in module.modules() if isinstance(one, nn.LayerNorm | nn.RMSNorm)]
    return [norm for norm in norms if tuple(norm.normalized_shape) == (n_channels,)]


def _fit_norm(module: nn.Module, n_channels: int) -> None:
    """Set the sizes that norms store as attributes; norms may have no tensors at all."""
    if isinstance(module, nn.modules.batchnorm._NormBase):
        module.num_features = n_channels
    elif isinstance(module, nn.GroupNorm):
        if module.num_groups == module.num_channels:
            module.num_groups = n_channels
        module.num_channels = n_channels
    elif isinstance(module, nn.LayerNorm | nn.RMSNorm):
        module.normalized_shape = (n_channels, *module.normalized_shape[1:])
