"""The trace of a cut network compared with that of the dense one: the same calls, smaller only by the cut.

A size that is fixed in the network's code leads to another shape, or an error. A factor that is computed from a size
becomes another number. In both cases the cut network differs from the gated one, so the groups at fault are left
unpruned.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from ..files.meta_device import meta_copy
from ..tracing.calls import Walk, options_of
from ..tracing.graph.export import NotTraceable, export, shapes_of
from ..tracing.graph.flat_graph import call_name, flat_graph, module_of
from ..tracing.labels import Traced, align, varying
from ..tracing.layout_rules import created, layout
from ..tracing.trace import IDLE, RULES
from ..tracing.unpruned_reasons import UnprunedReason, Why
from .channel_groups import ChannelGroups
from .plan import ChannelPlan
from .surgery import cut

# Calls whose numeric arguments are sizes: their outputs' shapes are compared instead.
_SIZED_OPERATORS = frozenset(
    [name for name, rule in RULES.items() if rule in (layout, created)]
    + ["layer_norm", "rms_norm", "native_group_norm", "native_layer_norm", "resize", "empty_like"]
)
_GROUPED = frozenset(name for name in RULES if name.startswith("conv"))
_MAX_REASON_CHARACTERS = 160  # maximum number of characters of a reason


def channels_of(walk: Walk, groups: ChannelGroups) -> np.ndarray:
    """Return the channel of each label, as in `AxisChannels.flat`."""
    atom_of = walk.book.atoms()
    known = {(entry.parameter, entry.axis): entry.flat for entry in groups.axes}
    flat_of_atom = np.zeros(int(atom_of.max(initial=0)) + 1, dtype=np.int64)
    for site in walk.sites:
        if (site.parameter, site.axis) in known:
            flat_of_atom[atom_of[site.ids]] = known[site.parameter, site.axis]
    return flat_of_atom[atom_of]


class CutTrace:
    """A comparison of cuts of a network with its dense trace."""

    def __init__(self, model: nn.Module, inputs: tuple[Tensor, ...], groups: ChannelGroups, walk: Walk) -> None:
        self._meta = meta_copy(model)
        self._inputs, self._groups, self._walk = inputs, groups, walk
        self._flat = channels_of(walk, groups)
        draw = np.random.default_rng(0)
        self._kept = {
            group.name: tuple(
                sorted(draw.choice(group.size, int(draw.integers(1, max(2, group.size))), replace=False).tolist())
            )
            for group in groups.groups
        }

    def failing(self) -> dict[str, UnprunedReason]:
        """Return the groups that cannot be cut, with reasons: the fewest that cause a difference."""
        found: dict[str, UnprunedReason] = {}
        names = list(self._kept)
        while names and (reason := self._difference(names)) is not None:
            culprits = self._narrowed(names, reason)
            found |= culprits
            names = [name for name in names if name not in culprits]
        return found

    def _narrowed(self, names: Sequence[str], reason: UnprunedReason) -> dict[str, UnprunedReason]:
        """Return the groups of a set whose cut causes a difference; the whole set if no part alone does."""
        if len(names) == 1:
            return {names[0]: reason}
        half = len(names) // 2
        parts = names[:half], names[half:]
        for part in parts:
            if (own := self._difference(part)) is not None:
                return self._narrowed(part, own)
        return dict.fromkeys(names, reason)

    def _difference(self, names: Sequence[str]) -> UnprunedReason | None:
        """Return the first difference of the network with these groups cut; None if there is none."""
        full = {group.name: tuple(range(group.size)) for group in self._groups.groups}
        plan = ChannelPlan({name: self._kept[name] if name in names else all_ for name, all_ in full.items()})
        mask = self._groups.mask(plan)
        try:
            program = export(cut(self._meta, self._groups, plan), self._inputs)
        except NotTraceable as error:
            return _fixed(_first_line(error.__cause__ or error))
        except Exception as error:  # whatever the network's code raises is the reason that is reported
            return _fixed(_first_line(error))
        graph = flat_graph(program.graph_module, RULES, IDLE)
        assert self._walk.graph is not None
        dense_calls, calls = _calls(self._walk.graph), _calls(graph)
        islands = tuple(f"{island.module}." for island in self._walk.islands)
        for dense, small in zip(dense_calls, calls, strict=False):
            place = f"{call_name(dense.target)}{_line(dense)}"
            if dense.target != small.target:
                return _fixed(f"it takes another way with fewer channels, at {place}")
            if f"{module_of(dense)}.".startswith(islands):
                continue
            alone = _is_alone(dense)
            if call_name(dense.target) not in _SIZED_OPERATORS and _numbers(dense, alone) != _numbers(small, alone):
                return Why.SHAPE_FACTOR(call=place)
            if not self._fits(self._walk.values[dense.name], shapes_of(small), mask):
                return _fixed(f"{place} gives {[list(shape) for shape in shapes_of(small)][:2]}")
        if len(dense_calls) != len(calls):
            return _fixed("it makes other calls with fewer channels")
        if not _same_constants(self._walk.constants, program.constants):
            return Why.SHAPE_FACTOR(call="the model")
        return None

    def _fits(self, values: Any, shapes: Sequence[tuple[int, ...]], mask: np.ndarray) -> bool:
        """Return True if tensors have the shapes that follow from the kept channels of their labels."""
        known = [one for one in (values if isinstance(values, list) else [values]) if isinstance(one, Traced)]
        for traced, shape in zip(known, shapes, strict=False):
            if len(traced.shape) != len(shape):
                return False
            kept = [np.ones(size, dtype=bool) for size in traced.shape]
            for label in traced.labels:
                alive = mask[self._flat[align(label, len(shape))]]
                for axis in varying(label):
                    others = tuple(other for other in range(len(shape)) if other != axis)
                    kept[axis] &= alive.any(axis=others)
            for axis, size in enumerate(shape):
                if axis not in traced.uniform and int(kept[axis].sum()) != size:
                    return False
        return True


def _calls(graph: fx.Graph) -> list[fx.Node]:
    return [node for node in graph.nodes if node.op == "call_function" and shapes_of(node)]


def _is_alone(node: fx.Node) -> bool:
    """Return True if a group norm has one group per channel."""
    options = options_of(node.target, node.args, dict(node.kwargs)) if callable(node.target) else {}
    given = shapes_of(node.args[0])[0] if node.args and isinstance(node.args[0], fx.Node) else ()
    return "num_groups" in options and len(given) > 1 and options["num_groups"] == given[1]


def _numbers(node: fx.Node, alone: bool) -> list[Any]:
    """Return all plain numbers among a call's arguments, except the groups of a convolution.

    Args:
        node: The call.
        alone: True for a group norm with one group per channel, whose number follows the channels.
    """
    found: list[Any] = []

    def visit(value: Any) -> None:
        if isinstance(value, list | tuple):
            for one in value:
                visit(one)
        elif isinstance(value, dict):
            visit(list(value.values()))
        elif isinstance(value, bool | int | float):
            found.append(value)

    assert callable(node.target)
    options = options_of(node.target, node.args, dict(node.kwargs))
    sized = ("groups",) if call_name(node.target) in _GROUPED else ("num_groups",) if alone else ()
    visit([value for name, value in options.items() if name not in sized])
    return found


def _same_constants(dense: Mapping[str, Any], small: Mapping[str, Any]) -> bool:
    """Return True if the tensors that the code made from plain numbers contain the same numbers."""
    if dense.keys() != small.keys():
        return False
    for name, value in dense.items():
        other = small[name]
        if isinstance(value, Tensor) and isinstance(other, Tensor):
            if value.is_meta or other.is_meta:
                continue
            if value.shape == other.shape and not torch.equal(value, other):
                return False
    return True


def _line(node: fx.Node) -> str:
    """Return the line of the network's own code that makes a call, as ` at FILE:LINE `code``."""
    places = re.findall(r'File "([^"]+)", line (\d+), in [^\n]+\n\s*([^\n]+)', node.meta.get("stack_trace") or "")
    own = [one for one in places if not Path(one[0]).is_relative_to(Path(torch.__file__).parent)]
    if not own:
        return f" in {module_of(node) or 'the model'}"
    file, line, code = own[-1]
    return f" at {Path(file).name}:{line} `{code.strip()}`"


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _fixed(message: str) -> UnprunedReason:
    return Why.FIXED_SIZE(message=message[:_MAX_REASON_CHARACTERS])
