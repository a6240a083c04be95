"""Finds the blocks of a network on its trace."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from ..costs.cost_form import linear_in_widths
from ..groups.channel_groups import ChannelGroups
from ..tracing.calls import Walk
from ..tracing.labels import Traced, align, varying
from ..tracing.trace import walk_graph
from .blocks import (
    FIXED_SIDE,
    WEIGHTED_KINDS,
    Axes,
    Block,
    BlockCall,
    Ref,
    Vector,
    call_name,
    common_unit,
    is_plain,
    side_of,
    without_side_effect,
)

MAX_SIDES = 2


@dataclass(frozen=True)
class Blocks:
    """A network as blocks.

    Attributes:
        groups: Names of the groups, in the order of the sides' units.
        sizes: Their channels at full width, int64 [G].
        blocks: In the order of the graph; the same block may come several times.
        unmeasured: Calls that belong to no block, as `call in module`.
    """

    groups: tuple[str, ...]
    sizes: Vector
    blocks: tuple[Block, ...]
    unmeasured: tuple[str, ...]


class Unfit(ValueError):
    """A call that cannot stand in a block."""


def find_blocks(model: nn.Module, inputs: tuple[Tensor, ...], groups: ChannelGroups) -> Blocks:
    """Split a network into blocks.

    Args:
        model: The network whose groups were found; it is not changed.
        inputs: One example input each, batch included: blocks have its batch and resolution.
        groups: What `find_groups` said of it, nothing left out.

    Raises:
        NotTraceable: The network cannot be followed.
    """
    return _Finder(walk_graph(model, inputs), groups).find()


@dataclass
class _Chain:
    """A block while it grows."""

    nodes: list[fx.Node] = field(default_factory=list)
    units: list[Vector] = field(default_factory=list)
    inputs: dict[str, Axes] = field(default_factory=dict)
    parameters: dict[str, Axes] = field(default_factory=dict)
    calls: list[BlockCall] = field(default_factory=list)
    weighted: bool = False

    def copy(self) -> _Chain:
        """Return an independent copy."""
        return _Chain(
            list(self.nodes),
            list(self.units),
            dict(self.inputs),
            dict(self.parameters),
            list(self.calls),
            self.weighted,
        )


class _Finder:
    def __init__(self, walk: Walk, groups: ChannelGroups) -> None:
        self.walk = walk
        self.names, self.sizes = groups.names, np.array(list(groups.sizes.values()), dtype=np.int64)
        self.bounds = np.cumsum([0, *groups.sizes.values()])
        atom_of = walk.book.atoms()
        known = {(entry.parameter, entry.axis): entry.flat for entry in groups.axes}
        flat_of_atom = np.zeros(int(atom_of.max(initial=0)) + 1, dtype=np.int64)
        for site in walk.sites:
            if (site.parameter, site.axis) in known:
                flat_of_atom[atom_of[site.ids]] = known[site.parameter, site.axis]
        self.flat = flat_of_atom[atom_of]
        assert walk.graph is not None
        self.nodes = list(walk.graph.nodes)
        self.constant = self._constants()

    def _constants(self) -> set[str]:
        """Nodes that no input reaches: parameters, and what is computed from them alone."""
        found: set[str] = set()
        for node in self.nodes:
            made = node.op == "call_function" and bool(node.all_input_nodes)
            stored = node.op == "get_attr" or (node.op == "placeholder" and node.name in self.walk.parameters)
            if stored or (made and all(n.name in found for n in node.all_input_nodes)):
                found.add(node.name)
        return found

    def find(self) -> Blocks:
        taken: set[str] = set()
        blocks, unmeasured = [], {}
        for node in self.nodes:
            if node.op != "call_function" or node.name in taken or node.name in self.constant:
                continue
            if node.target is operator.getitem:
                continue
            try:
                chain = self._grown(_Chain(), node)
            except Unfit:
                unmeasured[f"{call_name(node.target)} in {_module(node) or 'the model'}"] = None
                continue
            chain = self._extended(chain)
            taken |= {n.name for n in chain.nodes}
            blocks.append(self._block(chain))
        return Blocks(self.names, self.sizes, tuple(blocks), tuple(unmeasured))

    def _extended(self, chain: _Chain) -> _Chain:
        """Return the chain with every call that follows it and whose input nothing else uses."""
        while True:
            users = [user for user in chain.nodes[-1].users if user.op == "call_function"]
            if len(chain.nodes[-1].users) != 1 or len(users) != 1 or users[0].target is operator.getitem:
                return chain
            if chain.weighted and call_name(users[0].target) in WEIGHTED_KINDS:
                return chain
            if any(_later(n, chain.nodes[-1]) for n in users[0].all_input_nodes if n.name not in self.constant):
                return chain  # its other input is made by calls that come after the chain
            try:
                chain = self._grown(chain, users[0])
            except Unfit:
                return chain

    def _grown(self, chain: _Chain, node: fx.Node) -> _Chain:
        chain = chain.copy()
        arguments = _map_arg(node.args, lambda n: self._ref(chain, n))
        keywords = tuple((name, _map_arg(value, lambda n: self._ref(chain, n))) for name, value in node.kwargs.items())
        if not is_plain(arguments) or not all(is_plain(value) for _, value in keywords):
            raise Unfit(node.name)
        name = call_name(node.target)
        depthwise = False
        if name.startswith("conv") and len(arguments) > 6 and arguments[6] > 1:
            given = node.all_input_nodes[0].meta["val"]
            depthwise = arguments[6] == given.shape[1]
        chain.nodes.append(node)
        alone = bool(arguments) and isinstance(arguments[0], Ref) and arguments[0].kind == "input"
        target = without_side_effect(node.target) if alone else node.target
        chain.calls.append(BlockCall(target, tuple(arguments), keywords, depthwise))  # type: ignore[arg-type]
        chain.weighted |= name in WEIGHTED_KINDS
        self._try(chain, node)
        return chain

    def _ref(self, chain: _Chain, node: fx.Node) -> Ref:
        inside = [n.name for n in chain.nodes]
        if node.name in inside:
            return Ref("call", inside.index(node.name))
        given = node.meta.get("val")
        if not isinstance(given, Tensor) or not given.is_floating_point():
            raise Unfit(node.name)
        kind, known = ("parameter", chain.parameters) if node.name in self.constant else ("input", chain.inputs)
        if node.name not in known:
            known[node.name] = self._axes(chain, self._traced(node), tuple(given.shape))
        return Ref(kind, list(known).index(node.name))

    def _traced(self, node: fx.Node) -> Traced:
        value = self.walk.values[node.name]
        if not isinstance(value, Traced):
            raise Unfit(node.name)
        return value

    def _axes(self, chain: _Chain, traced: Traced, shape: tuple[int, ...]) -> Axes:
        sizes = [(FIXED_SIDE, n) for n in shape]
        for axis, vector in self._vectors(traced, len(shape)).items():
            unit, factor = common_unit(vector)
            number = next((i for i, other in enumerate(chain.units) if np.array_equal(other, unit)), len(chain.units))
            if number == MAX_SIDES:
                raise Unfit("a third side")
            if number == len(chain.units):
                chain.units.append(unit)
            sizes[axis] = (number, factor)
        return Axes(tuple(sizes))

    def _vectors(self, traced: Traced, ndim: int) -> dict[int, Vector]:
        """Axis -> its positions, linear in the widths; only axes that depend on them."""
        found: dict[int, Vector] = {}
        for label in traced.labels:
            flat = self.flat[align(label, ndim)]
            for axis in range(ndim):
                first = np.take(flat, [0], axis)
                flat = first if (flat == first).all() else flat
            axes = varying(flat)
            if not flat.any() or (not axes and flat.size == 1 and not flat.ravel()[0]):
                continue
            if len(axes) != 1:
                raise Unfit("channels on several axes at once")
            (axis,) = axes
            linear = linear_in_widths(flat.ravel(), self.bounds)
            vector = np.round(linear).astype(np.int64)
            if not np.allclose(vector, linear):
                raise Unfit("a part of a channel")
            found[axis] = vector
        return found

    def _try(self, chain: _Chain, node: fx.Node) -> None:
        """Check by shapes alone that the chain has the network's output at all widths."""
        block = self._block(chain)
        wanted = node.meta.get("val")
        several = wanted if isinstance(wanted, list | tuple) else [wanted]
        if not all(isinstance(one, Tensor) for one in several):
            raise Unfit(node.name)
        traced = self.walk.values[node.name]
        for channels in {tuple(s.lowest for s in block.sides), tuple(s.full for s in block.sides)}:
            try:
                with torch.no_grad():
                    module, inputs = block.build(channels, "meta")
                    made = module(*inputs)
            except Exception as error:  # whatever a call raises at a size that was written into it
                raise Unfit(node.name) from error
            if isinstance(made, Tensor) and isinstance(traced, Traced):
                for axis, vector in self._vectors(traced, len(made.shape)).items():
                    unit, factor = common_unit(vector)
                    number = next((i for i, known in enumerate(chain.units) if np.array_equal(known, unit)), None)
                    # a concatenation's channels are the sum of its sides: nothing to compare with
                    if number is not None and made.shape[axis] != factor * channels[number]:
                        raise Unfit(node.name)

    def _block(self, chain: _Chain) -> Block:
        named = next((n for n in chain.nodes if call_name(n.target) in WEIGHTED_KINDS), chain.nodes[0])
        sides = tuple(side_of(unit, self.sizes) for unit in chain.units)
        inputs, parameters = tuple(chain.inputs.values()), tuple(chain.parameters.values())
        return Block(_module(named), sides, inputs, parameters, tuple(chain.calls))


def _later(node: fx.Node, than: fx.Node) -> bool:
    return node is not than and than < node


def _module(node: fx.Node) -> str:
    stack: list[Any] = list((node.meta.get("nn_module_stack") or {}).values())
    return stack[-1][0] if stack else ""


def _map_arg(argument: Any, fn: Callable[[fx.Node], Any]) -> Any:
    """`fx.map_arg`, whose annotations allow graph nodes as the only result."""
    return fx.map_arg(argument, fn)
