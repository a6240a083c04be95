"""One rule per ATen call: how channel labels pass through it, what consumes them, and what it costs.

A call without a rule pins whatever channels reach it. The source of each rule is the call's own
definition: two channels are tied exactly where the call cannot be cut on one without the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from .labels import LabelBook, Site, Traced, combine, move, varying
from .unpruned_reasons import Why


@dataclass(frozen=True)
class Gate:
    """Where a channel is consumed: scaling this axis scales what the consumer reads.

    `binary`: the parameter is normalized before its use, so that only gates of 0 and 1 equal a cut.
    """

    site: Site
    binary: bool


@dataclass(frozen=True)
class Norm:
    """A norm module and the channels of its input; one over several channels must leave dropped ones out."""

    module: str
    ids: np.ndarray


@dataclass(frozen=True)
class Work:
    """Multiply-accumulates of one call: count(rows) * count(columns) * exact (or published); no rows: constant.

    Attributes:
        module: Module that makes the call.
        kind: The ATen call.
        rows, columns: Labels of the weight's first and second axis; None if the call has no weight.
        exact, published: Multiply-accumulates per pair of a row and a column.
        shape: Shape of the output.
        output: Labels of the output's channels; None if the call has no weight.
    """

    module: str
    kind: str
    rows: np.ndarray | None
    columns: np.ndarray | None
    exact: float
    published: float
    shape: tuple[int, ...] = ()
    output: np.ndarray | None = None


@dataclass
class Walk:
    """What is known while walking the graph.

    `graph` and `values` (node name -> what was traced of it) are for those who look at single calls afterwards;
    `parameters` maps a node's name to the parameter or buffer that it stands for; `used` are those that calls read.
    """

    book: LabelBook
    gates: list[Gate] = field(default_factory=list)
    writes: list[Site] = field(default_factory=list)
    norms: list[Norm] = field(default_factory=list)
    work: list[Work] = field(default_factory=list)
    modules: dict[str, torch.nn.Module] = field(default_factory=dict)
    normalized: set[str] = field(default_factory=set)
    sites: list[Site] = field(default_factory=list)
    graph: torch.fx.Graph | None = None
    values: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def add_work(
        self,
        call: Call,
        rows: np.ndarray | None,
        columns: np.ndarray | None,
        exact: int,
        published: int,
        output: np.ndarray | None = None,
    ) -> None:
        """Record the multiply-accumulates of a call: coefficients of count(rows) * count(columns)."""
        shape = call.shapes[0]
        self.work.append(Work(call.module, call.name, rows, columns, float(exact), float(published), shape, output))

    def site_of(self, ids: np.ndarray) -> Site | None:
        """The parameter axis on which these labels were born; None where that is not one axis."""
        owners = {
            int(np.searchsorted([site.ids[0] for site in self.sites], one, side="right")) for one in np.unique(ids)
        }
        if len(owners) != 1 or 0 in owners:
            return None
        site = self.sites[owners.pop() - 1]
        return site if int(ids.max()) <= int(site.ids[-1]) else None


@dataclass(frozen=True)
class Call:
    """One call of the graph: its name, module, arguments (tensors as `Traced`) and output shapes."""

    name: str
    module: str
    target: Callable[..., Any]
    arguments: tuple[Any, ...]
    shapes: tuple[tuple[int, ...], ...]

    @property
    def within(self) -> str:
        """The module that makes the call, for people."""
        return self.module or "the model"

    @property
    def place(self) -> str:
        """The call and its module, for people."""
        return f"{self.name} in {self.within}"

    def argument(self, position: int, default: Any = None) -> Any:
        """A positional argument or its default."""
        return self.arguments[position] if len(self.arguments) > position else default


def tensors(value: Any) -> list[Traced]:
    """All traced tensors in an argument list."""
    if isinstance(value, Traced):
        return [value]
    if isinstance(value, list | tuple):
        return [t for item in value for t in tensors(item)]
    return []


def _outputs(call: Call, labels: list[np.ndarray]) -> list[Traced]:
    return [Traced(shape, list(labels)) for shape in call.shapes]


def on_channels(shape: tuple[int, ...], ids: np.ndarray, axis: int = 1) -> Traced:
    """A tensor of this shape with these labels on one axis."""
    return Traced(shape, [_channel(ids, len(shape), axis % len(shape))])


def _channel(ids: np.ndarray, ndim: int, axis: int) -> np.ndarray:
    shape = [1] * ndim
    shape[axis] = len(ids)
    return ids.reshape(shape)


def opaque(walk: Walk, call: Call) -> list[Traced]:
    """A call without a rule: every channel that reaches it stays."""
    for traced in tensors(call.arguments):
        for label in traced.labels:
            walk.book.pin(label, Why.NO_RULE(call=call.place))
    return _outputs(call, [])


def elementwise(walk: Walk, call: Call) -> list[Traced]:
    """Any call that works element by element, with broadcasting."""
    operands = tensors(call.arguments)
    labels = combine(walk.book, operands, call.shapes[0], call.name)
    output = Traced(call.shapes[0], labels)
    owner = operands[0]
    if owner.parameter and owner.shape == call.shapes[0] and (len(operands) == 1 or call.name in ("mul", "div")):
        if call.name in ("mul", "div", "clone", "contiguous", "to", "detach", "alias"):
            output.parameter = owner.parameter
        if len(operands) > 1 and operands[1].parameter is None:
            walk.normalized.add(owner.parameter)
    return [output]


def layout(walk: Walk, call: Call) -> list[Traced]:
    """Any call that only moves elements: it is run on the labels."""
    source = call.arguments[0]
    outputs = [Traced(shape) for shape in call.shapes]
    for label in source.labels:
        moved = move(label, source.shape, call.target, call.arguments[1:])
        for output, ids in zip(outputs, moved, strict=True):
            if varying(ids):
                output.labels.append(ids)
            elif varying(label):
                walk.book.pin(ids, Why.PICKS_CHANNEL(call=call.place))
    if len(outputs) == 1:
        outputs[0].parameter = source.parameter
    return outputs


def cat(walk: Walk, call: Call) -> list[Traced]:
    """Concatenation: labels are concatenated along its axis and tied across the others."""
    parts: list[Traced] = list(call.arguments[0])
    shape = call.shapes[0]
    axis = call.argument(1, 0) % len(shape)
    reason = Why.JOINS_CONSTANT(module=call.within)
    if any(part.on_axis(axis) is not None for part in parts):
        ids = [walk.book.along(part, axis, reason) for part in parts]
        own = _channel(np.concatenate(ids), len(shape), axis)
        others = [[label for label in part.labels if label.shape[axis] == 1] for part in parts]
        for label in (label for rest in others for label in rest):
            walk.book.pin(label, Why.TWO_CHANNEL_AXES(name=call.name))
        return [Traced(shape, [own])]
    stripped = [Traced((*p.shape[:axis], 1, *p.shape[axis + 1 :]), p.labels) for p in parts]
    return [Traced(shape, combine(walk.book, stripped, (*shape[:axis], 1, *shape[axis + 1 :]), call.name))]


def glu(walk: Walk, call: Call) -> list[Traced]:
    """Gated linear unit: the first half of an axis times the sigmoid of the second."""
    x, shape = call.arguments[0], call.shapes[0]
    halved = replace(call, target=torch.chunk, arguments=(x, 2, call.argument(1, -1)), shapes=(shape, shape))
    return [Traced(shape, combine(walk.book, layout(walk, halved), shape, call.name))]


def per_channel_norm(walk: Walk, call: Call) -> list[Traced]:
    """Batch and instance norm: affine parameters and statistics go with the channel."""
    x = call.arguments[0]
    ids = walk.book.along(x, 1, Why.NETWORK_INPUT())
    for parameter in tensors(call.arguments[1:]):
        walk.book.tie(ids, walk.book.along(parameter, 0, Why.BARE_NORM()))
    if isinstance(walk.modules.get(call.module), torch.nn.modules.batchnorm._NormBase):
        walk.norms.append(Norm(call.module, ids))
    return [on_channels(call.shapes[0], ids)]


def prelu(walk: Walk, call: Call) -> list[Traced]:
    """PReLU with one slope, or one a channel."""
    x, slope = call.arguments[0], call.arguments[1]
    if slope.shape[0] > 1:
        walk.book.tie(walk.book.along(x, 1, Why.NETWORK_INPUT()), walk.book.along(slope, 0, Why.BARE_SLOPE()))
    return [Traced(call.shapes[0], list(x.labels))]


def _masked(walk: Walk, call: Call, ids: np.ndarray, kind: type[torch.nn.Module]) -> None:
    if isinstance(walk.modules.get(call.module), kind):
        walk.norms.append(Norm(call.module, ids))
    else:
        walk.book.pin(ids, Why.FUNCTIONAL_NORM(name=call.name, module=call.within, layer=kind.__name__))


def group_norm(walk: Walk, call: Call) -> list[Traced]:
    """Group norm: the same local channels stay in every norm group; statistics leave dropped ones out."""
    x, n_groups = call.arguments[0], call.arguments[1]
    ids = walk.book.along(x, 1, Why.NETWORK_INPUT())
    local = ids.reshape(n_groups, -1)
    walk.book.tie(local[:1], local)
    for parameter in tensors(call.arguments[2:]):
        walk.book.tie(ids, walk.book.along(parameter, 0, Why.BARE_NORM()))
    _masked(walk, call, ids, torch.nn.GroupNorm)
    return [on_channels(call.shapes[0], ids)]


def layer_norm(walk: Walk, call: Call) -> list[Traced]:
    """Layer norm whose last axis, or whose first normalized axis, carries the channels."""
    x, normalized = call.arguments[0], call.arguments[1]
    first = len(x.shape) - len(normalized)
    inside = [label for label in x.labels if any(axis >= first for axis in varying(label))]
    for label in inside:
        if varying(label) != {len(x.shape) - 1} or len(normalized) > 1:
            walk.book.pin(label, Why.NORM_OVER_MORE(module=call.module or "a layer norm"))
            continue
        ids = walk.book.along(x, -1, Why.NETWORK_INPUT())
        for parameter in tensors(call.arguments[2:]):
            walk.book.tie(ids, walk.book.along(parameter, 0, Why.BARE_NORM()))
        _masked(walk, call, ids, torch.nn.LayerNorm)
    return [Traced(call.shapes[0], list(x.labels))]


def spatial(walk: Walk, call: Call) -> list[Traced]:
    """Pooling, interpolation: whatever keeps axis 1 and works on the axes behind it."""
    x = call.arguments[0]
    if x.on_axis(1) is None:
        for label in x.labels:
            walk.book.pin(label, Why.RESAMPLED(name=call.name))
        return _outputs(call, [])
    return [on_channels(call.shapes[0], walk.book.along(x, 1, Why.NETWORK_INPUT()))]


def pad(walk: Walk, call: Call) -> list[Traced]:
    """Padding of axes that carry no channels."""
    x, amounts = call.arguments[0], call.arguments[1]
    padded = {len(x.shape) - 1 - i // 2 for i, amount in enumerate(amounts) if amount}
    kept = []
    for label in x.labels:
        if varying(label) <= padded:
            walk.book.pin(label, Why.PADDED(call=call.place))
        else:
            kept.append(walk.book.coarse(label, padded))
    return [Traced(call.shapes[0], kept)]


def reduction(walk: Walk, call: Call) -> list[Traced]:
    """Mean, sum, maximum over axes: a sum over channels pins them."""
    x = call.arguments[0]
    axes = call.argument(1)
    axes = range(len(x.shape)) if axes is None or axes == [] else ([axes] if isinstance(axes, int) else axes)
    dims = {axis % max(1, len(x.shape)) for axis in axes}
    keep = len(call.shapes[0]) == len(x.shape)
    kept = []
    for label in x.labels:
        rest = varying(label) - dims
        if varying(label) <= dims:
            walk.book.pin(label, Why.REDUCED(call=call.place))
            continue
        if varying(label) & dims:
            ids = walk.book.along(Traced(x.shape, [label]), min(rest), Why.BARE_REDUCED())
            label = _channel(ids, len(x.shape), min(rest))
        kept.append(label if keep else label.reshape([n for a, n in enumerate(label.shape) if a not in dims]))
    return _outputs(call, kept)


def softmax(walk: Walk, call: Call) -> list[Traced]:
    """Softmax: channels on its own axis stay."""
    x = call.arguments[0]
    label = x.on_axis(call.arguments[1])
    if label is not None:
        walk.book.pin(label, Why.SOFTMAX(call=call.place))
    return [Traced(call.shapes[0], list(x.labels))]
