"""Multiply-accumulates of calls in a traced network, and those that lie behind a call without any."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import torch
from torch import fx

from ..rewrites.call import Call
from .rule import operator_name

LAYERS = ("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")


def macs_of(call: Call) -> int:
    """Return the multiply-accumulates of one call; a transposed convolution's where they are done, on its input."""
    name, given = operator_name(call), call.arguments
    if name in LAYERS:
        weight, sides = _shape(call, "weight"), _shape(call, "input") if "transpose" in name else _output(call)
        return sides[0] * prod(sides[2:]) * prod(weight)
    if name == "linear":
        return prod(_shape(call, "input")[:-1]) * prod(_shape(call, "weight"))
    if name in ("mm", "bmm", "matmul"):
        return prod(_output(call)) * _shape(call, next(iter(given)))[-1]
    if name in ("addmm", "baddbmm"):
        return prod(_output(call)) * _shape(call, "mat1" if name == "addmm" else "batch1")[-1]
    return 0


def layer_macs(network: fx.GraphModule) -> dict[str, int]:
    """Return node -> multiply-accumulates, of calls that have any."""
    calls = (Call(node, network) for node in network.graph.nodes if isinstance(node.target, torch._ops.OpOverload))
    found = {call.node.name: macs_of(call) for call in calls}
    return {name: macs for name, macs in found.items() if macs}


def nearest_layers(node: fx.Node, macs: Mapping[str, int]) -> tuple[str, ...]:
    """Return a call itself if it multiplies, else the nearest calls that do, along the graph in both directions."""
    seen, front = {node}, [node]
    while front:
        if layers := tuple(each.name for each in front if each.name in macs):
            return layers
        beside = [other for each in front for other in (*each.all_input_nodes, *each.users)]
        front = [other for other in dict.fromkeys(beside) if other not in seen and other.op == "call_function"]
        seen.update(front)
    return ()


def _shape(call: Call, name: str) -> tuple[int, ...]:
    given: Any = call.arguments[name]
    constant = call.constant(given)
    return tuple(given.meta["val"].shape if constant is None else constant.shape)


def _output(call: Call) -> tuple[int, ...]:
    return tuple(call.node.meta["val"].shape)
