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
        for place in range(len(self.pads) // 2):
            axis = x.ndim - 1 - place
            before, after = self.pads[2 * place : 2 * place + 2]
            parts = [self._one(x, axis, -n if self.mode == "reflect" else 0) for n in range(-before, 0)]
            parts += [x]
            parts += [self._last(x, axis, n if self.mode == "reflect" else 0) for n in range(1, after + 1)]
            x = torch.cat(parts, axis) if len(parts) > 1 else x
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
