"""An Adam optimizer's state as named tensors, so that a checkpoint needs no pickle."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def optimizer_tensors(optimizer: torch.optim.Optimizer, names: Mapping[Tensor, str]) -> dict[str, Tensor]:
    """Return the state of every parameter: "<parameter name>/<entry>" -> tensor.

    Args:
        optimizer: An optimizer whose state has only tensors and numbers, such as Adam.
        names: Name of each parameter.
    """
    tensors = {}
    for parameter, state in optimizer.state.items():
        for entry, value in state.items():
            tensors[f"{names[parameter]}/{entry}"] = torch.as_tensor(value)
    return tensors


def load_optimizer_tensors(
    optimizer: torch.optim.Optimizer, names: Mapping[Tensor, str], tensors: Mapping[str, Tensor]
) -> None:
    """Restore the result of `optimizer_tensors`.

    Raises:
        ValueError: A tensor belongs to an unknown parameter, or has another shape.
    """
    parameters = {names[parameter]: parameter for group in optimizer.param_groups for parameter in group["params"]}
    fused = bool(optimizer.defaults.get("fused"))
    optimizer.state.clear()
    for key, value in tensors.items():
        name, _, entry = key.rpartition("/")
        parameter = parameters.get(name)
        if parameter is None or (value.dim() and value.shape != parameter.shape):
            raise ValueError(f"the checkpoint's optimizer state {key} {tuple(value.shape)} fits no parameter")
        if value.dim():
            # In the parameter's own memory layout (channels last survives).
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        elif fused:
            value = value.to(parameter.device)  # device of a fused optimizer's step count
        optimizer.state[parameter][entry] = value
