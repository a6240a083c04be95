"""Rules of calls that reduce or compare along an axis: sums, means, norms, extremes, softmax, sorting."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .calls import Call, Walk, as_label, pinned
from .labels import Traced, Zero, varying
from .layout_rules import elementwise
from .unpruned_reasons import Why

ZERO_IGNORING_REDUCTIONS = frozenset(
    ["sum", "nansum", "norm", "linalg_vector_norm", "frobenius_norm"]
)  # reductions that ignore zeros


def axes_of(call: Call, x: Traced) -> set[int]:
    """Return the axes that a call reduces over, by the name of the argument in the operator's schema."""
    ndim = max(1, len(x.shape))
    given = call.option("dim", "axis")
    if given is None or given == []:
        return set(range(len(x.shape)))
    return {int(axis) % ndim for axis in (given if isinstance(given, list | tuple) else [given])}


def reduction(walk: Walk, call: Call) -> list[Traced]:
    """Follow a mean, sum, norm or maximum over axes.

    Summed channels stay, unless gates can make them zero before the sum: a zero does not change a sum or a norm. A mean
    divides by their number, and an extreme may be the zero.
    """
    x = call.arguments[0]
    dims = axes_of(call, x)
    if not dims <= set(range(len(x.shape))):
        return [Traced(shape) for shape in call.shapes]
    keep = len(call.shapes[0]) == len(x.shape)
    labels = []
    for label in x.labels:
        rest = varying(label) - dims
        if varying(label) & dims and not rest:
            if not neutral(walk, call, x, label):
                walk.book.pin(label, Why.REDUCED(call=call.place))
            continue
        if varying(label) & dims:
            label = _along_one(walk, x, label, min(rest))
        labels.append(label if keep else _without(label, dims))
    zeros = [
        Zero(zero.label if keep else _without(zero.label, dims), zero.gates)
        for zero in x.zeros
        if not varying(zero.label) & dims
    ]
    uniform = x.uniform - dims
    if not keep:
        uniform = frozenset(axis - sum(gone < axis for gone in dims) for axis in uniform)
    return [Traced(shape, list(labels), zeros=list(zeros), uniform=uniform) for shape in call.shapes]


def neutral(walk: Walk, call: Call, x: Traced, label: np.ndarray) -> bool:
    """Make dropped channels zero before they are summed, if gates can; return True if they can."""
    order = call.option("p", "ord", default=2)
    positive = order is None or (isinstance(order, int | float) and order > 0)
    zero = x.zero_on(min(varying(label)))
    if call.name not in ZERO_IGNORING_REDUCTIONS or not positive or zero is None:
        return False
    walk.mask(zero)
    walk.reads.append(label.ravel())
    return True


def _along_one(walk: Walk, x: Traced, label: np.ndarray, axis: int) -> np.ndarray:
    ids = walk.book.along(Traced(x.shape, [label]), axis, Why.BARE_REDUCED())
    return as_label(ids, len(x.shape), axis)


def _without(label: np.ndarray, dims: Iterable[int]) -> np.ndarray:
    gone = set(dims)
    return label.reshape([n for axis, n in enumerate(label.shape) if axis not in gone])


def along_axis(walk: Walk, call: Call) -> list[Traced]:
    """Follow softmax, sorting, running sums and the k largest: channels on the call's own axis stay."""
    x = call.arguments[0]
    if not x.shape:
        return [Traced(shape) for shape in call.shapes]
    axis = int(call.option("dim", default=-1)) % len(x.shape)
    reason = Why.SOFTMAX if "softmax" in call.name else Why.ORDERED
    kept = []
    for label in x.labels:
        if label.shape[axis] == 1:
            kept.append(label)
            continue
        walk.book.pin(label, reason(call=call.place))
    same = all(len(shape) == len(x.shape) for shape in call.shapes)
    return [Traced(shape, list(kept) if same else []) for shape in call.shapes]


def extreme(walk: Walk, call: Call) -> list[Traced]:
    """Follow max, min and median: over one axis, over all, or of two tensors elementwise."""
    if call.option("other") is not None:
        return elementwise(walk, call)
    return reduction(walk, call)


def counted(walk: Walk, call: Call) -> list[Traced]:
    """Follow argmax and argmin: the number of a channel does not carry channels."""
    return pinned(walk, call, call.arguments, Why.ORDERED(call=call.place))


def frequencies(walk: Walk, call: Call) -> list[Traced]:
    """Follow Fourier transforms: channels on a transformed axis stay."""
    x = call.arguments[0]
    dims = axes_of(call, x)
    for label in x.labels:
        if varying(label) & dims:
            walk.book.pin(label, Why.REDUCED(call=call.place))
    labels = [label for label in x.labels if not varying(label) & dims]
    zeros = [Zero(zero.label, zero.gates, zero.linear) for zero in x.zeros if not varying(zero.label) & dims]
    return [Traced(shape, list(labels), zeros=list(zeros)) for shape in call.shapes]


def distances(walk: Walk, call: Call) -> list[Traced]:
    """Follow distances of all pairs of rows: channels are summed over, and torch does not count their work."""
    return pinned(walk, call, call.arguments, Why.SUMMED(call=call.place))
