"""Rules of products of tensors that sum over an axis: matrix products, einsum, attention.

An axis of the result carries the channels of the factor that it comes from. Channels of an axis that is summed over
are tied between the factors, and one factor must be zero at those that are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from string import ascii_letters

import numpy as np
from torch import fx

from .calls import Call, Gate, NoRule, Walk, as_label, tensors
from .labels import Traced, Zero, combine, uniform_axes, varying
from .rescaling import rescaled
from .unpruned_reasons import Why
from .weighted_rules import linear, produce


def contract(
    walk: Walk, call: Call, factors: Sequence[Traced], letters: Sequence[str], result: str, counts: bool = True
) -> Traced:
    """Return the product of tensors whose axes have letters, summed over the letters missing from the result.

    Args:
        walk: The state of the walk.
        call: The call.
        factors: The tensors.
        letters: A letter per axis of each tensor.
        result: Letters of the result.
        counts: True if it consists of multiply-accumulates.
    """
    book, sizes, shape = walk.book, {}, call.shapes[0]
    for factor, names in zip(factors, letters, strict=True):
        sizes.update({letter: n for letter, n in zip(names, factor.shape, strict=True) if n > 1 or letter not in sizes})
    found: dict[str, list[np.ndarray]] = {}
    shared = [letter for letter in sizes if all(letter in names for names in letters)]
    for factor, names in zip(factors, letters, strict=True):
        for label in factor.labels:
            axes = varying(label)
            if len(axes) > 1:
                batch = {axis for axis in axes if names[axis] in shared and names[axis] in result}
                label = _one_axis(walk, factor, label, batch)
            for axis in varying(label):
                found.setdefault(names[axis], []).append(label.ravel())
    ids: dict[str, np.ndarray] = {}
    for letter, several in found.items():
        ids[letter] = several[0]
        for other in several[1:]:
            book.tie(several[0], other)
        for factor, names in zip(factors, letters, strict=True):
            axis = names.find(letter)
            if axis >= 0 and factor.shape[axis] > 1 and axis not in factor.uniform and factor.on_axis(axis) is None:
                book.pin(several[0], Why.BARE_AXIS(name=call.name))
    summed = [letter for letter in ids if letter not in result]
    for letter in summed:
        _sum(walk, call, ids[letter], letter, factors, letters)
    output = Traced(
        shape, [as_label(ids[letter], len(shape), result.index(letter)) for letter in ids if letter in result]
    )
    for axis, letter in enumerate(result):
        known = [
            (factor, factor.zero_on(names.index(letter)))
            for factor, names in zip(factors, letters, strict=True)
            if letter in names and letter in ids
        ]
        zero = next((zero for _, zero in known if zero is not None), None)
        if zero is not None:
            output.zeros.append(Zero(as_label(ids[letter], len(shape), axis), zero.gates))
        for factor, own in known:
            if factor.parameter is not None and own is not None and summed:
                produce(walk, call, ids[letter], own)
    uniform = [axis for axis, letter in enumerate(result) if letter not in ids and _alike(letter, factors, letters)]
    output.uniform = frozenset(axis for axis in uniform if shape[axis] > 1)
    if counts:
        learned = {f.parameter for f in factors} - walk.buffers - {None}
        own = {
            letter
            for factor, names in zip(factors, letters, strict=True)
            if any(factor is one for one in learned)
            for letter in names
        }
        held = {letter for factor, names in zip(factors, letters, strict=True) if factor.parameter for letter in names}
        ordered = sorted(ids, key=lambda one: (one in held - own, one not in own, one in result, -len(ids[one])))
        walk.products.append((call, [ids[letter] for letter in ordered], prod(sizes.values())))
    return output


def _one_axis(walk: Walk, factor: Traced, label: np.ndarray, batch: set[int]) -> np.ndarray:
    """Return a label of several axes that depends on one only: the same channels inside each head."""
    axes = varying(label)
    kept = max(axes - batch or axes, key=lambda axis: (factor.shape[axis], axis))
    return walk.book.coarse(label, axes - {kept})


def _alike(letter: str, factors: Sequence[Traced], letters: Sequence[str]) -> bool:
    pairs = [(factor, names.index(letter)) for factor, names in zip(factors, letters, strict=True) if letter in names]
    return all(factor.shape[axis] == 1 or axis in factor.uniform for factor, axis in pairs)


def _sum(
    walk: Walk, call: Call, ids: np.ndarray, letter: str, factors: Sequence[Traced], letters: Sequence[str]
) -> None:
    known = [
        (zero, factor.parameter is not None and factor.parameter not in walk.buffers)
        for factor, names in zip(factors, letters, strict=True)
        if letter in names and (zero := factor.zero_on(names.index(letter))) is not None
    ]
    if not known:
        walk.book.pin(ids, Why.SUMMED(call=call.place))
        return
    zero, is_weight = min(known, key=lambda one: (not one[1], not one[0].linear, len(one[0].gates)))
    sites = walk.sites_at(zero.gates)
    if is_weight and len(sites) == 1:
        walk.gates.append(Gate(sites[0], not zero.linear))
    else:
        walk.mask(zero)
        walk.reads.append(ids)


def linear_rows(walk: Walk, call: Call) -> list[Traced]:
    """Follow a linear layer over the last axis, whose rows may also carry channels."""
    x, weight, bias = call.arguments[0], call.arguments[1], call.option("bias")
    if all(label.shape[-1] > 1 for label in x.labels):
        return linear(walk, call)
    rows = ascii_letters[2 : len(x.shape) + 1]
    output = contract(walk, call, (x, weight), (rows + "a", "ba"), rows + "b")
    return [_with_bias(walk, call, output, bias)]


def _with_bias(walk: Walk, call: Call, output: Traced, bias: Traced | None) -> Traced:
    if bias is None:
        return output
    shape, both = call.shapes[0], [output, bias]
    labels = combine(walk.book, both, shape, call.name)
    zeros = []
    for zero in output.zeros:
        axis = min(varying(zero.label)) - len(shape) + len(bias.shape)
        own = bias.zero_on(axis) if axis >= 0 else None
        if own is not None:
            zeros.append(Zero(zero.label, zero.gates | own.gates))
    return Traced(shape, labels, zeros=zeros, uniform=uniform_axes(both, shape))


def matrix_product(walk: Walk, call: Call) -> list[Traced]:
    """Follow a product of matrices or vectors, or of batches of them; products with a vector are not work."""
    arguments = list(call.arguments)
    bias = arguments.pop(0) if call.name in ("addmm", "baddbmm", "addmv") else None
    a, b = arguments[0], arguments[1]
    names = iter(ascii_letters)
    summed, row, column = next(names), next(names), next(names)
    batch = [next(names) for _ in range(max(len(a.shape), len(b.shape), 2) - 2)]
    left = "".join([*batch[len(batch) - max(0, len(a.shape) - 2) :], *([row] if len(a.shape) > 1 else []), summed])
    right = "".join([*batch[len(batch) - max(0, len(b.shape) - 2) :], summed, *([column] if len(b.shape) > 1 else [])])
    result = "".join([*batch, *([row] if len(a.shape) > 1 else []), *([column] if len(b.shape) > 1 else [])])
    counts = len(a.shape) > 1 and len(b.shape) > 1
    output = contract(walk, call, (a, b), (left, right), result, counts)
    return [_with_bias(walk, call, output, bias)]


def einsum(walk: Walk, call: Call) -> list[Traced]:
    """Follow an Einstein sum of one or two tensors, with or without an ellipsis."""
    equation, factors = str(call.arguments[0]).replace(" ", ""), tensors(call.arguments[1])
    given, arrow, result = equation.partition("->")
    letters = given.split(",")
    spare = [letter for letter in ascii_letters if letter not in equation]
    longest = max(
        (len(factor.shape) - len(names) + 3 for factor, names in zip(factors, letters, strict=True) if "..." in names),
        default=0,
    )
    dots = spare[:longest]
    whole = []
    for factor, names in zip(factors, letters, strict=True):
        n = len(factor.shape) - len(names) + 3
        whole.append(names.replace("...", "".join(dots[len(dots) - n :] if n else [])))
    if arrow:
        result = result.replace("...", "".join(dots))
    else:
        once = sorted(letter for letter in set(given) - set(".,") if given.count(letter) == 1)
        result = "".join([*dots, *once])
    if len(factors) > 2 or any(len(set(names)) < len(names) for names in (*whole, result)):
        raise NoRule
    summed = len(factors) == 2 and set(whole[0]) & set(whole[1]) - set(result)
    return [contract(walk, call, factors, whole, result, counts=bool(summed))]


def attention(walk: Walk, call: Call) -> list[Traced]:
    """Follow scaled dot-product attention: the values' channels pass; those of queries and keys are summed over."""
    q, k, v = call.arguments[:3]
    if call.option("enable_gqa"):
        k, v = (_with_heads(one, q.shape[-3]) for one in (k, v))
    heads = ascii_letters[: len(q.shape) - 2]
    mask = call.option("attn_mask")
    if mask is not None:
        for label in mask.labels:
            walk.book.pin(label, Why.NO_RULE(call=call.place))
    if call.option("scale") is None:
        _keep_scale(walk, call, q, k)
    for traced in (q, k, v):
        for label in traced.labels:
            if label.shape[-2] > 1:
                walk.book.pin(label, Why.SOFTMAX(call=call.place))
    scores_shape = (*call.shapes[0][:-1], k.shape[-2])
    from_q = contract(walk, _shaped(call, scores_shape), (q, k), (heads + "XD", heads + "YD"), heads + "XY")
    weights = Traced(scores_shape, [label for label in from_q.labels if label.shape[-1] == 1])
    return [contract(walk, call, (weights, v), (heads + "XY", heads + "YE"), heads + "XE")]


def _keep_scale(walk: Walk, call: Call, q: Traced, k: Traced) -> None:
    """Compensate a scale of one by the root of the number of channels in the weights before queries or keys.

    Without such weights, the channels are never pruned.
    """
    labels = [label for label in (q.on_axis(-1), k.on_axis(-1)) if label is not None]
    if not labels:
        return
    assert walk.graph is not None
    node = next(node for node in walk.graph.nodes if node.name == call.key)
    ids = np.moveaxis(labels[0], -1, 0).reshape(labels[0].shape[-1], -1)[:, 0]
    for read in node.args[:2]:
        if isinstance(read, fx.Node) and (found := rescaled(walk, node, read, ids, 0.5)):
            walk.rescales += found
            return
    for label in labels:
        walk.book.pin(label, Why.SHAPE_FACTOR(call=call.place))


def _with_heads(traced: Traced, n_heads: int) -> Traced:
    """Return keys or values [..., heads, length, channels], each head repeated for the queries that share it."""
    axis = len(traced.shape) - 3
    times = n_heads // traced.shape[axis]

    def repeated(label: np.ndarray) -> np.ndarray:
        return np.repeat(label, times, axis) if label.shape[axis] > 1 else label

    shape = (*traced.shape[:axis], n_heads, *traced.shape[axis + 1 :])
    zeros = [replace(zero, label=repeated(zero.label)) for zero in traced.zeros]
    uniform = traced.uniform | ({axis} if traced.shape[axis] == 1 else set())
    return Traced(shape, [repeated(label) for label in traced.labels], zeros=zeros, uniform=frozenset(uniform))


def _shaped(call: Call, shape: tuple[int, ...]) -> Call:
    return replace(call, shapes=(shape,))


def vector_product(walk: Walk, call: Call) -> list[Traced]:
    """Follow mv, dot and vdot, which power iteration of a spectral norm uses; they are not counted as work."""
    a, b = call.arguments[0], call.arguments[1]
    letters = ("ab", "b") if len(a.shape) > 1 else ("b", "b")
    return [contract(walk, call, (a, b), letters, "a" if len(a.shape) > 1 else "", counts=False)]
