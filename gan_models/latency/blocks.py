"""A network as blocks of calls that can be timed alone, at any widths.

A block is a chain of ATen calls with at most one multiplication by a weight in it: what runtimes fuse, and what shares
a cache, is timed together. Its tensors have at most two different numbers of channels (its sides), each linear in the
widths of the groups, so that a block is a table over a grid of two numbers. Our reconstruction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import gcd, prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..files.hashes import json_sha256

Vector = NDArray[np.int64]
FIXED_SIDE = -1
GROUPS = 6  # place of the number of groups among a convolution's arguments, transposed or not
INTEGER = frozenset(("conv1d", "conv2d", "conv3d", "linear"))  # what runtimes have integer kernels for on CPUs
_TIMING_VERSION = 2  # counted up where times change their meaning, so that older tables are not mixed with new ones
WEIGHTED_KINDS = frozenset(
    (
        "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "linear", "matmul",
        "mm", "bmm", "addmm", "baddbmm",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Side:
    """A number of channels: unit[0] + unit[1:] @ widths.

    Attributes:
        unit: int64 [1 + G]; no factor in common.
        lowest: With one channel a group.
        full: At full width.
        step: The number grows in multiples of this.
    """

    unit: Vector
    lowest: int
    full: int
    step: int

    @property
    def range(self) -> tuple[int, int, int]:
        """Lowest, full, step."""
        return self.lowest, self.full, self.step


@dataclass(frozen=True)
class Axes:
    """A tensor's shape: per axis (side, channels a unit of it), or (FIXED_SIDE, size)."""

    sizes: tuple[tuple[int, int], ...]

    def at(self, channels: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape with these channels on the sides."""
        return tuple(n if side == FIXED_SIDE else n * channels[side] for side, n in self.sizes)


@dataclass(frozen=True)
class Ref:
    """An argument that is a tensor: `input`, `parameter` or `call`, and which one."""

    kind: str
    index: int


@dataclass(frozen=True)
class BlockCall:
    """One ATen call; arguments hold `Ref` where tensors go in. `depthwise`: one convolution group a channel."""

    target: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: tuple[tuple[str, Any], ...]
    depthwise: bool = False

    @property
    def name(self) -> str:
        """The call's name, such as `conv2d`."""
        return call_name(self.target)


@dataclass(frozen=True)
class Block:
    """A chain of calls; see the module.

    Attributes:
        module: Where its first weighted call is made, else its first call.
        sides: At most two.
        inputs, parameters: Shapes of what goes in.
        calls: In order; the last one's output is the block's.
    """

    module: str
    sides: tuple[Side, ...]
    inputs: tuple[Axes, ...]
    parameters: tuple[Axes, ...]
    calls: tuple[BlockCall, ...] = field(repr=False)

    @property
    def weighted(self) -> bool:
        """True if it multiplies by a weight."""
        return any(call.name in WEIGHTED_KINDS for call in self.calls)

    @property
    def integer(self) -> bool:
        """True if it can run on integers in a network of 8 bits."""
        return any(call.name in INTEGER for call in self.calls)

    @property
    def weights(self) -> tuple[tuple[int, int, int], ...]:
        """Numbers in its parameters: sum of factor * n0 ** power0 * n1 ** power1 over its sides' channels."""
        found = []
        for axes in self.parameters:
            powers = [sum(side == own for side, _ in axes.sizes) for own in (0, 1)]
            found.append((prod(n for _, n in axes.sizes), *powers))
        return tuple(found)

    @property
    def key(self) -> str:
        """Sixteen hex digits: blocks with the same key take the same time at the same channels."""
        parts = [
            _TIMING_VERSION,
            [side.range for side in self.sides],
            [axes.sizes for axes in (*self.inputs, *self.parameters)],
            [[str(c.target), repr(c.arguments), repr(c.keywords), c.depthwise] for c in self.calls],
        ]
        return json_sha256(parts)[:16]

    def describe(self) -> str:
        """One line for people: calls and the first input's full shape."""
        shape = "x".join(map(str, self.inputs[0].at(tuple(side.full for side in self.sides)))) if self.inputs else ""
        return f"{' '.join(call.name for call in self.calls)} on {shape}"

    def build(self, channels: tuple[int, ...], device: str = "cpu") -> tuple[nn.Module, tuple[Tensor, ...]]:
        """Return the block as a module with random weights, and random inputs.

        Args:
            channels: On each side, within its range.
            device: Where the tensors are made.
        """
        generator = None if device == "meta" else torch.Generator(device).manual_seed(0)

        def draw(axes: Axes) -> Tensor:
            return torch.rand(axes.at(channels), generator=generator, device=device) + 0.1  # variances are above 0

        return BlockModule(self.calls, [draw(axes) for axes in self.parameters]), tuple(map(draw, self.inputs))


class BlockModule(nn.Module):
    """Runs a block's calls; a call's output is let go of after its last use, as in the network it comes from."""

    def __init__(self, calls: tuple[BlockCall, ...], parameters: list[Tensor]) -> None:
        super().__init__()
        self.calls = calls
        self.weights = nn.ParameterList([nn.Parameter(p, requires_grad=False) for p in parameters])
        last = {ref.index: i for i, call in enumerate(calls) for ref in _refs(call) if ref.kind == "call"}
        self.done = [[made for made, at in last.items() if at == i] for i in range(len(calls))]

    def forward(self, *inputs: Tensor) -> Any:
        """Return the output of the last call for inputs in the block's order."""
        made: list[Any] = []
        sources = {"input": inputs, "parameter": self.weights, "call": made}
        for call, done in zip(self.calls, self.done, strict=True):
            arguments = [_filled(value, sources) for value in call.arguments]
            if call.depthwise:
                arguments[GROUPS] = arguments[0].shape[1]
            made.append(call.target(*arguments, **{name: _filled(value, sources) for name, value in call.keywords}))
            del arguments
            for index in done:
                made[index] = None
        return made[-1]


def _filled(value: Any, sources: Mapping[str, Sequence[Any]]) -> Any:
    # no closure inside forward: one that calls itself keeps every tensor alive until the garbage collector runs, and
    # each call of a block then waits for fresh pages
    if isinstance(value, Ref):
        return sources[value.kind][value.index]
    if isinstance(value, list | tuple):
        items = [_filled(item, sources) for item in value]
        return items if isinstance(value, list) else tuple(items)  # the trace's own lists cannot be compiled
    return value


def _refs(value: Any) -> list[Ref]:
    if isinstance(value, BlockCall):
        return _refs([value.arguments, value.keywords])
    if isinstance(value, list | tuple):
        return [ref for item in value for ref in _refs(item)]
    return [value] if isinstance(value, Ref) else []


def call_name(target: Any) -> str:
    """Return the name of an ATen call without its overload."""
    return getattr(getattr(target, "overloadpacket", target), "__name__", str(target))


def without_side_effect(target: Any) -> Any:
    """Return the call that makes a new tensor, for a call that works in place.

    A block that is timed repeatedly must not change its own input: values would become subnormal, which are slow.
    """
    name = call_name(target)
    pure = getattr(torch.ops.aten, name.removesuffix("_"), None)
    if name == name.removesuffix("_") or name.startswith("_") or pure is None:
        return target
    overload = getattr(target, "_overloadname", "default") or "default"
    return getattr(pure, overload, target)


def common_unit(vector: Vector) -> tuple[Vector, int]:
    """Return a linear form without its common factor, and that factor."""
    factor = 0
    for value in vector.tolist():
        factor = gcd(factor, int(value))
    return vector // max(1, factor), max(1, factor)


def side_of(unit: Vector, sizes: Vector) -> Side:
    """Return the side of a linear form over groups of these sizes."""
    step = 0
    for value in unit[1:].tolist():
        step = gcd(step, int(value))
    return Side(unit, int(unit.sum()), int(unit[0] + unit[1:] @ sizes), max(1, step))


def is_plain(value: Any) -> bool:
    """Return if an argument can be used again at other widths: not a device, a symbolic size or a tensor."""
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return value is None or isinstance(value, bool | int | float | str | Ref | torch.dtype | torch.layout)
