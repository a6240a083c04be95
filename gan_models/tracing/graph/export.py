"""The exported graph of a network, and the shapes of its outputs."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.overrides import TorchFunctionMode

from ...cuttable_layers.attention_by_heads import part_heads
from ...files.errors import UserError
from ...files.meta_device import run_for_shapes
from .trace_errors import other_inputs, silence, why_refused


class NotTraceable(UserError):
    """An error: the network cannot be followed as a graph, so none of it may be pruned."""


def export(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> torch.export.ExportedProgram:
    """Return the graph of a network in eval mode; only shapes are computed.

    Raises:
        NotTraceable: Control flow depends on data, torch.export cannot follow a call, or its forward takes another
            number of inputs.
    """
    refused = f"{type(model).__name__} cannot be traced, so nothing of it was pruned"
    if wrong := other_inputs(model, len(example_inputs)):
        raise NotTraceable(f"{refused}: {wrong}")
    try:
        with warnings.catch_warnings(), torch.no_grad(), silence(), _DataAsDetached():
            warnings.simplefilter("ignore")
            return run_for_shapes(model, example_inputs, _exported)
    except Exception as error:
        raise NotTraceable(refused + why_refused(error)) from error


def _exported(copied: nn.Module, inputs: tuple[Tensor, ...]) -> torch.export.ExportedProgram:
    """Return the graph of a copy, which may be changed."""
    return torch.export.export(part_heads(copied), inputs, strict=False)


class _DataAsDetached(TorchFunctionMode):
    """A context in which `.data`, as hooks read it, is `detach()`, because torch.export does not follow `.data`."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func == torch.Tensor.data.__get__:  # type: ignore[attr-defined]
            return args[0].detach()
        return func(*args, **(kwargs or {}))


def output_shapes(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of all outputs of a network for these inputs, including the batch; nothing is computed.

    Raises:
        NotTraceable: See `export`.
    """
    graph = export(model, example_inputs).graph
    given = next(node for node in graph.nodes if node.op == "output").all_input_nodes
    return tuple(shape for node in given for shape in shapes_of(node))


def shapes_of(node: fx.Node) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of all tensors that a node returns."""
    value = node.meta.get("val")
    several = value if isinstance(value, list | tuple) else [value]
    return tuple(tuple(int(n) for n in v.shape) for v in several if isinstance(v, Tensor))
