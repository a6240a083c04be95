"""The line of a user's code at which a cut network first differs from the gated one, or fails."""

from __future__ import annotations

import linecache
import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..groups.channel_groups import ChannelGroups
from ..groups.plan import ChannelPlan
from ..pruning import gates
from .comparison import gated_outputs, outputs_of, relative_difference
from .precision import Precision
from .same_draws import SameDraws

_TORCH = os.path.dirname(torch.__file__)
_GATES = str(gates.__file__)
_GANPRUNE_FOLDERS = (_GATES, os.path.dirname(__file__))
_NORMS = ("group_norm", "layer_norm")  # the gated network computes these in hooks


@dataclass(frozen=True)
class _Call:
    """A call of a torch function: its name, the line that called it, and its result."""

    name: str
    line: str
    outputs: tuple[Tensor, ...]


def first_difference(
    full: nn.Module,
    small: nn.Module,
    groups: ChannelGroups,
    plan: ChannelPlan,
    inputs: tuple[Tensor, ...],
    precision: Precision,
) -> str:
    """Return the line at which a cut network first differs from the gated one; empty if none is found.

    See `compare` for the arguments.
    """
    with torch.no_grad(), SameDraws():
        with _Record() as expected:
            gated_outputs(full, groups, plan, inputs)
        with _Record() as found:
            small(*inputs)
    sizes = {groups.sizes[name]: kept for name, kept in plan.kept.items() if len(kept) < groups.sizes[name]}
    for gated, cut in zip(expected.calls, found.calls, strict=False):
        if (gated.name, gated.line) != (cut.name, cut.line):
            return ""
        if gated.name in _NORMS:
            continue
        for a, b in zip(gated.outputs, cut.outputs, strict=False):
            kept = _kept(a, b, sizes)
            if kept is not None and relative_difference((kept,), (b,)) > precision.tolerance:
                return gated.line
    return ""


def _kept(gated: Tensor, cut: Tensor, sizes: dict[int, tuple[int, ...]]) -> Tensor | None:
    """Return the part of a gated network's tensor that the cut network should have; None if that is unknown."""
    if gated.shape == cut.shape:
        return gated
    if gated.ndim != cut.ndim or len(sizes) != 1:  # with several groups, axes cannot be identified by their sizes
        return None
    other = [axis for axis in range(gated.ndim) if gated.shape[axis] != cut.shape[axis]]
    kept = sizes.get(gated.shape[other[0]])
    if len(other) != 1 or kept is None or cut.shape[other[0]] != len(kept):
        return None
    return gated.index_select(other[0], torch.tensor(kept))


class _Record(TorchFunctionMode):
    """A recorder of every call of a torch function, except those of the gates' own hooks."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[_Call] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        outputs = tuple(x for x in outputs_of(result) if x.is_floating_point())
        frame = _user_frame(sys._getframe(1))
        if outputs and not _of_hook(frame):
            self.calls.append(_Call(getattr(func, "__name__", ""), _frame_line(frame), outputs))
        return result


def _user_frame(frame: FrameType | None) -> FrameType | None:
    while frame is not None and frame.f_code.co_filename.startswith((_TORCH, "<")):
        frame = frame.f_back
    return frame


def _of_hook(frame: FrameType | None) -> bool:
    return frame is not None and frame.f_code.co_filename == _GATES and frame.f_code.co_name != "gated_call"


def _frame_line(frame: FrameType | None) -> str:
    return "" if frame is None else _shown(frame.f_code.co_filename, frame.f_lineno)


def line_of_error(error: BaseException) -> str:
    """Return the line of a user's code that raised an error; empty if the error came from other code."""
    for entry in reversed(traceback.extract_tb(error.__traceback__)):
        if not entry.filename.startswith((_TORCH, "<")):
            return _shown(entry.filename, entry.lineno or 0)
    return ""


def _shown(file: str, number: int) -> str:
    """Return file, line and its text; empty for ganprune's own code."""
    if file.startswith(_GANPRUNE_FOLDERS) or Path(file).name == "surgery.py":
        return ""
    text = linecache.getline(file, number).strip()
    return f"{Path(file).name}:{number}" + (f": {text}" if text else "")
