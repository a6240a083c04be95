"""Reflected and repeated borders as slices and concatenation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .call import Call, Replacement

MODES = {"aten.reflection_pad2d.default": "reflect", "aten.replication_pad2d.default": "replicate"}


class SlicedPadding(nn.Module):
    """Reflected or repeated borders.

    Args:
        pads: Before and after the last axis, then the one before it, and so on, as `torch.nn.functional.pad` has it.
        mode: `reflect` or `replicate`.
    """

    def __init__(self, pads: tuple[int, ...], mode: str) -> None:
        super().__init__()
        self.pads, self.mode = pads, mode

    def forward(self, x: Tensor) -> Tensor:
        """Return the input with its borders."""
        axes = [x.ndim - 1 - place for place in range(len(self.pads) // 2)]
        # One side of every axis, then the other: converters join neighboring concatenations of one axis, and XNNPACK
        # leaves those of many tensors, which splits the graph.
        for axis, n_before in zip(axes, self.pads[::2], strict=True):
            first = [self._one(x, axis, -n if self.mode == "reflect" else 0) for n in range(-n_before, 0)]
            x = torch.cat([*first, x], axis) if first else x
        for axis, n_after in zip(axes, self.pads[1::2], strict=True):
            last = [self._last(x, axis, n if self.mode == "reflect" else 0) for n in range(1, n_after + 1)]
            x = torch.cat([x, *last], axis) if last else x
        return x

    def _one(self, x: Tensor, axis: int, place: int) -> Tensor:
        return x.narrow(axis, place, 1)

    def _last(self, x: Tensor, axis: int, place: int) -> Tensor:
        return x.narrow(axis, x.shape[axis] - 1 - place, 1)


def rewrite(call: Call) -> Replacement | None:
    """Return borders of slices for a pad that reflects or repeats; one with constant values is left."""
    given = call.arguments
    mode, pads = MODES.get(call.operator, given.get("mode")), given.get("pad", given.get("padding"))
    fixed = all(isinstance(each, int) and each >= 0 for each in pads)
    if mode is None or mode not in MODES.values() or not fixed:
        return None
    return Replacement(SlicedPadding(tuple(pads), mode), (given.get("input", given.get("self")),))
