"""One call of an operator in a traced network, and the calls that stand in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn


@dataclass(frozen=True)
class Replacement:
    """The calls that replace one.

    Attributes:
        target: A module that is called; an operator; or a tensor, the call's constant result.
        arguments: Of the module or the operator: nodes of the graph, tensors, numbers.
    """

    target: nn.Module | torch._ops.OpOverload | Tensor
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Call:
    """One call of an operator in a traced network.

    Attributes:
        node: The call in the graph.
        network: The traced network; it has the constants.
    """

    node: fx.Node
    network: fx.GraphModule

    @property
    def operator(self) -> str:
        """The operator's name, such as `aten.conv2d.default`."""
        return str(self.node.target)

    @property
    def module(self) -> str:
        """The module of the network that makes the call; empty for the network itself."""
        stack = self.node.meta.get("nn_module_stack") or {}
        return next(reversed([path for path, _ in stack.values()]), "").removeprefix("L['self'].")

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The operator's arguments by name, defaults included: nodes and plain values."""
        assert isinstance(self.node.target, torch._ops.OpOverload)
        found = {}
        for place, argument in enumerate(self.node.target._schema.arguments):
            if place < len(self.node.args):
                found[argument.name] = self.node.args[place]
            else:
                found[argument.name] = self.node.kwargs.get(argument.name, argument.default_value)
        return found

    def constant(self, value: Any) -> Tensor | None:
        """Return the tensor that a node stands for; None if it is computed of the inputs, or is not a node."""
        if not (isinstance(value, fx.Node) and value.op == "get_attr"):
            return None
        found: Any = self.network
        for part in str(value.target).split("."):
            found = getattr(found, part)
        return found.detach()

    def constants(self, *names: str) -> dict[str, Tensor | None] | None:
        """Return arguments that are constant tensors or none at all; None if one of them is computed."""
        given = self.arguments
        found = {name: self.constant(given[name]) for name in names}
        computed = any(found[name] is None and given[name] is not None for name in names)
        return None if computed else found

    def shape(self, name: str) -> tuple[Any, ...]:
        """Return the shape of an argument that is a tensor; sides that are free are symbols."""
        return tuple(self.arguments[name].meta["val"].shape)

    def producer(self, name: str) -> Call | None:
        """Return the call that computes an argument for this call alone; None if there is none."""
        node = self.arguments[name]
        made = isinstance(node, fx.Node) and isinstance(node.target, torch._ops.OpOverload)
        return Call(node, self.network) if made and len(node.users) == 1 else None
