"""A call of a weighted layer: the entries of its input that each output reads, and its kernel as matrices.

Convolutions and transposed convolutions of one to three dimensions, with any stride, dilation, padding and number of
groups, and linear layers. All are sums over taps: entry `t` of the kernel times the input at a position that follows
from the output's. `layer_parts` returns them as rows of a least-squares problem.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .least_squares import Part

_CONVOLUTIONS = {"conv1d": 1, "conv2d": 2, "conv3d": 3}
_TRANSPOSED = {"conv_transpose1d": 1, "conv_transpose2d": 2, "conv_transpose3d": 3}
_ORDER = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_TRANSPOSED_ORDER = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
PRODUCT = "matmul"  # with a parameter [inputs, outputs] on the right, the call is a linear layer
WEIGHTED_KINDS = frozenset([*_CONVOLUTIONS, *_TRANSPOSED, "linear", PRODUCT])


class NotRefitted(Exception):
    """An error: a form of a call is not refitted; the message is the reason for the record."""


@dataclass(frozen=True)
class Layer:
    """The geometry of one call.

    Attributes:
        transposed: True for a transposed convolution, or a product with a matrix [inputs, outputs].
        kernel: Size of the kernel; empty for a linear layer.
        stride, padding, dilation: Values per dimension; the padding is that of the near side.
        groups: Number of groups of channels.
    """

    transposed: bool
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def channel_axis(self) -> int:
        """Axis of input and output that carries the channels."""
        return 1 if self.kernel else -1

    def positions(self, shape: tuple[int, ...], images: Tensor, n: int, generator: torch.Generator) -> Tensor:
        """Return n random positions of the output, or all if there are fewer: int64 [P, 1 + dimensions].

        Args:
            shape: Shape of the output.
            images: Indices of the images of the positions, int64 [I].
            n: Number of positions.
            generator: Random numbers, on the CPU.
        """
        grid = shape[2:] if self.kernel else shape[1:-1]
        total = len(images) * prod(grid)
        flat = torch.randperm(total, generator=generator)[:n].sort().values if n < total else torch.arange(total)
        places = []
        for size in reversed(grid):
            places.append(flat % size)
            flat = flat // size
        return torch.stack([images[flat], *reversed(places)], 1)

    def grid(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return an output's shape without its channels."""
        return (shape[0], *shape[2:]) if self.kernel else shape[:-1]

    def at(self, output: Tensor, places: Tensor) -> Tensor:
        """Return the output's channels at positions, [P, O]."""
        index = places.to(output.device).unbind(1)
        return output.movedim(self.channel_axis, -1)[index]

    def patches(self, x: Tensor, places: Tensor) -> Tensor:
        """Return the inputs of the outputs at positions, [P, C, T]; zero beyond the border."""
        places = places.to(x.device)
        if not self.kernel:
            return x[places.unbind(1)][..., None]
        taps = _grid(self.kernel).to(x.device)  # [T, dimensions]
        flat = torch.zeros(len(places), len(taps), dtype=torch.int64, device=x.device)
        inside = torch.ones_like(flat, dtype=torch.bool)
        for axis, size in enumerate(x.shape[2:]):
            here = self._read(places[:, 1 + axis, None], taps[None, :, axis], axis)
            inside &= (here >= 0) & (here < size)
            flat = flat * size + here.clamp(0, size - 1)
        found = x.flatten(2)[places[:, :1], :, flat]  # [P, T, C]
        return (found * inside[..., None]).mT

    def _read(self, place: Tensor, tap: Tensor, axis: int) -> Tensor:
        """Return the input's index that an output reads through a tap on one axis; out of range if there is none."""
        if not self.transposed:
            return place * self.stride[axis] + tap * self.dilation[axis] - self.padding[axis]
        spread = place + self.padding[axis] - tap * self.dilation[axis]
        return torch.where(spread % self.stride[axis] == 0, spread // self.stride[axis], -1)

    def phases(self, places: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return rows that read through the same taps, with these taps: pairs of int64 [P_i], [T_i]."""
        if not self.transposed or not self.kernel:
            return [(torch.arange(len(places)), torch.arange(max(1, prod(self.kernel))))]
        taps = _grid(self.kernel)
        stride, padding, dilation = (torch.tensor(each) for each in (self.stride, self.padding, self.dilation))
        of_tap = (taps * dilation) % stride
        of_place = (places[:, 1:] + padding) % stride
        found = []
        for phase in torch.unique(of_place, dim=0):
            reading = (of_tap == phase).all(1).nonzero()[:, 0]
            if len(reading):
                found.append(((of_place == phase).all(1).nonzero()[:, 0], reading))
        return found

    def grouped(self, values: Tensor) -> Tensor:
        """Return values [P, C] or [P, C, T] by group: [G, P, C / G] or [G, P, C T / G]."""
        split = values.unflatten(1, (self.groups, -1)).movedim(1, 0)  # [G, P, C / G(, T)]
        return split.flatten(2)

    def matrices(self, weight: Tensor) -> Tensor:
        """Return a kernel as [G, O / G, C / G, T]."""
        if not self.kernel:
            return (weight.mT if self.transposed else weight)[None, ..., None]
        whole = weight.flatten(2).unflatten(0, (self.groups, -1))
        return whole.transpose(1, 2) if self.transposed else whole

    def kernel_of(self, matrices: Tensor, like: Tensor) -> Tensor:
        """Return the kernel of these `matrices`."""
        if not self.kernel:
            return (matrices[0, ..., 0].mT if self.transposed else matrices[0, ..., 0]).to(like)
        whole = matrices.transpose(1, 2) if self.transposed else matrices
        return whole.flatten(0, 1).reshape(like.shape).to(like)


def is_weighted(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Return True if a call is a layer's: one in `WEIGHTED_KINDS`, or a product with a matrix on the right."""
    if name != PRODUCT:
        return name in WEIGHTED_KINDS
    left, right = args[0], args[1] if len(args) > 1 else kwargs.get("other")
    return isinstance(right, Tensor) and right.ndim == 2 and isinstance(left, Tensor) and left.ndim > 1


def layer_of(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Layer, Tensor, Tensor, Tensor | None]:
    """Return geometry, input, weight and bias of a call of a name in `WEIGHTED_KINDS`.

    Raises:
        NotRefitted: The input has no batch axis.
    """
    if name == PRODUCT:
        x, weight = args[0], args[1] if len(args) > 1 else kwargs["other"]
        if x.ndim < 2:
            raise NotRefitted("its input has no batch axis")
        return Layer(True, (), (), (), (), 1), x, weight, None
    order = _TRANSPOSED_ORDER if name in _TRANSPOSED else _ORDER
    options = dict(zip(order, args, strict=False)) | kwargs
    x, weight, bias = options["input"], options["weight"], options.get("bias")
    if name == "linear":
        if x.ndim < 2:
            raise NotRefitted("its input has no batch axis")
        return Layer(False, (), (), (), (), 1), x, weight, bias
    n = _CONVOLUTIONS.get(name) or _TRANSPOSED[name]
    if x.ndim != n + 2:
        raise NotRefitted("its input has no batch axis")
    kernel, dilation = tuple(weight.shape[2:]), _several(options.get("dilation", 1), n)
    padding = options.get("padding", 0)
    if isinstance(padding, str):
        reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        padding = tuple(each // 2 if padding == "same" else 0 for each in reach)
    stride = _several(options.get("stride", 1), n)
    geometry = Layer(name in _TRANSPOSED, kernel, stride, _several(padding, n), dilation, options.get("groups", 1))
    return geometry, x, weight, bias


def _several(value: Any, n: int) -> tuple[int, ...]:
    given = tuple(value) if isinstance(value, list | tuple) else (value,)
    return given * n if len(given) == 1 else given


def _grid(sizes: tuple[int, ...]) -> Tensor:
    return torch.cartesian_prod(*(torch.arange(size) for size in sizes)).reshape(-1, len(sizes))


class Taps(NamedTuple):
    """A part of a layer with its entries of the kernel."""

    taps: tuple[int, ...]
    part: Part


def layer_parts(layer: Layer, read: Tensor, target: Tensor, weight: Tensor, places: Tensor) -> list[Taps]:
    """Return a layer's rows, one part per phase.

    Args:
        layer: Geometry of the layer.
        read: Its inputs, [P, C, T].
        target: Its target outputs, [P, O].
        weight: Its weight.
        places: Positions of the output, [P, 1 + dimensions].
    """
    kernel = layer.matrices(weight.detach())
    found = []
    for rows, taps in layer.phases(places):
        own = kernel[..., taps.to(kernel.device)].flatten(2)
        here = rows.to(read.device)
        inputs = layer.grouped(read[here][..., taps.to(read.device)])
        found.append(Taps(tuple(taps.tolist()), Part(inputs, layer.grouped(target[here]), own)))
    return found


def merged(parts: list[Taps]) -> list[Taps]:
    """Return parts with the rows of equal taps concatenated."""
    by_taps: dict[tuple[int, ...], list[Part]] = {}
    for one in parts:
        by_taps.setdefault(one.taps, []).append(one.part)
    return [
        Taps(
            taps,
            Part(
                torch.cat([part.inputs_GPD for part in several], 1),
                torch.cat([part.targets_GPO for part in several], 1),
                several[0].weights_GOD,
            ),
        )
        for taps, several in by_taps.items()
    ]
