"""Channel labels: the channels that each element of a traced tensor belongs to.

A label is an integer array that broadcasts against its tensor: size 1 along the axes on which it does not depend.
Layout calls (view, permute, chunk, ...) are run on the labels. Calls that force two channels to be kept or dropped
together add an edge between their labels. Connected components of those edges are the atoms of pruning. Dependency
discovery for single channels, original to ganprune.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .unpruned_reasons import UnprunedReason, Why


@dataclass(frozen=True, eq=False)
class Zero:
    """Channels at which a tensor is zero if gates of zero scale some parameters.

    Attributes:
        label: The channels, as in `Traced.labels`; tied to the tensor's own label on the same axis.
        gates: (parameter, axis) of each gate.
        linear: True if the tensor scales with a gate of any value, at one axis of one parameter.
    """

    label: np.ndarray
    gates: frozenset[tuple[str, int]]
    linear: bool = False


@dataclass
class Traced:
    """A tensor of the traced graph.

    Attributes:
        shape: Its shape.
        labels: Its channel labels.
        parameter: The parameter that it equals up to layout and scale; None for any other tensor.
        zeros: Its zeros if channels are dropped.
        uniform: Axes along which all its entries are equal, as `expand` makes them.
    """

    shape: tuple[int, ...]
    labels: list[np.ndarray] = field(default_factory=list)
    parameter: str | None = None
    zeros: list[Zero] = field(default_factory=list)
    uniform: frozenset[int] = frozenset()

    def zero_on(self, axis: int) -> Zero | None:
        """Return the zero at dropped channels of an axis that needs the fewest gates; None if there is none."""
        axis %= max(1, len(self.shape))
        known = [zero for zero in self.zeros if zero.label.shape[axis] > 1]
        return min(known, key=lambda zero: (not zero.linear, len(zero.gates)), default=None)

    def on_axis(self, axis: int) -> np.ndarray | None:
        """Return the label that varies along an axis, or None."""
        axis %= max(1, len(self.shape))
        for label in self.labels:
            if label.shape[axis] > 1:
                return label
        return None


@dataclass(frozen=True)
class Site:
    """An axis of a parameter (or buffer) with the label of each position."""

    parameter: str
    axis: int
    ids: np.ndarray


class LabelBook:
    """A registry of labels, with the edges between them, and the labels that are never pruned, with reasons."""

    def __init__(self) -> None:
        self._n = 0
        self._edges: list[tuple[np.ndarray, np.ndarray]] = []
        self.pins: list[tuple[np.ndarray, UnprunedReason]] = []
        self.wanted: set[str] = set()  # parameters with an axis without labels that met channels

    def fresh(self, n: int) -> np.ndarray:
        """Return new labels [n], tied to nothing."""
        ids = np.arange(self._n, self._n + n, dtype=np.int64)
        self._n += n
        return ids

    def tie(self, a: np.ndarray, b: np.ndarray) -> None:
        """Make the channels of two broadcastable label arrays be kept or dropped together."""
        a, b = np.broadcast_arrays(a, b)
        self._edges.append((a.ravel(), b.ravel()))

    def pin(self, ids: np.ndarray, reason: UnprunedReason) -> None:
        """Make channels unprunable."""
        self.pins.append((np.unique(ids), reason))

    def fresh_on(self, traced_shape: Sequence[int], axis: int, reason: UnprunedReason | None = None) -> np.ndarray:
        """Return new labels along one axis of a tensor, pinned if a reason is given."""
        shape = [1] * len(traced_shape)
        shape[axis] = traced_shape[axis]
        ids = self.fresh(traced_shape[axis])
        if reason:
            self.pin(ids, reason)
        return ids.reshape(shape)

    def along(self, traced: Traced, axis: int, reason: UnprunedReason) -> np.ndarray:
        """Return labels [n] of the positions of one axis; labels that also vary along other axes are tied together.

        An axis without labels gets new ones, pinned for the given reason.
        """
        axis %= len(traced.shape)
        label = traced.on_axis(axis)
        if label is None:
            label = self.fresh_on(traced.shape, axis, reason)
            if traced.parameter is not None and traced.shape[axis] > 1:
                self.wanted.add(traced.parameter)
        moved = np.moveaxis(label, axis, 0).reshape(label.shape[axis], -1)
        if moved.shape[1] > 1:
            self.tie(moved[:, :1], moved)
        ids = moved[:, 0].copy()
        others = [other for other in traced.labels if other is not label and other.shape[axis] > 1]
        for other in others:
            self.tie(ids.reshape(-1, 1), np.moveaxis(other, axis, 0).reshape(other.shape[axis], -1))
        return ids

    def coarse(self, label: np.ndarray, axes: Iterable[int]) -> np.ndarray:
        """Return a label without its dependence on some axes: channels that varied along them are tied together."""
        for axis in axes:
            if label.shape[axis] > 1:
                first = label.take([0], axis)
                self.tie(first, label)
                label = first
        return label

    def atoms(self) -> np.ndarray:
        """Return the number of the connected component of every label [n]."""
        if not self._edges:
            return np.arange(self._n)
        a = np.concatenate([edge[0] for edge in self._edges])
        b = np.concatenate([edge[1] for edge in self._edges])
        graph = coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(self._n, self._n))
        return connected_components(graph, directed=False)[1]


def compress(ids: torch.Tensor) -> np.ndarray:
    """Return a label array [full shape] with size 1 along every axis on which it is constant."""
    for axis in range(ids.ndim):
        if ids.shape[axis] > 1:
            first = ids.narrow(axis, 0, 1)
            if bool((ids == first).all()):
                ids = first
    return ids.contiguous().numpy()


def move(
    label: np.ndarray,
    shape: Sequence[int],
    call: Callable[..., Any],
    arguments: Sequence[Any],
    keywords: Mapping[str, Any] | None = None,
) -> list[np.ndarray]:
    """Run a layout call on a label, as on the tensor itself; return one label per output."""
    expanded = torch.from_numpy(label).expand(*shape)
    moved = call(expanded, *arguments, **(keywords or {}))
    return [compress(one) for one in (moved if isinstance(moved, list | tuple) else [moved])]


def varying(label: np.ndarray) -> set[int]:
    """Return the axes along which a label varies."""
    return {axis for axis, n in enumerate(label.shape) if n > 1}


def align(label: np.ndarray, ndim: int) -> np.ndarray:
    """Return a label with leading axes of size 1, as in broadcasting."""
    return label.reshape((1,) * (ndim - label.ndim) + label.shape)


def combine(book: LabelBook, operands: Sequence[Traced], shape: tuple[int, ...], call: str) -> list[np.ndarray]:
    """Return the labels of an elementwise call: labels on one axis are tied, the others are kept separate.

    A label may vary along several axes: after a pixel shuffle along the channel axis and, r by r, the image's. If
    another operand has no labels on some of these axes, channels that vary along them are tied together. If no axis
    remains, the label is pinned: the other operand could not be cut with it.
    """
    merged: list[np.ndarray] = []
    for operand in operands:
        for label in operand.labels:
            label = align(label, len(shape))
            met = [number for number, other in enumerate(merged) if varying(other) & varying(label)]
            for number in met:
                book.tie(merged[number], label)
                merged[number] = book.coarse(merged[number], varying(merged[number]) - varying(label))
            if not met:
                merged.append(label)
    kept = []
    for label in merged:
        bare = {a: x for a in sorted(varying(label)) for x in operands if _is_bare(x, a, len(shape))}
        if bare and bare.keys() == varying(label):
            other = next(iter(bare.values()))
            if other.parameter is None:
                book.pin(label, Why.BARE_AXIS(name=call))
            else:
                book.wanted.add(other.parameter)
                book.pin(label, Why.PARAMETER_AXIS(name=call, parameter=other.parameter))
            if not _is_of_parameters(label, operands, len(shape)):
                kept.append(label)  # else the axis is bare, like that of the parameter's partner
        else:
            kept.append(book.coarse(label, bare))
    return kept


def _is_of_parameters(label: np.ndarray, operands: Sequence[Traced], ndim: int) -> bool:
    """Return True if only parameters carry channels on a label's axes."""
    axes = varying(label)
    carriers = [one for one in operands if any(varying(align(own, ndim)) & axes for own in one.labels)]
    return bool(carriers) and all(one.parameter is not None for one in carriers)


def _is_bare(operand: Traced, axis: int, ndim: int) -> bool:
    """Return True if a tensor, broadcast to `ndim` axes, has entries but no labels along this axis."""
    axis -= ndim - len(operand.shape)
    if axis < 0 or operand.shape[axis] == 1 or axis in operand.uniform:
        return False
    return operand.on_axis(axis) is None


def uniform_axes(operands: Sequence[Traced], shape: tuple[int, ...]) -> frozenset[int]:
    """Return the axes of an elementwise result along which all entries are equal."""
    return frozenset(
        axis
        for axis, size in enumerate(shape)
        if size > 1 and all(_is_uniform(one, axis - len(shape) + len(one.shape)) for one in operands)
    )


def _is_uniform(operand: Traced, axis: int) -> bool:
    return axis < 0 or operand.shape[axis] == 1 or axis in operand.uniform
