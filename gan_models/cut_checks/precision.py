"""The arithmetic in which a network is compared with its cut, and the difference that its rounding allows."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ..files.errors import UserError
from ..groups.surgery import copy_network

# Type -> largest difference, relative to the largest output, that is well above the rounding of some tens of layers.
TOLERANCES: Mapping[torch.dtype, float] = {
    torch.float64: 1e-6,
    torch.float32: 1e-3,
    torch.float16: 5e-2,
    torch.bfloat16: 1e-1,
}


@dataclass(frozen=True)
class Precision:
    """The arithmetic of a comparison.

    Attributes:
        dtype: Type of parameters and inputs.
        inside: The least precise type that the network computes in.
        refused: The error in float64; empty if the network runs in float64.
    """

    dtype: torch.dtype
    inside: torch.dtype
    refused: str = ""

    @property
    def tolerance(self) -> float:
        """Largest difference that is rounding, relative to the largest output."""
        return TOLERANCES[self.inside]

    @property
    def text(self) -> str:
        """The arithmetic and its tolerance as text."""
        inside = "" if self.inside == self.dtype else f", {_name(self.inside)} inside"
        why = f" (in float64: {self.refused})" if self.refused else ""
        return f"{_name(self.dtype)}{inside}, tolerance {self.tolerance:g}{why}"

    def network(self, model: nn.Module) -> nn.Module:
        """Return a copy of a network on the CPU in this type and in eval mode."""
        return copy_network(model).cpu().to(self.dtype).eval()

    def inputs(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return inputs on the CPU, in this type unless they are integers."""
        return tuple(x.cpu().to(self.dtype) if x.is_floating_point() else x.cpu() for x in inputs)


def precision_of(model: nn.Module, inputs: tuple[Tensor, ...]) -> Precision:
    """Return the most precise arithmetic that a network runs in; see `in_precision`."""
    return in_precision(model, inputs)[0]


def in_precision(model: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Precision, nn.Module]:
    """Return the most precise arithmetic that a network runs in, and the network in it.

    That is float64, or float32 if the network's code requires it.

    Args:
        model: The network with values.
        inputs: Its inputs.

    Raises:
        UserError: It runs in neither type.
    """
    refused = ""
    for dtype in (torch.float64, torch.float32):
        asked, types = Precision(dtype, dtype), _Types(dtype)
        network, given = asked.network(model), asked.inputs(inputs)
        try:
            with torch.no_grad(), types:
                network(*given)
        except Exception as error:  # a user's network may raise anything
            refused = refused or first_line(error)
            failed = error
        else:
            return Precision(dtype, types.least, refused if dtype != torch.float64 else ""), network
    raise UserError(f"the network cannot run: got {first_line(failed)}; expected an output") from failed


class _Types(TorchDispatchMode):
    """A recorder of the least precise floating type among the tensors that a network computes."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.least = dtype

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for made in result if isinstance(result, list | tuple) else (result,):
            if isinstance(made, Tensor) and made.ndim and made.dtype in TOLERANCES:
                self.least = max(self.least, made.dtype, key=TOLERANCES.__getitem__)
        return result


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, of at most 160 characters; its class if it has none."""
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)[:160]


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def jittered(model: nn.Module, precision: Precision, seed: int) -> nn.Module:
    """Return a copy whose parameters are changed by as much as rounding may change them."""
    moved = copy.deepcopy(model)
    random = torch.Generator("cpu").manual_seed(seed)
    step = torch.finfo(precision.inside).eps
    with torch.no_grad():
        for parameter in moved.parameters():
            if parameter.is_floating_point():
                parameter.mul_(1 + step * torch.randn(parameter.shape, generator=random).to(parameter))
    return moved
