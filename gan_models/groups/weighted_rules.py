"""Rules of the calls that multiply by a weight: convolutions, linears, matrix products.

These are where channels are written, where they are consumed, and where the cost is.
"""

from __future__ import annotations

from math import prod

import numpy as np

from .labels import Site, Traced
from .rules import Call, Gate, Walk, on_channels, tensors
from .unpruned_reasons import Why


def _born(walk: Walk, ids: np.ndarray, call: Call) -> Site | None:
    site = walk.site_of(ids)
    if site is None:
        walk.book.pin(ids, Why.COMPOSED_WEIGHT(call=call.place))
    return site


def _consume(walk: Walk, call: Call, ids: np.ndarray, parameter: str, binary: bool = False) -> None:
    site = _born(walk, ids, call)
    if site is not None:
        walk.gates.append(Gate(site, binary or parameter in walk.normalized))


def _produce(walk: Walk, call: Call, ids: np.ndarray) -> None:
    site = _born(walk, ids, call)
    if site is not None:
        walk.writes.append(site)


def multiply(walk: Walk, call: Call, x_ids: np.ndarray, weight: Traced, read: int, groups: int) -> np.ndarray:
    """Ties a weight [axes 0 and 1 are channels] to its input's labels [n_in]; returns the output's [n_out].

    `read` is the weight's axis that consumes the input; the other one writes the output.
    """
    book, write = walk.book, 1 - read
    n_out = weight.shape[write] * (groups if write == 1 else 1)
    if weight.parameter is None:
        reason = Why.COMPUTED_WEIGHT(call=call.place)
        for label in [x_ids, *weight.labels]:
            book.pin(label, reason)
        ids = book.fresh(n_out)
        book.pin(ids, reason)
        return ids
    read_ids, write_ids = (book.along(weight, axis, Why.BARE_WEIGHT()) for axis in (read, write))
    if groups == 1:
        book.tie(x_ids, read_ids)
        _consume(walk, call, read_ids, weight.parameter)
        _produce(walk, call, write_ids)
        return write_ids
    if len(x_ids) == groups:
        # Depthwise: channel c makes outputs c*m .. c*m+m-1 and nothing else reads it, so they go together.
        out = write_ids if write == 0 else book.fresh(n_out)
        book.tie(x_ids[:, None], out.reshape(groups, -1))
        if write == 1:
            book.tie(x_ids, read_ids)
            book.pin(write_ids, Why.DEPTHWISE())
        _produce(walk, call, write_ids if write == 0 else read_ids)
        return out
    # Grouped: the same local channels stay in every group, so that the division goes on to work.
    out = write_ids if write == 0 else book.fresh(n_out)
    local_out, local_in = out.reshape(groups, -1), x_ids.reshape(groups, -1)
    book.tie(local_out[:1], local_out)
    book.tie(local_in[:1], local_in)
    book.tie(x_ids if read == 0 else local_in[0], read_ids)
    if write == 1:
        book.tie(local_out[0], write_ids)
    _consume(walk, call, read_ids, weight.parameter)
    _produce(walk, call, write_ids)
    return out


def _bias(walk: Walk, out: np.ndarray, bias: Traced | None) -> None:
    if bias is not None:
        walk.book.tie(out, walk.book.along(bias, 0, Why.BARE_BIAS()))


def _count(walk: Walk, call: Call, weight: Traced, exact: int, published: int, output: np.ndarray) -> None:
    ids = [walk.book.along(weight, axis, Why.BARE_WEIGHT()) for axis in (0, 1)]
    walk.add_work(call, ids[0], ids[1], prod(weight.shape[2:]) * exact, prod(weight.shape[2:]) * published, output)


def convolution(walk: Walk, call: Call) -> list[Traced]:
    """Convolution of any dimension: it works on its output grid."""
    x, weight, groups = call.arguments[0], call.arguments[1], call.argument(6, 1)
    out = multiply(walk, call, walk.book.along(x, 1, Why.NETWORK_INPUT()), weight, 1, groups)
    grid = prod(call.shapes[0][2:]) * call.shapes[0][0]
    _count(walk, call, weight, grid, grid, out)
    _bias(walk, out, call.argument(2))
    return [on_channels(call.shapes[0], out)]


def transposed_convolution(walk: Walk, call: Call) -> list[Traced]:
    """Transposed convolution: it works on its input grid; papers count its output grid."""
    x, weight, groups = call.arguments[0], call.arguments[1], call.argument(6, 1)
    out = multiply(walk, call, walk.book.along(x, 1, Why.NETWORK_INPUT()), weight, 0, groups)
    _count(walk, call, weight, prod(x.shape[2:]) * x.shape[0], prod(call.shapes[0][2:]) * call.shapes[0][0], out)
    _bias(walk, out, call.argument(2))
    return [on_channels(call.shapes[0], out)]


def _rows(walk: Walk, call: Call, x: Traced) -> int:
    for label in x.labels:
        if label.shape[-1] == 1:
            walk.book.pin(label, Why.ROW_AXIS(call=call.place))
    return prod(x.shape[:-1])


def linear(walk: Walk, call: Call) -> list[Traced]:
    """Linear layer over the last axis."""
    x, weight = call.arguments[0], call.arguments[1]
    rows = _rows(walk, call, x)
    out = multiply(walk, call, walk.book.along(x, -1, Why.NETWORK_INPUT()), weight, 1, 1)
    _count(walk, call, weight, rows, rows, out)
    _bias(walk, out, call.argument(2))
    return [on_channels(call.shapes[0], out, -1)]


def matrix_product(walk: Walk, call: Call) -> list[Traced]:
    """Product of matrices: with a parameter [k, n] on its right a linear layer, else every channel stays."""
    arguments = list(call.arguments)
    bias = arguments.pop(0) if call.name in ("addmm", "baddbmm") else None
    x, weight = arguments[0], arguments[1]
    if weight.parameter is not None and len(weight.shape) == 2:
        rows = _rows(walk, call, x)
        out = multiply(walk, call, walk.book.along(x, -1, Why.NETWORK_INPUT()), weight, 0, 1)
        _count(walk, call, weight, rows, rows, out)
        _bias(walk, out, bias)
        return [on_channels(call.shapes[0], out, -1)]
    for traced in tensors(call.arguments):
        for label in traced.labels:
            walk.book.pin(label, Why.TWO_ACTIVATIONS(call=call.place))
    macs = prod(call.shapes[0]) * x.shape[-1]
    walk.add_work(call, None, None, macs, macs)
    return [Traced(call.shapes[0])]


def embedding(walk: Walk, call: Call) -> list[Traced]:
    """A table [rows, dim]: its columns write channels; rows are picked by number, so that all of them stay."""
    weight, numbers = call.arguments[0], call.arguments[1]
    if len(weight.shape) > 1 and weight.on_axis(0) is not None:
        rows = walk.book.along(weight, 0, Why.BARE_WEIGHT())
        walk.book.pin(rows, Why.PICKED_ROWS(call=call.place))
    for label in numbers.labels:
        walk.book.pin(label, Why.ROW_NUMBERS(call=call.place))
    if weight.on_axis(1) is None:
        return [Traced(call.shapes[0])]
    out = walk.book.along(weight, 1, Why.BARE_WEIGHT())
    _produce(walk, call, out)
    return [on_channels(call.shapes[0], out, -1)]


def vector_product(walk: Walk, call: Call) -> list[Traced]:
    """mv, dot, vdot: what power iteration of a spectral norm is made of; not counted as work."""
    a, b = call.arguments[0], call.arguments[1]
    a_ids, b_ids = walk.book.along(a, -1, Why.BARE_VECTOR()), walk.book.along(b, 0, Why.BARE_VECTOR())
    walk.book.tie(a_ids, b_ids)
    gated = b if b.parameter is not None else a
    if gated.parameter is None:
        walk.book.pin(a_ids, Why.SUMMED(call=call.place))
    else:
        _consume(walk, call, b_ids if gated is b else a_ids, gated.parameter, binary=True)
    kept = [label.reshape(label.shape[:-1]) for label in a.labels if label.shape[-1] == 1]
    return [Traced(call.shapes[0], kept if len(a.shape) > 1 else [])]


def weight_norm(walk: Walk, call: Call) -> list[Traced]:
    """Weight norm g * v / |v|: the output is cut as v is."""
    v, g, axis = call.arguments[0], call.arguments[1], call.argument(2, 0)
    walk.book.tie(walk.book.along(v, axis, Why.BARE_WEIGHT()), walk.book.along(g, axis, Why.BARE_WEIGHT()))
    walk.normalized.add(v.parameter)
    return [
        Traced(call.shapes[0], list(v.labels), v.parameter),
        *(Traced(shape) for shape in call.shapes[1:]),
    ]
