"""Rewriting of a network: it is traced, and calls in its graph are replaced, on a copy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, fx, nn

from ...files.user_code import load_named
from .call import Call, Replacement
from .catalog import REWRITES
from .rewrite import Rewrite, Rewriter


@dataclass(frozen=True)
class RewrittenCall:
    """One call that was replaced.

    Attributes:
        rewrite: Name of the rewrite.
        operator: The operator that was called.
        module: The module of the network that called it.
    """

    rewrite: str
    operator: str
    module: str


@dataclass(frozen=True)
class RewrittenNetwork:
    """A network in other operators.

    Attributes:
        network: Takes and gives what the network did.
        calls: The calls that were replaced.
    """

    network: fx.GraphModule
    calls: tuple[RewrittenCall, ...]

    @property
    def note(self) -> str:
        """The changes as one line; empty if there are none."""
        counts = Counter(call.rewrite for call in self.calls)
        parts = [f"{n} times {REWRITES.find(name).title}" for name, n in counts.items()]
        return f"rewritten: {'; '.join(parts)}" if parts else ""


def rewrite_program(program: torch.export.ExportedProgram, names: Sequence[str]) -> RewrittenNetwork:
    """Return the network of a program with calls replaced.

    Args:
        program: Of one output, or of several of which the first counts; its tensors are shared.
        names: Rows of the rewrites, in the order in which each goes over the whole graph.

    Raises:
        UserError: A name that is none.
    """
    network = plain_network(program)
    calls: list[RewrittenCall] = []
    for name in names:
        row: Rewrite = REWRITES.find(name)
        rewriter = cast(Rewriter, load_named(row.rewriter, "rewrite"))
        for node in list(network.graph.nodes):
            if not isinstance(node.target, torch._ops.OpOverload) or not node.users:
                continue
            call = Call(node, network)
            if row.operators and call.operator not in row.operators:
                continue
            if (replacement := rewriter(call)) is not None:
                _replace(network, node, replacement)
                calls.append(RewrittenCall(name, call.operator, call.module))
        network.graph.eliminate_dead_code()
    network.delete_all_unused_submodules()
    network.graph.lint()
    network.recompile()
    return RewrittenNetwork(network, tuple(calls))


def plain_network(program: torch.export.ExportedProgram) -> fx.GraphModule:
    """Return the network of a program: positional inputs, one output, no checks of sizes, and in eval mode."""
    traced = cast(fx.GraphModule, program.module(check_guards=False))
    graph = fx.Graph()
    output: Any = graph.graph_copy(traced.graph, {})
    while isinstance(output, tuple | list):
        output = output[0]
    graph.output(output)
    network = fx.GraphModule(traced, graph)
    network.graph.eliminate_dead_code()
    network.recompile()
    return network.eval()


def _replace(network: fx.GraphModule, node: fx.Node, replacement: Replacement) -> None:
    graph = network.graph
    with graph.inserting_before(node):
        arguments = tuple(
            _constant(network, each) if isinstance(each, Tensor) else each for each in replacement.arguments
        )
        if isinstance(replacement.target, Tensor):
            made = _constant(network, replacement.target)
        elif isinstance(replacement.target, nn.Module):
            name = _free_name(network, "rewritten")
            network.add_submodule(name, replacement.target.eval())
            made = graph.call_module(name, arguments)
        else:
            made = graph.call_function(cast(Callable[..., Any], replacement.target), arguments)
    for key in ("val", "tensor_meta", "nn_module_stack"):
        if key in node.meta:
            made.meta.setdefault(key, node.meta[key])
    node.replace_all_uses_with(made)
    graph.erase_node(node)


def _constant(network: fx.GraphModule, value: Tensor) -> fx.Node:
    """Return a node of a new constant."""
    name = _free_name(network, "constant")
    network.register_buffer(name, value.detach())
    node = network.graph.get_attr(name)
    node.meta["val"] = value.detach()
    return node


def _free_name(network: nn.Module, stem: str) -> str:
    return next(name for i in range(2**31) if not hasattr(network, name := f"{stem}_{i}"))
