"""Parameters that a tensor is proportional to: a factor on them multiplies the tensor and nothing else.

A call may compute a number from a size, as attention divides scores by the root of a head's size. In a cut network the
size, and so the number, differ. Weights before the call are then rescaled to compensate.
"""

from __future__ import annotations

import operator
from math import prod

import numpy as np
from torch import fx

from .calls import Rescale, Walk, tensors
from .graph.export import shapes_of
from .graph.flat_graph import call_name

_PRODUCTS = frozenset(["linear", "conv1d", "conv2d", "conv3d"])  # calls whose weight's first axis writes channels
_NORMS = frozenset(["batch_norm", "instance_norm", "group_norm", "layer_norm", "rms_norm"])
_PASSED = frozenset(  # calls that scale with their first argument
    (
        "view", "reshape", "_unsafe_view", "flatten", "unflatten", "permute", "transpose", "t", "numpy_T", "mT",
        "squeeze", "unsqueeze", "expand", "expand_as", "view_as", "reshape_as", "chunk", "split", "split_with_sizes",
        "unbind", "select", "slice", "narrow", "flip", "roll", "repeat", "repeat_interleave", "movedim", "moveaxis",
        "swapaxes", "swapdims", "tensor_split", "neg", "contiguous", "clone", "detach", "alias", "to", "_to_copy",
        "type_as", "view_as_complex", "view_as_real", "dropout",
    )
)  # fmt: skip
_JOINED = frozenset(["cat", "concat", "stack", "add", "sub"])  # calls that scale with all their arguments together
_FACTORS = frozenset(["mul", "matmul", "bmm", "mm"])  # calls that scale with either argument
_SELECTS = frozenset(["chunk", "split", "split_with_sizes", "unbind", "select", "slice", "narrow", "tensor_split"])


def rescaled(walk: Walk, reader: fx.Node, read: fx.Node, ids: np.ndarray, power: float) -> list[Rescale]:
    """Return the rescaling of parameters that multiplies a call's input by a power of the kept share of channels.

    Args:
        walk: The state of the walk.
        reader: The call.
        read: The tensor [n, ..., length, channels].
        ids: Labels [channels] of the channels.
        power: The exponent.

    Returns:
        Rows of parameters; an empty list if no parameters multiply this tensor and nothing else.
    """
    search = _Search(walk, reader)
    if not search.follow(read, reader):
        return []
    own = np.unique(np.concatenate([label.ravel() for one in tensors(walk.values[read.name]) for label in one.labels]))
    alone = search.alone(own)
    if alone is None:
        return []
    found = []
    for name, weight in search.parameters.items():
        if alone:
            rows = np.arange(max(1, (walk.shapes[name] or (1,))[0]))
        else:
            rows = next(np.flatnonzero(np.isin(s.ids, own)) for s in walk.sites if (s.parameter, s.axis) == (weight, 0))
            if len(rows) * _batch(walk) * shapes_of(read)[0][-2] != prod(shapes_of(read)[0]):
                return []
        found.append(Rescale(name, rows, ids, power))
    return found


def _batch(walk: Walk) -> int:
    assert walk.graph is not None
    inputs = (node for node in walk.graph.nodes if node.op == "placeholder" and node.name not in walk.parameters)
    return next((shapes_of(node)[0][0] for node in inputs if shapes_of(node) and shapes_of(node)[0]), 1)


class _Search:
    """A search from a tensor back to the parameters that it is proportional to.

    Attributes:
        parameters: Parameter -> the weight that has the same rows.
        plain: False if parts of a weight of several rows cannot be separated.
    """

    def __init__(self, walk: Walk, reader: fx.Node) -> None:
        self.walk, self.reader, self.plain = walk, reader, True
        self.parameters: dict[str, str] = {}
        self._seen: dict[fx.Node, bool] = {}
        self._edges: set[tuple[fx.Node, fx.Node]] = set()
        self._own = {name for name, _ in walk.modules[""].named_parameters(remove_duplicate=False)}

    def follow(self, node: fx.Node, user: fx.Node) -> bool:
        """Return True if a node's tensor is proportional to parameters, and record them."""
        self._edges.add((node, user))
        if node not in self._seen:
            self._seen[node] = False  # results for nodes that are met again before they are done
            self._seen[node] = self._scales(node, user)
        return self._seen[node]

    def _scales(self, node: fx.Node, user: fx.Node) -> bool:
        if node.op == "placeholder":
            name = self.walk.parameters.get(node.name, "")
            if name not in self._own:
                return False
            self.parameters.setdefault(name, name)
            return True
        if node.op != "call_function":
            return False
        name, arguments = call_name(node.target), node.args
        if node.target is operator.getitem or name in _PASSED:
            return self._first(node, arguments)
        if name in _JOINED:
            parts = arguments[0] if isinstance(arguments[0], list | tuple) else arguments[:2]
            return all(isinstance(part, fx.Node) and self.follow(part, node) for part in parts)
        if name in _FACTORS:
            return self._one_of(node, arguments[:2])
        if name == "div":
            return self._first(node, arguments)
        if name in _PRODUCTS:
            return self._affine(node, arguments[1], node.kwargs.get("bias", (*arguments, None, None)[2]))
        if name in _NORMS:
            self.plain = False
            first = {"group_norm": 2, "layer_norm": 2, "rms_norm": 2}.get(name, 1)
            weight, bias = (*arguments[first : first + 2], None, None)[:2]
            return self._affine(node, weight, None if name == "rms_norm" else bias)
        return False

    def _first(self, node: fx.Node, arguments: tuple[object, ...]) -> bool:
        return bool(arguments) and isinstance(arguments[0], fx.Node) and self.follow(arguments[0], node)

    def _one_of(self, node: fx.Node, factors: tuple[object, ...]) -> bool:
        """Return True if one factor of a product is proportional to parameters; those of the other are not recorded."""
        for factor in factors:
            before = dict(self.parameters), dict(self._seen), set(self._edges), self.plain
            if isinstance(factor, fx.Node) and self.follow(factor, node):
                return True
            self.parameters, self._seen, self._edges, self.plain = before
        return False

    def _affine(self, node: fx.Node, weight: object, bias: object) -> bool:
        """Return True if a call's output is proportional to its weight and bias."""
        if not isinstance(weight, fx.Node) or not self.follow(weight, node):
            return False
        if not isinstance(bias, fx.Node):
            return bias is None
        if not self.follow(bias, node):
            return False
        if weight.op == bias.op == "placeholder":
            self.parameters[self.walk.parameters[bias.name]] = self.walk.parameters[weight.name]
        return True

    def alone(self, own: np.ndarray) -> bool | None:
        """Return True if no other call reads the parameters, False if others read other rows only, None if they meet.

        Args:
            own: The labels of the tensor.
        """
        walk, alone = self.walk, True
        assert walk.graph is not None
        for node in walk.graph.nodes:  # a tied parameter may enter the graph under each of its names
            held = node.op == "placeholder" and walk.parameters.get(node.name) in self.parameters
            if not held and node not in self._seen:
                continue
            for user in node.users:
                if user is self.reader and sum(one is node for one in user.args) != 1:
                    return None
                if (node, user) in self._edges:
                    continue
                picks = user.target is operator.getitem or call_name(user.target) in _SELECTS
                if held or not picks or not self.plain or user.name not in walk.values:
                    return None
                labels = [label for one in tensors(walk.values[user.name]) for label in one.labels]
                if not labels or any(np.isin(label, own).any() for label in labels):
                    return None
                alone = False
        return alone
