"""Rules of norms: per channel, over groups of channels, over all of them, and norms written out in a module."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import fx

from .calls import Call, Island, Norm, Walk, on_channels, tensors
from .graph.flat_graph import call_name, module_of
from .labels import Traced, Zero, varying
from .unpruned_reasons import Why

CASTS = frozenset(["to", "_to_copy", "type_as", "alias", "contiguous"])


def _affine_zero(weight: Traced | None, bias: Traced | None) -> Zero | None:
    """Return the gates that make an affine norm's output zero for any input."""
    if weight is None:
        return None
    zeros = [weight.zero_on(0), *([bias.zero_on(0)] if bias is not None else [])]
    if not all(zeros):
        return None
    return Zero(np.zeros((1,), dtype=np.int64), frozenset().union(*(zero.gates for zero in zeros if zero)))


def per_channel_norm(walk: Walk, call: Call) -> list[Traced]:
    """Follow batch and instance norm: affine parameters and statistics belong to the channel."""
    x, weight, bias = call.arguments[0], call.option("weight"), call.option("bias")
    for label in x.labels:
        if label.shape[1] == 1:
            walk.book.pin(label, Why.NORM_OVER_MORE(module=call.within))
    ids = walk.book.along(x, 1, Why.NETWORK_INPUT())
    for parameter in tensors(call.arguments[1:]):
        walk.book.tie(ids, walk.book.along(parameter, 0, Why.BARE_NORM()))
    if isinstance(walk.modules.get(call.module), torch.nn.modules.batchnorm._NormBase):
        walk.norms.append(Norm(call.module, ids))
    zero = _affine_zero(weight, bias)
    if weight is None and call.name == "instance_norm" and call.option("running_mean") is None:
        zero = x.zero_on(1)  # a plane of zeros has mean 0
        zero = zero and Zero(zero.label, zero.gates)
    return [on_channels(call.shapes[0], ids, 1, zero)]


def _is_plain(walk: Walk, call: Call, kind: type[torch.nn.Module]) -> bool:
    """Return True if a torch.nn module computes this norm and nothing else; subclasses may do more."""
    module = walk.modules.get(call.module)
    if not isinstance(module, kind):
        return False
    if any(call.option(name) != getattr(module, name) for name in ("eps", "num_groups") if name in call.options):
        return False
    if type(module).forward is kind.forward:
        return True
    assert walk.graph is not None
    return all(
        call_name(node.target) in (call.name, *CASTS)
        for node in walk.graph.nodes
        if node.op == "call_function" and module_of(node) == call.module
    )


def _masked(walk: Walk, call: Call, ids: np.ndarray, kind: type[torch.nn.Module]) -> None:
    if _is_plain(walk, call, kind):
        walk.norms.append(Norm(call.module, ids))
    else:
        walk.book.pin(ids, Why.FUNCTIONAL_NORM(name=call.name, module=call.within, layer=kind.__name__))


def group_norm(walk: Walk, call: Call) -> list[Traced]:
    """Follow group norm: the same local channels stay in every norm group; statistics exclude dropped ones."""
    x, n_groups = call.arguments[0], call.option("num_groups", default=call.argument(1))
    for label in x.labels:
        if label.shape[1] == 1:
            walk.book.pin(label, Why.NORM_OVER_MORE(module=call.within))
    ids = walk.book.along(x, 1, Why.NETWORK_INPUT())
    local = ids.reshape(n_groups, -1)
    alone = local.shape[1] == 1 and isinstance(walk.modules.get(call.module), torch.nn.GroupNorm)
    if not alone:  # a group of one channel is dropped with the channel
        walk.book.tie(local[:1], local)
    for parameter in tensors(call.arguments[2:]):
        walk.book.tie(ids, walk.book.along(parameter, 0, Why.BARE_NORM()))
    _masked(walk, call, ids, torch.nn.GroupNorm)
    return [on_channels(call.shapes[0], ids, 1, _affine_zero(call.option("weight"), call.option("bias")))]


def layer_norm(walk: Walk, call: Call) -> list[Traced]:
    """Follow layer or RMS norm of one axis, which carries the channels; the axes after it have size 1."""
    x, normalized = call.arguments[0], call.arguments[1]
    kind = torch.nn.RMSNorm if call.name == "rms_norm" else torch.nn.LayerNorm
    first = len(x.shape) - len(normalized)
    output, alone = Traced(call.shapes[0]), all(size == 1 for size in normalized[1:])
    for label in x.labels:
        inside = {axis for axis in varying(label) if axis >= first}
        if inside and inside != varying(label):  # heads, each normalized separately
            label = walk.book.coarse(label, varying(label) - inside)
        output.labels.append(label)
        if not inside:
            continue
        if not alone:
            walk.book.pin(label, Why.NORM_OVER_MORE(module=call.module or "a layer norm"))
            continue
        ids = walk.book.along(replace(x, labels=[label]), first, Why.NETWORK_INPUT())
        for parameter in tensors(call.arguments[2:]):
            walk.book.tie(ids, walk.book.along(parameter, 0, Why.BARE_NORM()))
        _masked(walk, call, ids, kind)
        zero = _affine_zero(call.option("weight"), call.option("bias"))
        if zero is not None:
            output.zeros.append(Zero(label, zero.gates))
    return [output]


@dataclass(frozen=True)
class OwnModule:
    """A module of one input and one output of the same shape, with only vectors as weights: possibly a norm.

    Attributes:
        name: Its name.
        source: Node of its input.
        first, last: Its first call, and the call of its output.
        parameters: The parameters that it reads.
    """

    name: str
    source: fx.Node
    first: fx.Node
    last: fx.Node
    parameters: tuple[str, ...]


def own_modules(walk: Walk) -> list[OwnModule]:
    """Return the modules of a graph that may be norms, the outermost of nested ones first."""
    assert walk.graph is not None
    inside: dict[str, list[fx.Node]] = {}
    for node in walk.graph.nodes:
        if node.op == "call_function":
            for name in {str(path) for path, _ in (node.meta.get("nn_module_stack") or {}).values()} - {""}:
                inside.setdefault(name, []).append(node)
    found = []
    for name, nodes in inside.items():
        module = walk.modules.get(name)
        if module is None or not all(_is_vector(one) for one in module.state_dict().values()):
            continue
        members = set(nodes)
        outer = {given for node in nodes for given in node.all_input_nodes if given not in members}
        read = {given for given in outer if given.name in walk.parameters}
        sources = [given for given in outer - read if given.op != "get_attr"]
        last = [node for node in nodes if any(user not in members for user in node.users)]
        if len(sources) != 1 or len(last) != 1:
            continue
        values = [node.meta.get("val") for node in (sources[0], last[0])]
        shapes = [value.shape if isinstance(value, torch.Tensor) else None for value in values]
        if None in shapes or shapes[0] != shapes[1]:
            continue
        parameters = tuple(sorted(walk.parameters[given.name] for given in read))
        if all(parameter.startswith(f"{name}.") for parameter in parameters):
            found.append(OwnModule(name, sources[0], nodes[0], last[0], parameters))
    return sorted(found, key=lambda one: one.name.count("."))


def _is_vector(tensor: torch.Tensor) -> bool:
    """Return True if a tensor can carry channels: real numbers along one axis."""
    return tensor.numel() == 1 or (tensor.numel() == max(tensor.shape, default=1) and tensor.is_floating_point())


def as_island(walk: Walk, module: OwnModule, marks: tuple[int, ...]) -> Traced | None:
    """Return the output of a module that mixes channels, if a gated network can run it on the kept ones only.

    Args:
        walk: The state of the walk, including the module's calls.
        module: The module.
        marks: Marks from before the module's first call; later records are deleted if the module is an island.
    """
    source = walk.values[module.source.name]
    if not isinstance(source, Traced) or len(source.labels) != 1 or len(varying(source.labels[0])) != 1:
        return None
    (label,) = source.labels
    (axis,) = varying(label)
    own = np.unique(label)
    if not any(np.isin(ids, own).any() for ids, _ in walk.book.pins[marks[-1] :]):
        return None
    if walk.works_since(marks):  # its price would also be deleted
        return None
    tied = []
    for name in module.parameters:
        sites = [site for site in walk.sites if site.parameter == name and len(site.ids) > 1]
        size = max(walk.shapes[name], default=1)
        if size == 1:
            continue
        if len(sites) != 1 or len(sites[0].ids) != label.size:
            return None
        tied.append(sites[0])
    walk.forget(marks)
    for site in tied:
        walk.book.tie(label.ravel(), site.ids)
    names = tuple((site.parameter.removeprefix(f"{module.name}."), site.axis) for site in tied)
    walk.islands.append(Island(module.name, axis, label.ravel(), names))
    return Traced(source.shape, [label])
