"""One call of the graph, the state of the walk over the graph, and the gates and costs that calls add."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from .labels import LabelBook, Site, Traced, Zero
from .unpruned_reasons import UnprunedReason, Why


@dataclass(frozen=True)
class Gate:
    """An axis at which a channel is consumed: scaling it scales the consumer's input.

    `binary`: the parameter is normalized before its use, so that only gates of 0 and 1 equal a cut.
    """

    site: Site
    binary: bool


@dataclass(frozen=True)
class Norm:
    """A norm module and the channels of its input; a norm over several channels must exclude dropped ones."""

    module: str
    ids: np.ndarray


@dataclass(frozen=True)
class Island:
    """A module without weights of its own that mixes channels: a gated network runs it on kept channels only.

    Attributes:
        module: Its name.
        axis: Axis of its input and output that carries the channels.
        ids: The channels' labels.
        parameters: (name inside the module, axis) of the tensors that carry the channels.
    """

    module: str
    axis: int
    ids: np.ndarray
    parameters: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Work:
    """Multiply-accumulates of one call: count(rows) * count(columns) * exact (or published); constant without rows.

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


@dataclass(frozen=True)
class Rescale:
    """Rows of a parameter that a cut multiplies by a power of the kept share of some channels.

    Attributes:
        parameter: Its name.
        rows: int64; positions on its first axis.
        ids: Labels of the channels.
        power: The exponent.
    """

    parameter: str
    rows: np.ndarray
    ids: np.ndarray
    power: float


@dataclass
class Walk:
    """The state of a walk over the graph.

    Attributes:
        book: Labels, their ties and pins.
        gates: Parameter axes that consume channels.
        masks: Further parameter axes at which a gate of zero makes a tensor zero. Sums over channels and products of
            two activations are then right.
        reads: Channels that calls without weights consume.
        writes: Parameter axes that write channels.
        norms: Norms of torch.nn and their channels.
        islands: Modules that a gated network runs on kept channels only.
        work: Multiply-accumulates.
        products: Calls whose multiply-accumulates are a product over any number of axes, with the labels of the axes
            and the number at full width.
        rescales: Rows that a cut multiplies, so that a number that a call computes from a size stays the same.
        splits: Labels of an axis that a call splits into several, and the one of these that carries the channels, if
            known.
        modules: Modules by name.
        sites: Every labeled axis of every parameter and buffer.
        graph, values: The graph, and node name -> its traced values, for code that inspects single calls.
        parameters: Node name -> the parameter or buffer that it stands for.
        shapes: Shapes of parameters and buffers.
        used: Parameters that calls read.
        constants: Tensors that the network's code makes from plain numbers.
        buffers: Names of buffers.
        choices: Calls with two rules, and the labels concerned. The parts of an axis keep equal numbers of channels, or
            the border between them is fixed. Heads keep equal numbers of channels, or are dropped as a whole.
        other_way: Calls that are followed by their second rule.
    """

    book: LabelBook
    gates: list[Gate] = field(default_factory=list)
    masks: list[Site] = field(default_factory=list)
    reads: list[np.ndarray] = field(default_factory=list)
    writes: list[Site] = field(default_factory=list)
    norms: list[Norm] = field(default_factory=list)
    islands: list[Island] = field(default_factory=list)
    work: list[Work] = field(default_factory=list)
    products: list[tuple[Call, list[np.ndarray], int]] = field(default_factory=list)
    rescales: list[Rescale] = field(default_factory=list)
    splits: list[tuple[np.ndarray, int | None]] = field(default_factory=list)
    modules: dict[str, torch.nn.Module] = field(default_factory=dict)
    sites: list[Site] = field(default_factory=list)
    graph: torch.fx.Graph | None = None
    values: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    constants: dict[str, Any] = field(default_factory=dict)
    buffers: frozenset[str] = frozenset()
    choices: dict[str, np.ndarray] = field(default_factory=dict)
    other_way: frozenset[str] = frozenset()

    def add_work(
        self,
        call: Call,
        rows: np.ndarray | None,
        columns: np.ndarray | None,
        exact: float,
        published: float,
        output: np.ndarray | None = None,
    ) -> None:
        """Record the multiply-accumulates of a call: coefficients of count(rows) * count(columns)."""
        shape = call.shapes[0]
        self.work.append(Work(call.module, call.name, rows, columns, float(exact), float(published), shape, output))

    def site_of(self, ids: np.ndarray) -> Site | None:
        """Return the parameter axis on which these labels were created; None if it is not exactly one axis."""
        owners = {
            int(np.searchsorted([site.ids[0] for site in self.sites], one, side="right")) for one in np.unique(ids)
        }
        if len(owners) != 1 or 0 in owners:
            return None
        site = self.sites[owners.pop() - 1]
        return site if int(ids.max()) <= int(site.ids[-1]) else None

    def sites_at(self, gates: Iterable[tuple[str, int]]) -> list[Site]:
        """Return the labeled axes with these names and numbers."""
        return [site for site in self.sites if (site.parameter, site.axis) in set(gates)]

    def mask(self, zero: Zero) -> None:
        """Make a tensor exactly zero at dropped channels from here on, by gates of zero."""
        self.masks += self.sites_at(zero.gates)

    def settle_products(self) -> None:
        """Price each product over at most two axes, as in a cost form; channels of a third axis are never pruned."""
        for call, axes, macs in self.products:
            atoms = self.book.atoms()
            stay = {int(atom) for ids, _ in self.book.pins for atom in np.unique(atoms[ids])}
            free = [ids for ids in axes if not stay.issuperset(np.unique(atoms[ids]).tolist())]
            for ids in free[2:]:
                self.book.pin(ids, Why.ROW_AXIS(call=call.place))
            rows, columns = [*free[:2], None, None][:2]
            each = macs / ((1 if rows is None else len(rows)) * (1 if columns is None else len(columns)))
            self.add_work(call, rows, columns, each, each, free[min(len(free), 2) - 1] if free else None)
        self.products.clear()

    def choose(self, key: str, ids: np.ndarray) -> bool:
        """Return True if a call with two rules is followed by the second one.

        Args:
            key: The call.
            ids: The labels concerned.
        """
        self.choices[key] = np.concatenate([self.choices.get(key, ids[:0]), ids])
        return key in self.other_way

    def settle_splits(self) -> None:
        """Tie the parts of an axis that became several, so that each keeps the same number of channels.

        After the split, the longest axis carries the channels, unless the others are tied already.
        """
        for _ in range(len(self.splits) + 1):
            atoms, changed = self.book.atoms(), False
            for ids, preferred in self.splits:
                found = atoms[ids]
                axes = [axis for axis in range(ids.ndim) if (found != found.take([0], axis)).any()]
                if len(axes) > 1:
                    kept = preferred if preferred in axes else max(axes, key=lambda axis: (ids.shape[axis], axis))
                    self.book.coarse(ids, set(axes) - {kept})
                    changed = True
            if not changed:
                return

    def marks(self) -> tuple[int, ...]:
        """Return the numbers of records so far, for `forget`."""
        return tuple(len(part) for part in self._parts())

    def forget(self, marks: tuple[int, ...]) -> None:
        """Delete the records since `marks`; ties remain, because they only make pruning coarser."""
        for part, length in zip(self._parts(), marks, strict=True):
            del part[length:]

    def works_since(self, marks: tuple[int, ...]) -> bool:
        """Return True if multiply-accumulates were recorded since `marks`."""
        before = dict(zip(map(id, self._parts()), marks, strict=True))
        return any(len(part) > before[id(part)] for part in (self.work, self.products))

    def _parts(self) -> tuple[list[Any], ...]:
        return (
            self.gates, self.masks, self.reads, self.writes, self.norms, self.islands, self.work, self.products,
            self.splits, self.rescales, self.book.pins,
        )  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One call of the graph.

    Attributes:
        name: Name of the ATen operator.
        module: Name of the module that makes it.
        target: The operator.
        arguments: Arguments, with tensors as `Traced`: positional ones, then keyword arguments.
        shapes: Shapes of the outputs.
        options: Every argument by its name in the operator's schema, defaults included.
        keywords: Keyword arguments.
        key: Name of its node.
    """

    name: str
    module: str
    target: Callable[..., Any]
    arguments: tuple[Any, ...]
    shapes: tuple[tuple[int, ...], ...]
    options: dict[str, Any] = field(default_factory=dict)
    keywords: dict[str, Any] = field(default_factory=dict)
    key: str = ""

    @property
    def within(self) -> str:
        """The module that makes the call, for messages."""
        return self.module or "the model"

    @property
    def place(self) -> str:
        """The call and its module, for messages."""
        return f"{self.name} in {self.within}"

    def argument(self, position: int, default: Any = None) -> Any:
        """Return a positional argument or its default."""
        return self.arguments[position] if len(self.arguments) > position else default

    def option(self, *names: str, default: Any = None) -> Any:
        """Return the argument with the first of these names that the operator has, or a default."""
        return next((self.options[name] for name in names if name in self.options), default)


class NoRule(Exception):
    """An error: a rule does not know a form of its call. All channels of its inputs stay, and torch counts its work."""


def options_of(target: Callable[..., Any], positional: tuple[Any, ...], keywords: dict[str, Any]) -> dict[str, Any]:
    """Return every argument of a call by its name in the operator's schema; empty if it has no schema."""
    schema = getattr(target, "_schema", None)
    if schema is None:
        return dict(keywords)
    known = {one.name: one.default_value for one in schema.arguments if one.has_default_value()}
    names = [one.name for one in schema.arguments]
    return known | dict(zip(names, positional, strict=False)) | keywords


def tensors(value: Any) -> list[Traced]:
    """Return all traced tensors in an argument list."""
    if isinstance(value, Traced):
        return [value]
    if isinstance(value, list | tuple):
        return [t for item in value for t in tensors(item)]
    if isinstance(value, dict):
        return tensors(list(value.values()))
    return []


def on_channels(shape: tuple[int, ...], ids: np.ndarray, axis: int = 1, zero: Zero | None = None) -> Traced:
    """Return a tensor of this shape with these labels on one axis.

    Args:
        shape: Its shape.
        ids: Labels [shape[axis]].
        axis: The axis.
        zero: Gates that make the tensor zero at dropped channels; its own label is not used.
    """
    label = as_label(ids, len(shape), axis % len(shape))
    return Traced(shape, [label], zeros=[] if zero is None else [Zero(label, zero.gates, zero.linear)])


def as_label(ids: np.ndarray, ndim: int, axis: int) -> np.ndarray:
    """Return labels [n] of one axis as a label of a tensor with `ndim` axes."""
    shape = [1] * ndim
    shape[axis] = len(ids)
    return ids.reshape(shape)


def pinned(walk: Walk, call: Call, values: Any, reason: UnprunedReason) -> list[Traced]:
    """Pin every channel of some tensors; the call's outputs carry none."""
    for traced in tensors(values):
        for label in traced.labels:
            walk.book.pin(label, reason)
    return [Traced(shape) for shape in call.shapes]
