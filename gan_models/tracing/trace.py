"""The walk over the exported graph of a network, with one rule per ATen call."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.utils.flop_counter import FlopCounterMode

from .calls import Call, NoRule, Walk, options_of, pinned
from .contraction_rules import attention, einsum, linear_rows, matrix_product, vector_product
from .graph.export import export, shapes_of
from .graph.flat_graph import call_name, flat_graph, module_of
from .labels import LabelBook, Site, Traced, Zero
from .layout_rules import (
    ZERO_STAYS,
    as_complex,
    as_pairs,
    cat,
    created,
    elementwise,
    gather,
    glu,
    index,
    layout,
    pad,
    prelu,
    spatial,
    stack,
)
from .norm_rules import as_island, group_norm, layer_norm, own_modules, per_channel_norm
from .reduction_rules import along_axis, counted, distances, extreme, frequencies, reduction
from .unpruned_reasons import UnprunedReason, Why
from .weighted_rules import convolution, embedding, transposed_convolution, weight_norm

Rule = Callable[[Walk, Call], list[Traced]]


def _named(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


def _any_convolution(walk: Walk, call: Call) -> list[Traced]:
    """Follow a convolution of either kind, as torch's own modules call it."""
    return (transposed_convolution if call.option("transposed") else convolution)(walk, call)


RULES: dict[str, Rule] = {
    **_named(convolution, "conv1d conv2d conv3d"),
    **_named(transposed_convolution, "conv_transpose1d conv_transpose2d conv_transpose3d"),
    **_named(_any_convolution, "convolution"),
    **_named(linear_rows, "linear"),
    **_named(matrix_product, "matmul mm bmm addmm baddbmm"),
    **_named(vector_product, "mv dot vdot inner"),
    **_named(einsum, "einsum"),
    **_named(attention, "scaled_dot_product_attention"),
    **_named(weight_norm, "_weight_norm _weight_norm_interface"),
    **_named(per_channel_norm, "batch_norm instance_norm _native_batch_norm_legit_no_training"),
    **_named(group_norm, "group_norm native_group_norm"),
    **_named(layer_norm, "layer_norm rms_norm"),
    **_named(prelu, "prelu"),
    **_named(embedding, "embedding"),
    **_named(glu, "glu"),
    **_named(cat, "cat concat concatenate"),
    **_named(stack, "stack"),
    **_named(pad, "pad constant_pad_nd"),
    **_named(
        along_axis,
        "softmax log_softmax _softmax _log_softmax softmin cumsum cumprod logcumsumexp cummax cummin "
        "sort argsort msort topk kthvalue",
    ),
    **_named(
        reduction,
        "mean sum nansum prod amax amin aminmax var std var_mean std_mean norm linalg_vector_norm "
        "logsumexp all any nanmean median nanmedian",
    ),
    **_named(extreme, "max min"),
    **_named(counted, "argmax argmin"),
    **_named(index, "index index_select"),
    **_named(frequencies, "_fft_r2c _fft_c2c _fft_c2r"),
    **_named(
        spatial,
        "upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_bilinear2d upsample_bicubic2d "
        "upsample_linear1d upsample_trilinear3d _upsample_nearest_exact1d _upsample_nearest_exact2d "
        "_upsample_nearest_exact3d _upsample_bilinear2d_aa _upsample_bicubic2d_aa "
        "avg_pool1d avg_pool2d avg_pool3d max_pool1d max_pool2d max_pool3d max_pool2d_with_indices "
        "max_pool3d_with_indices max_pool1d_with_indices max_unpool2d max_unpool3d fractional_max_pool2d "
        "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d "
        "adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d "
        "reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d "
        "grid_sampler grid_sampler_2d grid_sampler_3d",
    ),
    **_named(
        layout,
        "view reshape _unsafe_view flatten unflatten permute transpose t numpy_T adjoint mT squeeze unsqueeze expand "
        "chunk split split_with_sizes unbind select slice narrow flip roll pixel_shuffle pixel_unshuffle "
        "channel_shuffle repeat repeat_interleave tile movedim moveaxis swapaxes swapdims expand_as view_as reshape_as "
        "unfold unsafe_chunk unsafe_split unsafe_split_with_sizes tensor_split rot90 ravel broadcast_to diagonal",
    ),
    **_named(
        elementwise,
        "relu relu_ relu6 relu6_ leaky_relu leaky_relu_ rrelu rrelu_ tanh tanh_ sigmoid sigmoid_ silu silu_ gelu gelu_ "
        "elu elu_ selu selu_ celu celu_ mish mish_ softplus hardtanh hardtanh_ hardswish hardswish_ hardsigmoid "
        "hardsigmoid_ softsign softshrink hardshrink tanhshrink log_sigmoid threshold threshold_ clamp clamp_ clip "
        "clamp_min clamp_min_ clamp_max clamp_max_ dropout dropout_ feature_dropout alpha_dropout "
        "feature_alpha_dropout contiguous clone detach detach_ alias to _to_copy type_as neg neg_ abs abs_ exp exp_ "
        "exp2 expm1 log log_ log2 log10 log1p sqrt sqrt_ rsqrt rsqrt_ square square_ reciprocal reciprocal_ sign sgn "
        "sin sin_ cos cos_ tan asin acos atan atan2 sinh cosh asinh acosh atanh sinc erf erfc erfinv pow pow_ "
        "add add_ sub sub_ rsub subtract mul mul_ multiply div div_ divide true_divide floor_divide remainder fmod "
        "maximum minimum fmax fmin hypot lerp lerp_ addcmul addcdiv where lift_fresh_copy fill masked_fill copy_ copy "
        "logical_not logical_and logical_or logical_xor bitwise_not bitwise_and bitwise_or isnan isinf isfinite "
        "nan_to_num round floor ceil trunc frac logit xlogy heaviside positive gt lt ge le eq ne zeros_like ones_like "
        "full_like rand_like randn_like empty_like float_power complex polar angle _conj resolve_conj resolve_neg",
    ),
    **_named(gather, "gather scatter scatter_add"),
    **_named(as_pairs, "view_as_real"),
    **_named(as_complex, "view_as_complex"),
    **_named(distances, "cdist _cdist_forward _euclidean_dist"),
    **_named(created, "zeros ones full new_zeros new_ones new_full empty new_empty"),
}


# Calls without multiply-accumulates: their channels are unaffected if no call uses their outputs.
IDLE = frozenset(name for name, rule in RULES.items() if rule in (layout, index, elementwise, reduction))


def walk_graph(model: nn.Module, example_inputs: tuple[Tensor, ...]) -> Walk:
    """Return the results of all rules on one trace, with each call followed by its first rule.

    Raises:
        NotTraceable: See `export`.
    """
    program = export(model, example_inputs)
    graph = flat_graph(program.graph_module, RULES, IDLE)
    signature = program.graph_signature
    first_name = _first_names(model)
    named = {node: first_name[name] for node, name in _graph_inputs(signature)}
    walk = walk_again(
        Walk(LabelBook(), graph=graph, parameters=named, modules=dict(model.named_modules())), frozenset()
    )
    walk.constants = dict(program.constants)
    return walk


def walk_again(walk: Walk, other_way: frozenset[str]) -> Walk:
    """Return a walk over the same graph with some calls followed by their second rule; see `Walk.choices`."""
    found = _walked(walk, other_way, {})
    if found.book.wanted:
        axes = {name: tuple(range(len(found.shapes[name]))) for name in found.book.wanted}
        probe = _walked(walk, other_way, axes)
        found = _walked(walk, other_way, {name: _useful(probe, name) for name in axes})
    return found


def _walked(before: Walk, other_way: frozenset[str], axes: dict[str, tuple[int, ...]]) -> Walk:
    """Walk a graph once.

    Args:
        before: A walk over the same graph.
        other_way: Calls that are followed by their second rule.
        axes: Parameter -> its labeled axes, if these are not the first two.
    """
    graph, named = before.graph, before.parameters
    walk = Walk(
        LabelBook(),
        modules=before.modules,
        graph=graph,
        parameters=named,
        constants=before.constants,
        buffers=before.buffers,
        other_way=other_way,
    )
    assert graph is not None
    values = walk.values
    modules = own_modules(walk)
    marks: dict[str, tuple[int, ...]] = {}
    parameters: dict[str, Traced] = {}  # a tied parameter may enter the graph under each of its names
    for node in graph.nodes:
        if node.op == "placeholder":
            shape = shapes_of(node)[0] if shapes_of(node) else ()
            if node.name not in named:
                values[node.name] = _input(walk, shape)
                continue
            name = named[node.name]
            if node.users:
                walk.used.add(name)
            if name not in parameters:
                walk.shapes[name] = shape
                parameters[name] = _parameter(walk, name, shape, axes.get(name))
            values[node.name] = parameters[name]
        elif node.op == "call_function":
            marks |= {module.name: walk.marks() for module in modules if module.first is node}
            values[node.name] = _value(walk, node)
            for module in [one for one in modules if one.last is node]:
                if (output := as_island(walk, module, marks[module.name])) is not None:
                    values[node.name] = output
                    break
        elif node.op == "get_attr":
            values[node.name] = Traced(shapes_of(node)[0] if shapes_of(node) else ())
        elif node.op == "output":
            for name in [n.name for n in node.all_input_nodes]:
                _pin_output(walk, values[name])
    return walk


def _value(walk: Walk, node: fx.Node) -> Any:
    """Return the traced value of a node's output, or outputs."""
    values = walk.values
    arguments: Any = fx.map_arg(node.args, lambda n: values[n.name])
    if node.target is operator.getitem:
        return arguments[0][arguments[1]]
    outputs = _call(walk, node, arguments, fx.map_arg(dict(node.kwargs), lambda n: values[n.name]))
    name = call_name(node.target)
    if name.endswith("_") and name not in ZERO_STAYS:
        _spoil(node, values)
    return outputs if isinstance(node.meta.get("val"), list | tuple) else outputs[0]


def _spoil(node: fx.Node, values: dict[str, Any]) -> None:
    """Forget known zeros of the tensor that an in-place call's argument is a view of."""
    source: Any = node.args[0] if node.args else None
    while isinstance(source, fx.Node):
        if isinstance(known := values.get(source.name), Traced):
            known.zeros, known.uniform = [], frozenset()
        source = source.args[0] if source.op == "call_function" and source.args else None


def _graph_inputs(signature: torch.export.ExportGraphSignature) -> list[tuple[str, str]]:
    return [*signature.inputs_to_parameters.items(), *signature.inputs_to_buffers.items()]


def _first_names(model: nn.Module) -> dict[str, str]:
    """Return every name of a parameter or buffer -> the first name of the same tensor (tied weights have several)."""
    named = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
    first: dict[int, str] = {}
    return {name: first.setdefault(id(tensor), name) for name, tensor in named}


def _useful(walk: Walk, parameter: str) -> tuple[int, ...]:
    """Return the two axes of a parameter whose labels are tied to others."""
    atoms = walk.book.atoms()
    sizes = {int(atom): int(count) for atom, count in zip(*np.unique(atoms, return_counts=True), strict=True)}
    mine = [site for site in walk.sites if site.parameter == parameter]
    tied = [site.axis for site in mine if len(site.ids) > 1 and all(sizes[int(atoms[one])] > 1 for one in site.ids)]
    return tuple(tied[:2]) if tied else tuple(range(min(2, len(mine))))


def _parameter(walk: Walk, name: str, shape: tuple[int, ...], axes: tuple[int, ...] | None = None) -> Traced:
    traced = Traced(shape, parameter=name)
    for axis in range(min(2, len(shape))) if axes is None else axes:
        label = walk.book.fresh_on(shape, axis)
        walk.sites.append(Site(name, axis, label.ravel()))
        if shape[axis] > 1:
            traced.labels.append(label)
            traced.zeros.append(Zero(label, frozenset(((name, axis),)), linear=True))
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
    module = module_of(node)
    shapes = shapes_of(node)
    assert callable(node.target)
    options = options_of(node.target, arguments, keywords)
    name, both = call_name(node.target), (*arguments, *keywords.values())
    call = Call(name, module, node.target, both, shapes, options, keywords, node.name)
    if not shapes:
        return [Traced(())]
    rule = RULES.get(name)
    if rule is None:
        return _not_followed(walk, node, call, Why.NO_RULE(call=call.place))
    marks = walk.marks()
    try:
        outputs = rule(walk, call)
        _check(outputs, shapes)
    except NoRule:
        walk.forget(marks)
        return _not_followed(walk, node, call, Why.NO_RULE(call=call.place))
    except Exception:  # if a rule fails, its call cannot be followed, and the trace continues
        walk.forget(marks)
        return _not_followed(walk, node, call, Why.NOT_FOLLOWED(call=call.place))
    return outputs


def _not_followed(walk: Walk, node: fx.Node, call: Call, reason: UnprunedReason) -> list[Traced]:
    """Return the outputs of a call whose channels all stay; torch counts its work."""
    macs = _uncovered_macs(node)
    if macs:
        walk.add_work(call, None, None, macs, macs)
    return pinned(walk, call, (call.arguments, call.options), reason)


def _check(outputs: list[Traced], shapes: tuple[tuple[int, ...], ...]) -> None:
    """Raise ValueError if labels do not fit the outputs' axes."""
    for output, shape in zip(outputs, shapes, strict=True):
        for label in (*output.labels, *(zero.label for zero in output.zeros)):
            if label.ndim != len(shape) or any(n not in (1, size) for n, size in zip(label.shape, shape, strict=True)):
                raise ValueError(f"labels of shape {label.shape} for a tensor of shape {shape}")


def _uncovered_macs(node: fx.Node) -> int:
    """Return the multiply-accumulates of a call without a rule, by torch's own counter."""
    arguments = fx.map_arg(node.args, lambda n: n.meta.get("val"))
    keywords = fx.map_arg(dict(node.kwargs), lambda n: n.meta.get("val"))
    with FlopCounterMode(display=False) as counter:
        try:
            assert callable(node.target)
            node.target(*arguments, **keywords)
        except Exception:  # a call that cannot run on shapes has no count
            return 0
    return counter.get_total_flops() // 2
