"""Rules of calls that move elements, act on each of them separately, or act on the image's axes.

The source of each rule is the call's own definition: two channels are tied exactly if the call cannot be cut on one
without the other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import gcd, prod

import numpy as np
import torch

from .calls import Call, NoRule, Walk, as_label, on_channels, pinned, tensors
from .labels import Traced, Zero, align, combine, move, uniform_axes, varying
from .unpruned_reasons import Why

ZERO_STAYS = frozenset(
    (
        "relu", "relu_", "relu6", "leaky_relu", "leaky_relu_", "rrelu", "tanh", "tanh_", "silu", "silu_", "gelu", "elu",
        "elu_", "selu", "selu_", "celu", "mish", "softsign", "hardswish", "hardswish_", "tanhshrink", "softshrink",
        "hardshrink", "neg", "neg_", "abs", "abs_", "square", "square_", "sin", "asin", "sinh", "atan", "tan", "sign",
        "erf", "expm1", "log1p", "round", "floor", "ceil", "trunc", "contiguous", "clone", "detach", "detach_", "alias",
        "to", "_to_copy", "type_as", "dropout", "dropout_", "feature_dropout", "alpha_dropout", "lift_fresh_copy",
        "positive", "zeros_like", "_conj", "resolve_conj", "resolve_neg",
    )
)  # fmt: skip # f(0) = 0
LINEAR = frozenset(
    ("neg", "contiguous", "clone", "detach", "alias", "to", "_to_copy", "type_as", "lift_fresh_copy", "positive")
)
SCALED = frozenset(("mul", "mul_", "div", "div_", "multiply", "divide", "true_divide"))
SUMMING_OPERATORS = frozenset(
    ["complex", "add", "add_", "sub", "sub_", "rsub", "maximum", "minimum", "fmax", "fmin", "hypot"]
)


def elementwise(walk: Walk, call: Call) -> list[Traced]:
    """Follow any elementwise call, with broadcasting."""
    operands, shape = tensors(call.arguments), call.shapes[0]
    if not operands:
        return [Traced(shape, uniform=all_axes(shape)) for shape in call.shapes]
    if call.name.endswith("_") and _fills(operands):
        return pinned(walk, call, call.arguments, Why.NO_RULE(call=call.place))
    labels = combine(walk.book, operands, shape, call.name)
    output = Traced(shape, labels, uniform=uniform_axes(operands, shape))
    output.zeros = [zero for label in labels if (zero := _zero(call, operands, label, len(shape)))]
    owner = operands[0]
    if owner.parameter and owner.shape == shape and (call.name in SCALED or call.name in LINEAR):
        output.parameter = owner.parameter
    return [output]


def _fills(operands: Sequence[Traced]) -> bool:
    """Return True if an in-place call writes channels into a tensor without any."""
    first, ndim = operands[0], len(operands[0].shape)
    known = {axis for label in first.labels for axis in varying(label)}
    return any(not varying(align(label, ndim)) <= known for other in operands[1:] for label in other.labels)


def all_axes(shape: tuple[int, ...]) -> frozenset[int]:
    """Return the axes with more than one entry."""
    return frozenset(axis for axis, size in enumerate(shape) if size > 1)


def _zero(call: Call, operands: Sequence[Traced], label: np.ndarray, ndim: int) -> Zero | None:
    """Return the gates that make an elementwise result zero at dropped channels of a label; None if there are none."""
    axis = min(varying(label), default=None)
    if axis is None:
        return None
    zeros = [_on(operand, axis, ndim) for operand in operands]
    known = [zero for zero in zeros if zero is not None]
    if not known:
        return None
    alone = len(operands) == 1
    if call.name in SCALED:
        first = zeros[0]
        if "div" in call.name:
            if first is None or (len(zeros) > 1 and zeros[1] is not None):
                return None  # 0 / 0
            zeros[1:] = [None] * (len(zeros) - 1)
        candidates = [(number, zero) for number, zero in enumerate(zeros) if zero is not None]
        best, zero = min(candidates, key=lambda each: (not each[1].linear, len(each[1].gates)))
        others = [one for number, one in enumerate(operands) if number != best]
        fixed = all(one.parameter and not _same(one, zero) for one in others)
        return Zero(label, zero.gates, zero.linear and fixed)
    if call.name in SUMMING_OPERATORS and not alone:
        if len(known) < len(zeros):
            return None
        return Zero(label, frozenset().union(*(zero.gates for zero in known)))
    if not alone or not _keeps_zero(call):
        return None
    return Zero(label, known[0].gates, known[0].linear and call.name in LINEAR)


def _same(operand: Traced, zero: Zero) -> bool:
    return any(parameter == operand.parameter for parameter, _ in zero.gates)


def _keeps_zero(call: Call) -> bool:
    """Return True if a function of one tensor, with these numbers, maps 0 to 0."""
    if call.name in ZERO_STAYS or call.name.rstrip("_") in ZERO_STAYS:
        return True
    numbers = [value for key, value in call.options.items() if key != "self" and isinstance(value, int | float)]
    if call.name.startswith("pow"):
        exponent = call.option("exponent")
        return isinstance(exponent, int | float) and exponent >= 1
    if call.name.startswith(("clamp_min",)):
        return bool(numbers) and numbers[0] <= 0
    if call.name.startswith(("clamp_max",)):
        return bool(numbers) and numbers[0] >= 0
    if call.name.startswith(("clamp", "clip", "hardtanh")):
        low, high = call.option("min", "min_val"), call.option("max", "max_val")
        plain = all(bound is None or isinstance(bound, int | float) for bound in (low, high))
        return plain and (low is None or low <= 0) and (high is None or high >= 0)
    return False


def _on(operand: Traced, axis: int, ndim: int) -> Zero | None:
    """Return an operand's zero on an axis of the broadcast result."""
    axis -= ndim - len(operand.shape)
    return operand.zero_on(axis) if axis >= 0 else None


def layout(walk: Walk, call: Call) -> list[Traced]:
    """Follow any call that only moves elements: it is run on the labels."""
    source = call.arguments[0]
    if not isinstance(source, Traced):
        raise NoRule
    _tie_parts(walk, call, source)
    outputs = [Traced(shape) for shape in call.shapes]
    by_heads = _by_heads(walk, call, source)
    for label in source.labels:
        for output, ids in zip(outputs, _moved(label, source, call), strict=True):
            if varying(ids):
                if by_heads and len(varying(ids)) > len(varying(label)):
                    ids = walk.book.coarse(ids, {max(varying(ids))})
                output.labels.append(ids)
                if len(varying(ids)) > len(varying(label)):
                    walk.splits.append((ids, len(output.shape) - 3 if call.name == "pixel_shuffle" else None))
            elif varying(label):
                walk.book.pin(ids, Why.PICKS_CHANNEL(call=call.place))
    for zero in source.zeros:
        for output, ids in zip(outputs, _moved(zero.label, source, call), strict=True):
            if varying(ids):
                if by_heads and len(varying(ids)) > len(varying(zero.label)):
                    ids = ids.take([0], max(varying(ids)))
                output.zeros.append(Zero(ids, zero.gates, zero.linear))
    if source.uniform or call.name.startswith(("expand", "repeat", "broadcast")):
        _spread(call, source, outputs)
    if len(outputs) == 1:
        outputs[0].parameter = source.parameter
    return outputs


def _by_heads(walk: Walk, call: Call, source: Traced) -> bool:
    """Return True if a call that splits an axis keeps its parts whole, such as attention heads.

    By the first rule, channels inside the parts stay separate: the same ones of each part may be dropped. That fails if
    a number is computed from a part's size, or the code fixes it. Then whole parts may still be dropped.
    """
    if call.name == "pixel_shuffle":
        return False
    split = [
        ids.ravel()
        for label in source.labels
        for ids in _moved(label, source, call)
        if len(varying(ids)) > len(varying(label))
    ]
    return bool(split) and walk.choose(f"heads:{call.key}", np.concatenate(split))


def _moved(label: np.ndarray, source: Traced, call: Call) -> list[np.ndarray]:
    other = next((one for one in tensors((call.arguments[1:], call.keywords))), None)
    if other is None:
        keywords = {name: value for name, value in call.keywords.items() if name != "memory_format"}
        if call.name in ("view", "_unsafe_view"):  # broadcast labels, not a broadcast tensor
            return move(label, source.shape, torch.reshape, call.arguments[1:])
        positional = call.arguments[: len(call.arguments) - len(call.keywords)]
        return move(label, source.shape, call.target, positional[1:], keywords)
    like = (lambda x: x.expand(other.shape)) if call.name.startswith("expand") else (lambda x: x.reshape(other.shape))
    return move(label, source.shape, like, ())


def _spread(call: Call, source: Traced, outputs: Sequence[Traced]) -> None:
    """Find the axes of the outputs along which all entries are equal, by moving the positions of those that differ."""
    sizes = [1 if axis in source.uniform else size for axis, size in enumerate(source.shape)]
    places = np.arange(prod(sizes), dtype=np.int64).reshape(sizes)
    for output, ids in zip(outputs, _moved(places, source, call), strict=True):
        output.uniform = all_axes(output.shape) - varying(align(ids, len(output.shape)))


def _tie_parts(walk: Walk, call: Call, source: Traced) -> None:
    """Tie the parts of an axis that a call splits, so that each keeps the same number of channels."""
    if call.name not in ("slice", "narrow", "chunk", "split", "split_with_sizes", "unsafe_chunk", "unsafe_split"):
        return
    axis = int(call.option("dim", default=0)) % max(1, len(source.shape))
    if source.on_axis(axis) is None:
        return
    size = source.shape[axis]
    if call.name == "slice":
        start, end, step = (call.option(name) for name in ("start", "end", "step"))
        first, last, step = slice(start, end, step).indices(size)
        if step > 1:  # each part contains every n-th channel: neighbors are tied together
            _tie_blocks(walk, source, axis, step, across=False)
            return
        borders = [first, last]
    elif call.name == "narrow":
        first = int(call.option("start")) % size
        borders = [first, first + int(call.option("length"))]
    else:
        borders = [0, *np.cumsum([shape[axis] for shape in call.shapes]).tolist()]
    inner = [border for border in borders if 0 < border < size]
    if not inner:
        return
    ids = np.concatenate([label.ravel() for label in source.labels if label.shape[axis] > 1])
    if walk.choose(f"border:{call.key}", ids):  # the border is a number in the code: the channels before it stay
        for label in source.labels:
            if label.shape[axis] > 1:
                walk.book.pin(label.take(range(max(inner)), axis), Why.FIXED_BORDER(call=call.place))
        return
    lengths = {shape[axis] for shape in call.shapes}
    even = "split" in call.name or call.name in ("slice", "narrow") or len(lengths) == 1
    _tie_blocks(walk, source, axis, gcd(size, *inner) if even else 1)


def _tie_blocks(walk: Walk, source: Traced, axis: int, unit: int, across: bool = True) -> None:
    """Tie blocks of `unit` channels: the same position of all blocks, or all positions of each block."""
    for label in [one for one in source.labels if one.shape[axis] > 1]:
        moved = np.moveaxis(label, axis, 0)
        if len(moved) % unit:
            walk.book.tie(moved[:1], moved)
            continue
        blocks = moved.reshape(-1, unit, *moved.shape[1:])
        walk.book.tie(blocks[:1] if across else blocks[:, :1], blocks)


def index(walk: Walk, call: Call) -> list[Traced]:
    """Follow indexing along axes that carry no channels."""
    source = call.arguments[0]
    if call.name == "index":
        picks = list(call.arguments[1])
    else:
        axis = int(call.option("dim")) % max(1, len(source.shape))
        picks = [None] * axis + [call.option("index")]
    axes = [axis for axis, pick in enumerate(picks) if pick is not None]
    pinned(walk, call, picks, Why.ROW_NUMBERS(call=call.place))
    output = Traced(call.shapes[0])
    in_order = all(b == a + 1 for a, b in pairwise(axes))
    for label in source.labels:
        if varying(label) & set(axes) or not in_order:
            walk.book.pin(label, Why.PICKS_CHANNEL(call=call.place))
        else:
            added = len(output.shape) - len(source.shape) + len(axes)
            shape = (*label.shape[: axes[0]], *[1] * added, *label.shape[axes[-1] + 1 :])
            output.labels.append(label.reshape(shape))
    return [output]


def gather(walk: Walk, call: Call) -> list[Traced]:
    """Follow gather and scatter along one axis, at equal positions on the others: channels on that axis stay."""
    source = call.arguments[0]
    axis = int(call.option("dim")) % max(1, len(source.shape))
    operands = tensors(call.arguments)
    shape = tuple(1 if a == axis else n for a, n in enumerate(source.shape))
    if any(tuple(1 if a == axis else n for a, n in enumerate(one.shape)) != shape for one in operands):
        raise NoRule
    for one in operands:
        for label in one.labels:
            if label.shape[axis] > 1:
                walk.book.pin(label, Why.PICKS_CHANNEL(call=call.place))
    plain = [
        Traced(shape, [label for label in one.labels if label.shape[axis] == 1], uniform=one.uniform - {axis})
        for one in operands
    ]
    labels = combine(walk.book, plain, shape, call.name)
    return [Traced(call.shapes[0], labels, uniform=uniform_axes(plain, shape))]


def cat(walk: Walk, call: Call) -> list[Traced]:
    """Follow concatenation: labels are concatenated along its axis and tied across the others."""
    parts: list[Traced] = [part for part in call.arguments[0] if len(part.shape) == len(call.shapes[0])]
    shape = call.shapes[0]
    axis = call.option("dim", default=0) % len(shape)
    reason = Why.JOINS_CONSTANT(module=call.within)
    if any(part.on_axis(axis) is not None for part in parts):
        ids = [
            # Equal entries have the size that their reader needs: a state of zeros fits the layer that takes it.
            walk.book.fresh(part.shape[axis]) if axis in part.uniform else walk.book.along(part, axis, reason)
            for part in parts
        ]
        own = as_label(np.concatenate(ids), len(shape), axis)
        others = [[label for label in part.labels if label.shape[axis] == 1] for part in parts]
        for label in (label for rest in others for label in rest):
            walk.book.pin(label, Why.TWO_CHANNEL_AXES(name=call.name))
        output = Traced(shape, [own])
        zeros = [part.zero_on(axis) for part in parts]
        if all(zeros):
            output.zeros = [Zero(own, frozenset().union(*(zero.gates for zero in zeros if zero)))]
        return [output]
    stripped = [
        Traced((*p.shape[:axis], 1, *p.shape[axis + 1 :]), p.labels, p.parameter, uniform=p.uniform - {axis})
        for p in parts
    ]
    labels = combine(walk.book, stripped, (*shape[:axis], 1, *shape[axis + 1 :]), call.name)
    output = Traced(shape, labels)
    for label in labels:
        along = min(varying(label), default=0)
        zeros = [part.zero_on(along) for part in parts]
        if varying(label) and all(zeros):
            output.zeros.append(Zero(label, frozenset().union(*(zero.gates for zero in zeros if zero))))
    return [output]


def stack(walk: Walk, call: Call) -> list[Traced]:
    """Follow stacking: concatenation along a new axis."""
    axis = call.option("dim", default=0) % len(call.shapes[0])

    def raised(part: Traced) -> Traced:
        zeros = [Zero(np.expand_dims(zero.label, axis), zero.gates, zero.linear) for zero in part.zeros]
        labels = [np.expand_dims(label, axis) for label in part.labels]
        uniform = frozenset(a + (a >= axis) for a in part.uniform)
        return Traced((*part.shape[:axis], 1, *part.shape[axis:]), labels, zeros=zeros, uniform=uniform)

    parts = [raised(part) for part in call.arguments[0]]
    return cat(walk, replace(call, arguments=(parts, axis), options={"dim": axis}))


def glu(walk: Walk, call: Call) -> list[Traced]:
    """Follow a gated linear unit: the first half of an axis times the sigmoid of the second."""
    x, shape = call.arguments[0], call.shapes[0]
    axis = call.option("dim", default=-1)
    halved = replace(
        call,
        name="chunk",
        target=torch.chunk,
        arguments=(x, 2, axis),
        shapes=(shape, shape),
        options={"dim": axis},
        keywords={},
    )
    first, second = layout(walk, halved)
    product = Traced(shape, combine(walk.book, [first, second], shape, call.name))
    product.zeros = [Zero(one.label, one.gates) for one in first.zeros]
    return [product]


def prelu(walk: Walk, call: Call) -> list[Traced]:
    """Follow PReLU with one slope, or one per channel."""
    x, slope = call.arguments[0], call.arguments[1]
    if prod(slope.shape) > 1:
        walk.book.tie(walk.book.along(x, 1, Why.NETWORK_INPUT()), walk.book.along(slope, 0, Why.BARE_SLOPE()))
    zeros = [Zero(zero.label, zero.gates) for zero in x.zeros]
    return [Traced(call.shapes[0], list(x.labels), zeros=zeros)]


def spatial(walk: Walk, call: Call) -> list[Traced]:
    """Follow pooling and interpolation, which keep the channels' axis and act on the axes after it."""
    x = call.arguments[0]
    digits = re.findall(r"(\d)d", call.name)
    axis = len(x.shape) - int(digits[0]) - 1 if digits else 1
    if axis < 0:
        raise NoRule
    places = call.option("indices") if call.name.startswith("max_unpool") else None
    if isinstance(places, Traced) and places.on_axis(axis) is not None:
        walk.book.tie(walk.book.along(x, axis, Why.NETWORK_INPUT()), walk.book.along(places, axis, Why.NETWORK_INPUT()))
    else:
        pinned(walk, call, call.arguments[1:], Why.RESAMPLED(name=call.name))
    for label in x.labels:
        if label.shape[axis] == 1 and any(a > axis for a in varying(label)):
            walk.book.pin(label, Why.RESAMPLED(name=call.name))
    before = [label for label in x.labels if varying(label) and max(varying(label)) < axis]
    same = all(len(shape) == len(x.shape) for shape in call.shapes)
    if x.on_axis(axis) is None or not same:
        pinned(walk, call, x if not same else (), Why.RESAMPLED(name=call.name))
        uniform = frozenset(a for a in x.uniform if a <= axis)
        return [Traced(shape, list(before), uniform=uniform) if same else Traced(shape) for shape in call.shapes]
    ids = walk.book.along(x, axis, Why.NETWORK_INPUT())
    outputs = [on_channels(shape, ids, axis, x.zero_on(axis)) for shape in call.shapes]
    for output in outputs:
        output.labels += before
    return outputs


def pad(walk: Walk, call: Call) -> list[Traced]:
    """Follow padding of axes that carry no channels."""
    x, amounts = call.arguments[0], call.arguments[1]
    padded = {len(x.shape) - 1 - i // 2 for i, amount in enumerate(amounts) if amount}
    kept = []
    for label in x.labels:
        if varying(label) <= padded:
            walk.book.pin(label, Why.PADDED(call=call.place))
        else:
            kept.append(walk.book.coarse(label, padded))
    value = call.option("value", default=0)
    zeros = [] if value else [zero for zero in x.zeros if not varying(zero.label) & padded]
    return [Traced(call.shapes[0], kept, zeros=[Zero(z.label, z.gates) for z in zeros], uniform=x.uniform - padded)]


def created(walk: Walk, call: Call) -> list[Traced]:
    """Follow the creation of a constant tensor: all its axes have the size that the code asks for."""
    return [Traced(shape, uniform=all_axes(shape)) for shape in call.shapes]


def as_pairs(walk: Walk, call: Call) -> list[Traced]:
    """Follow complex numbers as pairs of real ones, on a new last axis."""
    x = call.arguments[0]
    labels = [label[..., None] for label in x.labels]
    zeros = [Zero(zero.label[..., None], zero.gates, zero.linear) for zero in x.zeros]
    return [Traced(call.shapes[0], labels, x.parameter, zeros, x.uniform)]


def as_complex(walk: Walk, call: Call) -> list[Traced]:
    """Follow pairs of real numbers as complex ones, without the last axis: both of a pair are dropped, or neither."""
    x, last = call.arguments[0], len(call.shapes[0])
    labels = []
    for label in x.labels:
        if varying(label) <= {last}:
            walk.book.pin(label, Why.PICKS_CHANNEL(call=call.place))
        else:
            labels.append(walk.book.coarse(label, {last})[..., 0])
    zeros = [Zero(z.label[..., 0], z.gates, z.linear) for z in x.zeros if not varying(z.label) <= {last}]
    return [Traced(call.shapes[0], labels, x.parameter, zeros, x.uniform - {last})]
