"""The meta device, on which tensors have shapes and no values, and the CPU for networks that need values.

Some builders call `.item()` or `.tolist()`, and some networks create constants in their forward. Neither works on the
meta device. Code that needs only shapes calls these functions, which use the CPU for such networks.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn

T = TypeVar("T")
Inputs = tuple[Tensor, ...]


def build_for_shapes(build: Callable[[], nn.Module]) -> nn.Module:
    """Return a new network for its shapes: on the meta device, or on the CPU if its builder needs values.

    The state of the random number generators is restored.

    Raises:
        Exception: Any exception that `build` raises on the CPU.
    """
    try:
        with torch.device("meta"):
            return build()
    except Exception:  # a user's builder may raise anything; on the CPU it raises again, with the better message
        with torch.random.fork_rng(devices=[]):
            return build()


def run_for_shapes(
    model: nn.Module, inputs: tuple[Tensor, ...], run: Callable[[nn.Module, tuple[Tensor, ...]], T]
) -> T:
    """Call `run` with a copy of a network on the meta device, or on the CPU if the network cannot run there.

    The copy is in eval mode. On the CPU, it has the network's own values; parameters without values are set to zero.

    Args:
        model: Any network; not changed.
        inputs: Its inputs; only shapes and types count on the meta device.
        run: Function of the copy and the inputs.

    Raises:
        Exception: Any exception that `run` raises on the CPU.
    """
    try:
        return run(meta_copy(model), tuple(torch.empty_like(x, device="meta") for x in inputs))
    except Exception:  # a user's network may raise anything; on the CPU it raises again, with the better message
        return run(_on_cpu(model), tuple(_with_values(x) for x in inputs))


def meta_copy(model: nn.Module) -> nn.Module:
    """Return a copy in eval mode on the meta device; no values are copied."""
    return _copy(model, lambda tensor: torch.empty_like(tensor, device="meta")).to("meta").eval()


def _on_cpu(model: nn.Module) -> nn.Module:
    return _copy(model, _with_values).eval()


def _with_values(tensor: Tensor) -> Tensor:
    return torch.zeros_like(tensor, device="cpu") if tensor.is_meta else tensor.detach().cpu()


def _copy(model: nn.Module, change: Callable[[Tensor], Tensor]) -> nn.Module:
    """Return a copy whose parameters and buffers are changed; parameters are not copied otherwise."""
    memo: dict[int, object] = {}
    for module in model.modules():
        for value in vars(module).values():
            if isinstance(value, Tensor) and not value.is_leaf:
                memo[id(value)] = change(value.detach())
    for parameter in model.parameters():
        memo[id(parameter)] = nn.Parameter(change(parameter), parameter.requires_grad)
    for buffer in model.buffers():
        memo[id(buffer)] = change(buffer.clone())  # a forward may write to its buffers
    return copy.deepcopy(model, memo)
