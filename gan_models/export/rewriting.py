"""Exports of rewritten copies, and the operator to blame if a format does not take a network."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_aggregate

from ..files.errors import WorkFailed
from .exporter import ExportJob
from .program import NoProgram, trace
from .rewrites.call import Call
from .rewrites.catalog import REWRITES
from .rewrites.graph import plain_network, rewrite_program

MAX_TRIALS = 40  # conversions of single operators

Write = Callable[[ExportJob, Path], object]


def rewritten(job: ExportJob, names: tuple[str, ...]) -> tuple[ExportJob, tuple[str, ...]]:
    """Return a job of the network in other operators, and lines for the card.

    Args:
        job: The job; its network is not changed.
        names: Rows of the rewrites, in order.

    Raises:
        NoProgram: `torch.export` cannot trace the network.
    """
    found = rewrite_program(trace(job), names)
    return replace(job, model=found.network, title=job.network), (found.note,) if found.note else ()


def rejected_operator(job: ExportJob, names: tuple[str, ...], write: Write) -> str:
    """Return the first operator of a network that cannot be written alone, with its module and the rewrites tried.

    Args:
        job: The job of the network itself.
        names: Rows of the rewrites that it went through.
        write: Writes a job in the format.

    Returns:
        A sentence; empty if every operator can be written alone.
    """
    fixed = replace(job, inputs=tuple(x[:1] for x in job.inputs), free_batch=False, strides=())
    try:
        network = rewrite_program(trace(fixed), names).network
        network = plain_network(torch.export.export(network, fixed.inputs))
    except NoProgram:
        return ""
    recorder = _Recorder(network)
    with torch.no_grad():
        recorder.run(*fixed.inputs)
    for node, values in recorder.calls[:MAX_TRIALS]:
        single = _SingleCall(node, values)
        inputs = tuple(value for value in single.given if isinstance(value, Tensor))
        with tempfile.TemporaryDirectory() as folder:
            try:
                write(
                    ExportJob(single, inputs, tuple(f"x{i}" for i in range(len(inputs))), False), Path(folder) / "one"
                )
            except WorkFailed:
                call = Call(node, network)
                tried = [name for name in names if call.operator in REWRITES.find(name).operators]
                said = f"rewrites tried: {', '.join(tried)}" if tried else "no rewrite is known for it"
                return f"operator {call.operator} of module {call.module or 'the network itself'} is rejected ({said})"
    return ""


class _Recorder(fx.Interpreter):
    """A run of a network that keeps the arguments of each different call."""

    def __init__(self, network: fx.GraphModule) -> None:
        super().__init__(network)
        self.calls: list[tuple[fx.Node, tuple[tuple[Any, ...], dict[str, Any]]]] = []
        self.seen: set[str] = set()

    def run_node(self, n: fx.Node) -> Any:
        """Run one node; keep its arguments if no call like it was kept."""
        if isinstance(n.target, torch._ops.OpOverload):
            values = self.fetch_args_kwargs_from_env(n)
            kind = f"{n.target}{map_aggregate(values, _kind)}"
            if kind not in self.seen:
                self.seen.add(kind)
                self.calls.append((n, values))
        return super().run_node(n)


def _kind(value: Any) -> Any:
    return tuple(value.shape) if isinstance(value, Tensor) else value


class _SingleCall(nn.Module):
    """One call as a network: its constants are buffers, what was computed are inputs."""

    def __init__(self, node: fx.Node, values: tuple[tuple[Any, ...], dict[str, Any]]) -> None:
        super().__init__()
        self.target: Any = node.target
        self.given: list[Tensor] = []
        places: list[tuple[str, Any]] = []

        def place(argument: Any, value: Any) -> Any:
            if not isinstance(value, Tensor):
                places.append(("value", value))
            elif isinstance(argument, fx.Node) and argument.op == "get_attr":
                self.register_buffer(f"constant_{len(places)}", value)
                places.append(("constant", f"constant_{len(places)}"))
            else:
                places.append(("input", len(self.given)))
                self.given.append(value)

        for argument, value in zip(node.args, values[0], strict=True):
            if isinstance(value, list | tuple) and any(isinstance(each, Tensor) for each in value):
                first = len(self.given)
                self.given += [each for each in value if isinstance(each, Tensor)]
                places.append(("inputs", range(first, len(self.given))))
            else:
                place(argument, value)
        self.places, self.named = places, values[1]

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the result of the call."""
        read = {
            "value": lambda value: value,
            "constant": lambda name: getattr(self, name),
            "input": lambda number: inputs[number],
            "inputs": lambda numbers: [inputs[number] for number in numbers],
        }
        return self.target(*(read[kind](value) for kind, value in self.places), **self.named)
