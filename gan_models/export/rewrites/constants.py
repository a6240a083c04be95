"""Constants: what a network computes of its weights alone, as spectral and weight norm do, is computed once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.fx.node import map_arg

from .call import Call, Replacement


def fold(call: Call) -> Replacement | None:
    """Return the result of a call whose arguments are all constants."""
    target = call.node.target
    assert isinstance(target, torch._ops.OpOverload)
    if torch.Tag.nondeterministic_seeded in target.tags or not call.node.all_input_nodes:
        return None
    if any(call.constant(node) is None for node in call.node.all_input_nodes):
        return None

    def value(argument: Any) -> Any:
        return map_arg(argument, call.constant)

    with torch.no_grad():
        found = target(*value(call.node.args), **value(call.node.kwargs))
    return Replacement(found) if isinstance(found, Tensor) else None
