"""A graph without regions and composite calls: the content of `autocast`, checkpoints and the like is inlined."""

from __future__ import annotations

import operator
from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, fx
from torch._decomp import core_aten_decompositions
from torch._ops import HigherOrderOperator, OpOverload
from torch.fx.experimental.proxy_tensor import make_fx

Env = dict[fx.Node, Any]
_PLACE_KEYS = ("nn_module_stack", "stack_trace")  # metadata with the place of a call in the user's code


def flat_graph(module: fx.GraphModule, known: Collection[str], idle: Collection[str]) -> fx.Graph:
    """Return a graph of known calls, as far as torch can decompose the others.

    Args:
        module: An exported network.
        known: Names of the ATen calls that are not decomposed.
        idle: Names of calls that are removed if only the shape of their result is used.
    """
    flat = fx.Graph()
    env: Env = {}
    for node in _placeholders(module):
        env[node] = flat.node_copy(node, env.__getitem__)
    _copy(flat, module, env, known)
    output = next(node for node in module.graph.nodes if node.op == "output")
    flat.node_copy(output, env.__getitem__)
    for node in reversed(list(flat.nodes)):
        if node.op == "call_function" and not node.users and call_name(node.target) in idle and _only_gives(node):
            flat.erase_node(node)
    return flat


def _only_gives(node: fx.Node) -> bool:
    """Return True if a call has no effect other than its outputs."""
    return isinstance(node.target, OpOverload) and not node.target._schema.is_mutable


def call_name(target: Any) -> str:
    """Return the name of an operator without its overload."""
    return str(getattr(getattr(target, "overloadpacket", target), "__name__", target))


def module_of(node: fx.Node) -> str:
    """Return the name of the innermost module that makes a call; empty for the model itself."""
    stack: list[Any] = list((node.meta.get("nn_module_stack") or {}).values())
    return str(stack[-1][0]) if stack else ""


def _copy(flat: fx.Graph, module: fx.GraphModule, env: Env, known: Collection[str]) -> Any:
    """Copy a module's calls to the end of a graph; return the module's outputs as nodes of the graph."""
    for node in module.graph.nodes:
        if node.op == "placeholder":
            continue
        if node.op == "output":
            return fx.map_arg(node.args[0], env.__getitem__)
        if node.op == "get_attr" and isinstance(_attribute(module, str(node.target)), fx.GraphModule):
            env[node] = node
        elif node.target is operator.getitem and isinstance(env[node.args[0]], list | tuple):
            env[node] = env[node.args[0]][node.args[1]]
        elif (region := _region(module, node)) is not None or (region := _parts(node, known)) is not None:
            part, operands = region
            inner: Env = dict(zip(_placeholders(part), fx.map_arg(operands, env.__getitem__), strict=True))
            if len(node.meta.get("nn_module_stack") or ()) or part is not module:
                _placed(part, node)
            env[node] = _copy(flat, part, inner, known)
        else:
            env[node] = flat.node_copy(node, env.__getitem__)
    return None


def _placed(part: fx.GraphModule, node: fx.Node) -> None:
    """Set the place of a region's calls to that of the surrounding call, if they have none."""
    for inner in part.graph.nodes:
        for key in _PLACE_KEYS:
            if not inner.meta.get(key) and node.meta.get(key):
                inner.meta[key] = node.meta[key]


def _placeholders(module: fx.GraphModule) -> list[fx.Node]:
    return [node for node in module.graph.nodes if node.op == "placeholder"]


def _attribute(module: fx.GraphModule, target: str) -> Any:
    value: Any = module
    for part in target.split("."):
        value = getattr(value, part, None)
    return value


def _region(module: fx.GraphModule, node: fx.Node) -> tuple[fx.GraphModule, list[Any]] | None:
    """Return the graph that a call wraps, with its operands; None for a plain call or a choice of graphs."""
    if node.op != "call_function" or not isinstance(node.target, HigherOrderOperator):
        return None
    graphs = [
        (position, part)
        for position, argument in enumerate(node.args)
        if isinstance(argument, fx.Node)
        and argument.op == "get_attr"
        and isinstance(part := _attribute(module, str(argument.target)), fx.GraphModule)
    ]
    if len(graphs) != 1:
        return None
    ((position, part),) = graphs
    expected = len(_placeholders(part))
    operands = list(node.args[position + 1 :])
    operands = operands if len(operands) == expected else [one for one in operands if isinstance(one, fx.Node)]
    return (part, operands) if len(operands) == expected else None


def _parts(node: fx.Node, known: Collection[str]) -> tuple[fx.GraphModule, list[Any]] | None:
    """Return the decomposition of an unknown call; None if it is known, or torch cannot decompose it."""
    if node.op != "call_function" or not isinstance(node.target, OpOverload):
        return None
    if call_name(node.target) in known and not _is_of_many(node):
        return None
    target, operands = node.target, node.all_input_nodes
    values = [operand.meta.get("val") for operand in operands]
    if not operands or not all(isinstance(value, Tensor) for value in values) or target._schema.is_mutable:
        return None

    def call(*tensors: Tensor) -> Any:
        given = dict(zip(operands, tensors, strict=True))
        return target(*fx.map_arg(node.args, given.__getitem__), **fx.map_arg(dict(node.kwargs), given.__getitem__))

    table = {key: rule for key, rule in _decompositions().items() if key == target}
    try:
        with torch.no_grad():
            part = make_fx(call, decomposition_table=table)(*values)
    except Exception:  # torch cannot decompose it for shapes only
        return None
    calls = [inner for inner in part.graph.nodes if inner.op == "call_function"]
    if not calls or any(inner.target == target for inner in calls):
        return None
    if any(inner.op == "get_attr" for inner in part.graph.nodes):
        return None
    return part, operands


def _is_of_many(node: fx.Node) -> bool:
    """Return True if a call is an Einstein sum of more than two tensors, which torch computes in pairs."""
    return call_name(node.target) == "einsum" and len(node.all_input_nodes) > 2


def _decompositions() -> dict[Any, Any]:
    return dict(core_aten_decompositions().items())
