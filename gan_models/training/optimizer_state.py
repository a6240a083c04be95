"""An Adam optimiser's state as named tensors, so that a checkpoint needs no pickle."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def optimiser_tensors(optimiser: torch.optim.Optimizer, names: Mapping[Tensor, str]) -> dict[str, Tensor]:
    """The state of every parameter: "<parameter name>/<entry>" -> tensor.

    Args:
        optimiser: one whose state holds tensors and numbers only, as Adam's does.
        names: name of each parameter.
    """
    tensors = {}
    for parameter, state in optimiser.state.items():
        for entry, value in state.items():
            tensors[f"{names[parameter]}/{entry}"] = torch.as_tensor(value)
    return tensors


def load_optimiser_tensors(
    optimiser: torch.optim.Optimizer, names: Mapping[Tensor, str], tensors: Mapping[str, Tensor]
) -> None:
    """Put back what `optimiser_tensors` gave.

    Raises:
        ValueError: a tensor of a parameter that the optimiser does not have, or of another shape.
    """
    parameters = {names[parameter]: parameter for group in optimiser.param_groups for parameter in group["params"]}
    fused = bool(optimiser.defaults.get("fused"))
    optimiser.state.clear()
    for key, value in tensors.items():
        name, _, entry = key.rpartition("/")
        parameter = parameters.get(name)
        if parameter is None or (value.dim() and value.shape != parameter.shape):
            raise ValueError(f"the checkpoint's optimiser state {key} {tuple(value.shape)} fits no parameter")
        if value.dim():
            # In the parameter's own memory layout (channels last survives).
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        elif fused:
            value = value.to(parameter.device)  # where a fused step counts
        optimiser.state[parameter][entry] = value
