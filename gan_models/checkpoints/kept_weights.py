"""Weights of a network that a user's own code receives: copied before, compared and restored afterwards."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def copied_weights(network: nn.Module) -> dict[str, Tensor]:
    """Return copies of all parameters and buffers, by name."""
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def put_back(network: nn.Module, before: Mapping[str, Tensor]) -> str:
    """Restore a network's weights; return the name of the first changed one, empty if there is none.

    Args:
        network: The network.
        before: The result of `copied_weights`.
    """
    now = network.state_dict()
    changed = [name for name in before if name not in now or not _equal(now[name], before[name])]
    with torch.no_grad():
        for name in changed:
            if name in now and now[name].shape == before[name].shape:
                now[name].copy_(before[name])
    return next(iter((*changed, *(name for name in now if name not in before))), "")


def _equal(tensor: Tensor, other: Tensor) -> bool:
    """Return True if two tensors have the same shape and values; NaN equals NaN."""
    other = other.to(tensor.device)
    return tensor.shape == other.shape and bool(((tensor == other) | ((tensor != tensor) & (other != other))).all())
