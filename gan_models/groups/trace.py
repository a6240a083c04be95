"""Walks the exported graph of a network, one rule per ATen call."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils.flop_counter import FlopCounterMode

from ..files.errors import UserError
from ..files.meta_device import run_for_shapes
from .labels import LabelBook, Site, Traced
from .rules import (
    Call,
    Walk,
    cat,
    elementwise,
    glu,
    group_norm,
    layer_norm,
    layout,
    opaque,
    pad,
    per_channel_norm,
    prelu,
    reduction,
    softmax,
    spatial,
)
from .trace_errors import other_inputs, silence, why_refused
from .unpruned_reasons import Why
from .weighted_rules import (
    convolution,
    embedding,
    linear,
    matrix_product,
    transposed_convolution,
    vector_product,
    weight_norm,
)

Rule = Callable[[Walk, Call], list[Traced]]


class NotTraceable(UserError):
    """The network cannot be followed as a graph, so nothing of it may be pruned."""


def _named(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


RULES: dict[str, Rule] = {
    **_named(convolution, "conv1d conv2d conv3d"),
    **_named(transposed_convolution, "conv_transpose1d conv_transpose2d conv_transpose3d"),
    **_named(linear, "linear"),
    **_named(matrix_product, "matmul mm bmm addmm baddbmm"),
    **_named(vector_product, "mv dot vdot"),
    **_named(weight_norm, "_weight_norm _weight_norm_interface"),
    **_named(per_channel_norm, "batch_norm instance_norm _native_batch_norm_legit_no_training"),
    **_named(group_norm, "group_norm native_group_norm"),
    **_named(layer_norm, "layer_norm"),
    **_named(prelu, "prelu"),
    **_named(embedding, "embedding"),
    **_named(glu, "glu"),
    **_named(cat, "cat concat concatenate"),
    **_named(pad, "pad constant_pad_nd reflection_pad1d reflection_pad2d replication_pad2d"),
    **_named(softmax, "softmax log_softmax"),
    **_named(reduction, "mean sum amax amin var std norm linalg_vector_norm"),
    **_named(
        spatial,
        "upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_bilinear2d upsample_bicubic2d "
        "upsample_linear1d upsample_trilinear3d _upsample_nearest_exact2d avg_pool1d avg_pool2d max_pool2d "
        "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool2d",
    ),
    **_named(
        layout,
        "view reshape _unsafe_view flatten unflatten permute transpose t numpy_T squeeze unsqueeze expand chunk split "
        "split_with_sizes unbind select slice narrow flip roll pixel_shuffle pixel_unshuffle channel_shuffle "
        "repeat repeat_interleave movedim swapaxes expand_as view_as reshape_as index_select unsafe_chunk unsafe_split",
    ),
    **_named(
        elementwise,
        "relu relu_ relu6 leaky_relu leaky_relu_ tanh tanh_ sigmoid sigmoid_ silu silu_ gelu elu elu_ selu celu "
        "mish softplus hardtanh hardtanh_ hardswish hardswish_ hardsigmoid softsign threshold clamp clamp_ "
        "clamp_min clamp_max dropout dropout_ feature_dropout alpha_dropout contiguous clone detach alias to "
        "_to_copy type_as neg abs exp log sqrt rsqrt square reciprocal sign sin cos erf pow add add_ sub sub_ "
        "rsub mul mul_ div div_ maximum minimum lerp addcmul addcdiv where lift_fresh_copy fill logical_not "
        "gt lt ge le eq ne zeros_like ones_like full_like rand_like randn_like",
    ),
}


def export(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> torch.export.ExportedProgram:
    """Return the graph of a network in eval mode; only shapes are computed.

    Raises:
        NotTraceable: Control flow that depends on data, a call that torch.export cannot follow, or another number of
            inputs than its forward takes.
    """
    refused = f"{type(model).__name__} cannot be traced, so nothing of it was pruned"
    if wrong := other_inputs(model, len(example_inputs)):
        raise NotTraceable(f"{refused}: {wrong}")
    try:
        with warnings.catch_warnings(), torch.no_grad(), silence():
            warnings.simplefilter("ignore")
            return run_for_shapes(model, example_inputs, lambda copied, x: torch.export.export(copied, x, strict=False))
    except Exception as error:
        raise NotTraceable(refused + why_refused(error)) from error


def output_shapes(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> tuple[tuple[int, ...], ...]:
    """Shapes of all that a network gives for these inputs, batch included; found without computing.

    Raises:
        NotTraceable: See `export`.
    """
    graph = export(model, example_inputs).graph
    given = next(node for node in graph.nodes if node.op == "output").all_input_nodes
    return tuple(shape for node in given for shape in _shapes(node))


def walk_graph(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> Walk:
    """Everything the rules found on one trace.

    Raises:
        NotTraceable: See `export`.
    """
    program = export(model, example_inputs)
    signature = program.graph_signature
    first_name = _first_names(model)
    named = {node: first_name[name] for node, name in _graph_inputs(signature)}
    walk = Walk(LabelBook(), modules=dict(model.named_modules()), graph=program.graph, parameters=named)
    values = walk.values
    parameters: dict[str, Traced] = {}  # a tied parameter may enter the graph under each of its names
    for node in program.graph.nodes:
        if node.op == "placeholder":
            shape = _shapes(node)[0] if _shapes(node) else ()
            if node.name not in named:
                values[node.name] = _input(walk, shape)
                continue
            name = named[node.name]
            if node.users:
                walk.used.add(name)
            if name not in parameters:
                parameters[name] = _parameter(walk, name, shape)
            values[node.name] = parameters[name]
        elif node.op == "call_function":
            arguments = fx.map_arg(node.args, lambda n: values[n.name])
            if node.target is operator.getitem:
                values[node.name] = arguments[0][arguments[1]]
                continue
            outputs = _call(walk, node, arguments, {k: _traced(v, values) for k, v in node.kwargs.items()})
            values[node.name] = outputs if isinstance(node.meta.get("val"), list | tuple) else outputs[0]
        elif node.op == "get_attr":
            values[node.name] = Traced(_shapes(node)[0] if _shapes(node) else ())
        elif node.op == "output":
            for name in [n.name for n in node.all_input_nodes]:
                _pin_output(walk, values[name])
    return walk


def _graph_inputs(signature: torch.export.ExportGraphSignature) -> list[tuple[str, str]]:
    return [*signature.inputs_to_parameters.items(), *signature.inputs_to_buffers.items()]


def _first_names(model: nn.Module) -> dict[str, str]:
    """Every name of a parameter or buffer -> the first name of the same tensor (tied weights have several)."""
    named = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
    first: dict[int, str] = {}
    return {name: first.setdefault(id(tensor), name) for name, tensor in named}


def _traced(value: Any, values: dict[str, Any]) -> Any:
    return fx.map_arg(value, lambda n: values[n.name])


def _shapes(node: fx.Node) -> tuple[tuple[int, ...], ...]:
    value = node.meta.get("val")
    several = value if isinstance(value, list | tuple) else [value]
    return tuple(tuple(int(n) for n in v.shape) for v in several if isinstance(v, Tensor))


def _parameter(walk: Walk, name: str, shape: tuple[int, ...]) -> Traced:
    traced = Traced(shape, parameter=name)
    for axis in range(min(2, len(shape))):
        label = walk.book.fresh_on(shape, axis)
        walk.sites.append(Site(name, axis, label.ravel()))
        if shape[axis] > 1:
            traced.labels.append(label)
    return traced


def _input(walk: Walk, shape: tuple[int, ...]) -> Traced:
    if len(shape) < 2:
        return Traced(shape)
    return Traced(shape, [walk.book.fresh_on(shape, 1, Why.READS_INPUT())])


def _pin_output(walk: Walk, value: Any) -> None:
    for traced in value if isinstance(value, list | tuple) else [value]:
        for label in traced.labels:
            walk.book.pin(label, Why.WRITES_OUTPUT())


def _call(walk: Walk, node: fx.Node, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> list[Traced]:
    name = getattr(getattr(node.target, "overloadpacket", node.target), "__name__", str(node.target))
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    module = stack[-1][0] if stack else ""
    shapes = _shapes(node)
    assert callable(node.target)
    call = Call(name, module, node.target, (*arguments, *keywords.values()), shapes)
    if not shapes:
        return [Traced(())]
    rule = RULES.get(name)
    if rule is layout and (keywords or not arguments or not isinstance(arguments[0], Traced)):
        rule = opaque
    if rule is elementwise and not any(isinstance(a, Traced) for a in call.arguments):
        return [Traced(shape) for shape in shapes]
    if rule is None:
        macs = _uncovered_macs(node)
        if macs:
            walk.add_work(call, None, None, macs, macs)
        return opaque(walk, call)
    return rule(walk, call)


def _uncovered_macs(node: fx.Node) -> int:
    """Multiply-accumulates of a call that has no rule, by torch's own counter."""
    arguments = fx.map_arg(node.args, lambda n: n.meta.get("val"))
    keywords = fx.map_arg(dict(node.kwargs), lambda n: n.meta.get("val"))
    with FlopCounterMode(display=False) as counter:
        try:
            assert callable(node.target)
            node.target(*arguments, **keywords)
        except Exception:  # what cannot be run on shapes alone has no count either
            return 0
    return counter.get_total_flops() // 2
