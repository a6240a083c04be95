"""Rules of calls that multiply by a weight: convolutions, linear layers, embeddings, and weight norm.

These calls write and consume channels, and cause the cost. A weight may be a parameter, or computed from parameters if
gates on these can make it zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from .calls import Call, Gate, Walk, as_label, on_channels
from .labels import Traced, Zero, varying
from .unpruned_reasons import Why


@dataclass(frozen=True)
class Product:
    """Labels of a product: of its output, and of the weight's first two axes."""

    out: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


def produce(walk: Walk, call: Call, ids: np.ndarray, zero: Zero | None) -> None:
    """Record the parameter axes that write some channels."""
    site = walk.site_of(ids)
    sites = [site] if site is not None else walk.sites_at(zero.gates) if zero is not None else []
    if not sites:
        walk.book.pin(ids, Why.COMPOSED_WEIGHT(call=call.place))
    walk.writes += sites


def consume(walk: Walk, call: Call, ids: np.ndarray, weight: Traced, read: int, other: Zero | None) -> None:
    """Record the gates that multiply a weight's input; without any, the channels are never pruned.

    Args:
        walk: The state of the walk.
        call: The call.
        ids: The channels.
        weight: The weight.
        read: The weight's axis that reads the input.
        other: Gates that make the other factor zero, if the weight cannot be made zero.
    """
    zero = weight.zero_on(read)
    sites = walk.sites_at(zero.gates) if zero is not None else []
    if zero is not None and len(sites) == 1:
        walk.gates.append(Gate(sites[0], not zero.linear))
        return
    zero = zero or other
    if zero is None:
        walk.book.pin(ids, Why.COMPUTED_WEIGHT(call=call.place))
        return
    walk.mask(zero)
    walk.reads.append(ids)


def multiply(
    walk: Walk, call: Call, x_ids: np.ndarray, weight: Traced, read: int, groups: int, x_zero: Zero | None = None
) -> Product:
    """Tie a weight [axes 0 and 1 are channels] to its input's labels [n_in].

    `read` is the weight's axis that consumes the input; the other one writes the output.
    """
    book, write = walk.book, 1 - read
    n_out = weight.shape[write] * (groups if write == 1 else 1)

    def along(axis: int, like: np.ndarray) -> np.ndarray:
        alike = axis in weight.uniform and len(like) == weight.shape[axis]
        return like if alike else book.along(weight, axis, Why.BARE_WEIGHT())

    def done(out: np.ndarray, read_ids: np.ndarray, write_ids: np.ndarray) -> Product:
        return Product(out, *((write_ids, read_ids) if write == 0 else (read_ids, write_ids)))

    for label in weight.labels:
        if not varying(label) & {0, 1} and varying(label):
            book.pin(label, Why.COMPUTED_WEIGHT(call=call.place))
    if groups == 1:
        read_ids = along(read, x_ids)
        write_ids = book.along(weight, write, Why.BARE_WEIGHT())
        book.tie(x_ids, read_ids)
        consume(walk, call, read_ids, weight, read, x_zero)
        produce(walk, call, write_ids, weight.zero_on(write))
        return done(write_ids, read_ids, write_ids)
    if len(x_ids) == groups:
        # Depthwise: channel c makes outputs c*m .. c*m+m-1 and nothing else reads it, so they are dropped together.
        spread = np.repeat(x_ids, n_out // groups)
        if write == 0:
            out = write_ids = along(0, spread)
            read_ids = book.along(weight, 1, Why.BARE_WEIGHT())
            if out is not spread:
                book.tie(spread, out)
                produce(walk, call, out, weight.zero_on(0))
            return done(out, read_ids, write_ids)
        read_ids, write_ids = along(0, x_ids), book.along(weight, 1, Why.BARE_WEIGHT())
        book.tie(x_ids, read_ids)
        if len(write_ids) > 1:
            book.pin(write_ids, Why.DEPTHWISE())
        if read_ids is not x_ids:
            produce(walk, call, read_ids, weight.zero_on(0))
        out = book.fresh(n_out)
        book.tie(spread, out)
        return done(out, read_ids, write_ids)
    # Grouped: the same local channels stay in every group, so that the groups stay equal.
    read_ids, write_ids = (book.along(weight, axis, Why.BARE_WEIGHT()) for axis in (read, write))
    out = write_ids if write == 0 else book.fresh(n_out)
    local_out, local_in = out.reshape(groups, -1), x_ids.reshape(groups, -1)
    book.tie(local_out[:1], local_out)
    book.tie(local_in[:1], local_in)
    book.tie(x_ids if read == 0 else local_in[0], read_ids)
    if write == 1:
        book.tie(local_out[0], write_ids)
    consume(walk, call, read_ids, weight, read, x_zero)
    produce(walk, call, write_ids, weight.zero_on(write))
    return done(out, read_ids, write_ids)


def with_bias(walk: Walk, out: np.ndarray, bias: Traced | None, zero: Zero | None) -> Zero | None:
    """Tie a bias to the output's channels; return the gates that make the sum zero."""
    if bias is None:
        return zero
    walk.book.tie(out, walk.book.along(bias, 0, Why.BARE_BIAS()))
    own = bias.zero_on(0)
    return Zero(zero.label, zero.gates | own.gates) if zero is not None and own is not None else None


def _count(walk: Walk, call: Call, weight: Traced, exact: int, published: int, product: Product) -> None:
    kernel = prod(weight.shape[2:])
    walk.add_work(call, product.rows, product.columns, kernel * exact, kernel * published, product.out)


def _image_channels(walk: Walk, call: Call, x: Traced, weight: Traced) -> tuple[int, np.ndarray, list[np.ndarray]]:
    """Return the axis of a convolution's input that carries its channels, their labels, and labels of the batch."""
    axis = len(x.shape) - len(weight.shape) + 1
    batch = []
    for label in x.labels:
        if label.shape[axis] > 1 or not varying(label):
            continue
        if varying(label) == {0} and axis == 1 and prod(weight.shape[:2]) == 1:
            batch.append(label)  # channels as images, each with the same kernel
        else:
            walk.book.pin(label, Why.RESAMPLED(name=call.name))
    return axis, walk.book.along(x, axis, Why.NETWORK_INPUT()), batch


def _images(walk: Walk, call: Call, weight: Traced, batch: list[np.ndarray], shape: tuple[int, ...]) -> list[Traced]:
    """Follow a convolution of channels as images with one kernel."""
    macs = prod(shape) * prod(weight.shape[2:]) // batch[0].size
    walk.add_work(call, batch[0].ravel(), None, macs, macs, batch[0].ravel())
    return [Traced(shape, batch)]


def convolution(walk: Walk, call: Call) -> list[Traced]:
    """Follow a convolution of any dimension, whose work is on its output grid."""
    x, weight, groups = call.arguments[0], call.arguments[1], call.option("groups", default=1)
    axis, x_ids, batch = _image_channels(walk, call, x, weight)
    shape = call.shapes[0]
    if batch:
        return _images(walk, call, weight, batch, shape)
    product = multiply(walk, call, x_ids, weight, 1, groups, x.zero_on(axis))
    grid = prod(shape) // shape[axis]
    _count(walk, call, weight, grid, grid, product)
    zero = with_bias(walk, product.out, call.option("bias"), weight.zero_on(0))
    return [on_channels(shape, product.out, axis, zero)]


def transposed_convolution(walk: Walk, call: Call) -> list[Traced]:
    """Follow a transposed convolution, whose work is on its input grid; papers count its output grid."""
    x, weight, groups = call.arguments[0], call.arguments[1], call.option("groups", default=1)
    axis, x_ids, batch = _image_channels(walk, call, x, weight)
    for label in batch:
        walk.book.pin(label, Why.RESAMPLED(name=call.name))
    product = multiply(walk, call, x_ids, weight, 0, groups, x.zero_on(axis))
    shape = call.shapes[0]
    _count(walk, call, weight, prod(x.shape) // x.shape[axis], prod(shape) // shape[axis], product)
    zero = with_bias(walk, product.out, call.option("bias"), weight.zero_on(1) if groups == 1 else None)
    return [on_channels(shape, product.out, axis, zero)]


def linear(walk: Walk, call: Call) -> list[Traced]:
    """Follow a linear layer over the last axis."""
    x, weight = call.arguments[0], call.arguments[1]
    for label in x.labels:
        if label.shape[-1] == 1:
            walk.book.pin(label, Why.ROW_AXIS(call=call.place))
    rows = prod(x.shape[:-1])
    product = multiply(walk, call, walk.book.along(x, -1, Why.NETWORK_INPUT()), weight, 1, 1, x.zero_on(-1))
    _count(walk, call, weight, rows, rows, product)
    zero = with_bias(walk, product.out, call.option("bias"), weight.zero_on(0))
    return [on_channels(call.shapes[0], product.out, -1, zero)]


def embedding(walk: Walk, call: Call) -> list[Traced]:
    """Follow a table [rows, dim]: its columns write channels; rows are picked by number, so all of them stay."""
    weight, numbers = call.arguments[0], call.arguments[1]
    if len(weight.shape) > 1 and weight.on_axis(0) is not None:
        rows = walk.book.along(weight, 0, Why.BARE_WEIGHT())
        walk.book.pin(rows, Why.PICKED_ROWS(call=call.place))
    for label in numbers.labels:
        walk.book.pin(label, Why.ROW_NUMBERS(call=call.place))
    if weight.on_axis(1) is None:
        return [Traced(call.shapes[0])]
    out = walk.book.along(weight, 1, Why.BARE_WEIGHT())
    produce(walk, call, out, weight.zero_on(1))
    return [on_channels(call.shapes[0], out, -1, weight.zero_on(1))]


def weight_norm(walk: Walk, call: Call) -> list[Traced]:
    """Follow weight norm g * v / |v|, a norm per entry of g over all other axes: the output is cut as v is.

    A channel of an axis that g has is dropped by g: without a row of v the norm would be 0 / 0. A channel of another
    axis is dropped by v, whose norm then leaves it out.
    """
    v, g = call.arguments[0], call.arguments[1]
    zeros = []
    for label in v.labels:
        (axis, *_) = sorted(varying(label))
        if axis < len(g.shape) and g.shape[axis] > 1:
            ids = walk.book.along(g, axis, Why.BARE_WEIGHT())
            walk.book.tie(as_label(ids, len(v.shape), axis), label)
            scale = g.zero_on(axis)
            if scale is not None:
                zeros.append(Zero(label, scale.gates, scale.linear))
        elif (own := v.zero_on(axis)) is not None:
            walk.mask(own)
            zeros.append(Zero(label, own.gates))
        else:
            walk.book.pin(label, Why.COMPOSED_WEIGHT(call=call.place))
    return [
        Traced(call.shapes[0], list(v.labels), v.parameter, zeros),
        *(Traced(shape) for shape in call.shapes[1:]),
    ]
