"""Discovery of channel groups by tracing: channels that must be kept or dropped together, in any network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from torch import Tensor, nn

from ..costs.cost_form import INT8, INT8_PER_CHANNEL, CostForm, Row
from ..quantization.fake_quant import channel_axis, quantized_layers
from ..tracing.calls import Walk
from ..tracing.labels import Site
from ..tracing.trace import walk_again, walk_graph
from ..tracing.unpruned_reasons import UnprunedReason, Why
from .channel_groups import (
    AxisChannels,
    ChannelGroup,
    ChannelGroups,
    IslandChannels,
    LayerCost,
    Rescaled,
    Unpruned,
    owner,
)
from .cut_trace import CutTrace, channels_of


def find_groups(
    model: nn.Module,
    example_inputs: Tensor | tuple[Tensor, ...],
    pinned: Mapping[str, UnprunedReason | str] | None = None,
) -> ChannelGroups:
    """Find the channel groups of a network by tracing it once in eval mode, for its shapes only.

    Modules that cannot be followed, or cannot be cut because the code fixes a size, are left unpruned and reported in
    `unpruned`. Inputs and outputs of the network are never pruned.

    Args:
        model: Any module; it is not changed.
        example_inputs: One input (or a tuple) with a batch axis first, e.g. [1, 3, 256, 256].
        pinned: Group name -> reason, for groups that must be left unpruned; a text is the caller's own wording.

    Raises:
        NotTraceable: The graph depends on data.
    """
    inputs = example_inputs if isinstance(example_inputs, tuple) else (example_inputs,)
    whole = {
        name: reason if isinstance(reason, UnprunedReason) else Why.LEFT_WHOLE.saying(reason)
        for name, reason in (pinned or {}).items()
    }
    walk = walk_graph(model, inputs)
    groups = _cuttable(walk, model, inputs, whole)
    while (better := _other_way(walk, groups, model, inputs, whole)) is not None:
        walk, groups = better
    return groups


def _other_way(
    walk: Walk,
    groups: ChannelGroups,
    model: nn.Module,
    inputs: tuple[Tensor, ...],
    whole: Mapping[str, UnprunedReason],
) -> tuple[Walk, ChannelGroups] | None:
    """Return a walk that follows some calls by their second rule and has more prunable work; None if there is none.

    Calls whose channels are all prunable are not changed. The others are tried per kind, then together.
    """
    flat = channels_of(walk, groups)
    open_choices = {key for key, ids in walk.choices.items() if key not in walk.other_way and not flat[ids].all()}
    kinds = sorted({key.partition(":")[0] for key in open_choices})
    found, cheapest = None, groups.form.cheapest()
    for chosen in [*([kind] for kind in kinds), *([kinds] if len(kinds) > 1 else [])]:
        keys = frozenset(key for key in open_choices if key.partition(":")[0] in chosen)
        other = walk_again(walk, walk.other_way | keys)
        if _uncut(other, model, whole).form.cheapest() < cheapest:  # the cut trace can only remove groups
            better = _cuttable(other, model, inputs, whole)
            if better.form.cheapest() < cheapest:
                found, cheapest = (other, better), better.form.cheapest()
    return found


def _cuttable(
    walk: Walk, model: nn.Module, inputs: tuple[Tensor, ...], whole: Mapping[str, UnprunedReason]
) -> ChannelGroups:
    """Return the groups of a walk, without those whose cut differs from the gated network."""
    groups = _uncut(walk, model, whole)
    failing = CutTrace(model, inputs, groups, walk).failing() if groups.groups else {}
    return _assemble(walk, model, {**whole, **failing}) if failing else groups


def _uncut(walk: Walk, model: nn.Module, whole: Mapping[str, UnprunedReason]) -> ChannelGroups:
    """Return the groups that a walk's rules imply."""
    walk.settle_splits()
    walk.settle_products()
    return _assemble(walk, model, whole)


def _assemble(walk: Walk, model: nn.Module, pinned: Mapping[str, UnprunedReason]) -> ChannelGroups:
    atom_of = walk.book.atoms()
    reasons = _reasons(walk, atom_of)
    read = {int(a) for ids in (*(gate.site.ids for gate in walk.gates), *walk.reads) for a in np.unique(atom_of[ids])}
    signature: dict[int, list[tuple[int, int]]] = defaultdict(list)
    first: dict[int, tuple[int, int]] = {}
    for number, site in enumerate(walk.sites):
        atoms, index, counts = np.unique(atom_of[site.ids], return_index=True, return_counts=True)
        for atom, position, count in zip(atoms.tolist(), index.tolist(), counts.tolist(), strict=True):
            signature[atom].append((number, count))
            first.setdefault(atom, (number, position))
    constants = _constants(walk, model, atom_of)
    all_writes = [*constants, *walk.writes]
    write_keys = {(site.parameter, site.axis): order for order, site in reversed(list(enumerate(all_writes)))}
    by_key: dict[tuple[tuple[int, int], ...], list[int]] = defaultdict(list)
    for atom, key in signature.items():
        if atom not in reasons and atom in read:
            by_key[tuple(key)].append(atom)

    found: list[tuple[int, str, tuple[str, ...], list[int]]] = []
    for key, atoms in by_key.items():
        sites = [walk.sites[number] for number, _ in key]
        writers = [write_keys[s.parameter, s.axis] for s in sites if (s.parameter, s.axis) in write_keys]
        if not writers or len(atoms) < 2:
            continue
        modules = tuple(dict.fromkeys(owner(site.parameter) for site in sites))
        found.append(
            (
                min(writers),
                all_writes[min(writers)].parameter
                if min(writers) < len(constants)
                else owner(all_writes[min(writers)].parameter) or all_writes[min(writers)].parameter,
                modules,
                sorted(atoms, key=first.__getitem__),
            )
        )
    found.sort(key=lambda entry: (entry[0], first[entry[3][0]]))

    names: dict[str, int] = defaultdict(int)
    groups, offsets, flat_of_atom = [], {}, np.zeros(int(atom_of.max(initial=0)) + 1, dtype=np.int64)
    held = dict(pinned)
    offset = 0
    for _, writer, modules, atoms in found:
        names[writer] += 1
        name = writer if names[writer] == 1 else f"{writer}#{names[writer]}"
        if name in held:
            reasons.update(dict.fromkeys(atoms, held[name]))
            continue
        groups.append(ChannelGroup(name, len(atoms), modules))
        offsets[name] = offset
        flat_of_atom[atoms] = 1 + offset + np.arange(len(atoms))
        offset += len(atoms)

    def channels(site: Site) -> AxisChannels:
        return AxisChannels(site.parameter, site.axis, flat_of_atom[atom_of[site.ids]])

    axes = tuple(entry for entry in map(channels, walk.sites) if entry.flat.any())
    masks = {(s.parameter, s.axis): channels(s) for s in walk.masks}
    gates: dict[tuple[str, int], tuple[AxisChannels, bool]] = {}
    for gate in walk.gates:
        key = (gate.site.parameter, gate.site.axis)
        binary = gate.binary or key in masks or (key in gates and gates[key][1])
        gates[key] = (channels(gate.site), binary)
    writes = {(s.parameter, s.axis): channels(s) for s in all_writes}
    norms = tuple((norm.module, flat_of_atom[atom_of[norm.ids]]) for norm in walk.norms)
    islands = [
        IslandChannels(one.module, one.axis, flat_of_atom[atom_of[one.ids]], one.parameters) for one in walk.islands
    ]
    rescaled = [
        Rescaled(one.parameter, walk.shapes[one.parameter][0], one.rows, flat_of_atom[atom_of[one.ids]], one.power)
        for one in walk.rescales
    ]
    form = CostForm.from_rows({g.name: g.size for g in groups}, _rows(walk, model, flat_of_atom[atom_of]))
    return ChannelGroups(
        groups=tuple(groups),
        unpruned=_unpruned(walk, model, constants, atom_of, flat_of_atom[atom_of], reasons),
        axes=axes,
        gates=tuple(entry for entry in gates.values() if entry[0].flat.any()),
        writes=tuple(entry for entry in writes.values() if entry.flat.any()),
        norms=tuple(entry for entry in norms if entry[1].any()),
        islands=tuple(entry for entry in islands if entry.flat.any()),
        masks=tuple(entry for key, entry in masks.items() if key not in gates and entry.flat.any()),
        rescaled=tuple(entry for entry in rescaled if entry.flat.any()),
        form=form,
        layers=_layers(walk, flat_of_atom[atom_of]),
        offsets=offsets,
    )


def _constants(walk: Walk, model: nn.Module, atom_of: np.ndarray) -> list[Site]:
    """Return axes of parameters that are activations themselves (StyleGAN's learned constant): no layer writes them."""
    written = {int(a) for site in walk.writes for a in atom_of[site.ids]}
    read = {(gate.site.parameter, gate.site.axis) for gate in walk.gates}
    own = {name for name, _ in model.named_parameters()}
    return [
        site
        for site in walk.sites
        if site.parameter in own
        and (site.parameter, site.axis) not in read
        and len(site.ids) > 1
        and written.isdisjoint(atom_of[site.ids].tolist())
    ]


def _rows(walk: Walk, model: nn.Module, flat: np.ndarray) -> list[Row]:
    """Return every parameter's count and every call's multiply-accumulates, over the channels of two axes."""
    rows = []
    axes: dict[str, list[np.ndarray]] = defaultdict(list)
    for site in walk.sites:
        axes[site.parameter].append(flat[site.ids])
    none = np.zeros(1, dtype=np.int64)
    quantized = {f"{name}.weight".lstrip("."): channel_axis(m) for name, m in quantized_layers(model).items()}
    for name, parameter in model.named_parameters():
        left, right = [*axes.get(name, []), none, none][:2]
        counted = len(left) * len(right)
        each = parameter.numel() / counted
        stored = each if name in quantized else 4 * each
        rows.append(Row(left, right, {"params": each, INT8: stored, INT8_PER_CHANNEL: stored}))
    for name, axis in quantized.items():
        own = model.get_parameter(name)
        ids = next((s.ids for s in walk.sites if (s.parameter, s.axis) == (name, axis)), None)
        channels = np.zeros(own.shape[axis], dtype=np.int64) if ids is None else flat[ids]
        rows += [Row(none, none, {INT8: 4.0}), Row(channels, none, {INT8_PER_CHANNEL: 4.0})]
    for work in walk.work:
        left = none if work.rows is None else flat[work.rows]
        right = none if work.columns is None else flat[work.columns]
        rows.append(Row(left, right, {"macs": work.exact, "macs_published": work.published}))
    return rows


def _layers(walk: Walk, flat: np.ndarray) -> tuple[LayerCost, ...]:
    layers = []
    for work in walk.work:
        rows, columns, outputs = (None if ids is None else flat[ids] for ids in (work.rows, work.columns, work.output))
        n = (1 if rows is None else len(rows)) * (1 if columns is None else len(columns))
        layers.append(
            LayerCost(
                work.module,
                work.kind,
                round(n * work.exact),
                round(n * work.published),
                output_shape=work.shape,
                outputs=outputs,
                rows=rows,
                columns=columns,
            )
        )
    return tuple(layers)


def _reasons(walk: Walk, atom_of: np.ndarray) -> dict[int, UnprunedReason]:
    reasons: dict[int, UnprunedReason] = {}
    for ids, reason in walk.book.pins:
        for atom in np.unique(atom_of[ids]).tolist():
            reasons.setdefault(atom, reason)
    return reasons


def _unpruned(
    walk: Walk,
    model: nn.Module,
    constants: list[Site],
    atom_of: np.ndarray,
    flat: np.ndarray,
    reasons: dict[int, UnprunedReason],
) -> tuple[Unpruned, ...]:
    """Return the modules without prunable channels: those that write some, those that carry some, those not called."""
    result: dict[str, UnprunedReason] = {}
    for site in walk.writes:
        atoms = atom_of[site.ids]
        if len(atoms) < 2 or flat[site.ids].any():
            continue
        spare = Why.ALL_TIED() if len(np.unique(atoms)) == 1 else Why.NO_READER()
        reason = next((reasons[a] for a in atoms.tolist() if a in reasons), spare)
        result.setdefault(owner(site.parameter), reason)
    readers = {gate.site.parameter for gate in walk.gates}
    writers = {owner(site.parameter) for site in walk.writes if flat[site.ids].any()}
    for site in walk.sites:  # the other axis of a weight that reads; a weight norm's factors have such axes, too
        if len(site.ids) == 1 and site.parameter in readers and owner(site.parameter) not in writers:
            result.setdefault(owner(site.parameter), Why.SINGLE_CHANNEL())
    prunable = {owner(site.parameter) for site in walk.sites if flat[site.ids].any()}
    own = dict.fromkeys(owner(name) for name, _ in model.named_parameters())
    alone = {(site.parameter, site.axis) for site in constants}
    for site in walk.sites:
        known = [reasons[a] for a in atom_of[site.ids].tolist() if a in reasons]
        if known and owner(site.parameter) in own and owner(site.parameter) not in prunable:
            reason = known[0] if (site.parameter, site.axis) in alone else known[0].followed()
            result.setdefault(owner(site.parameter), reason)
    for module in [name for name in own if name not in {owner(used) for used in walk.used}]:
        result.setdefault(module, Why.NOT_CALLED())
    return tuple(Unpruned(module, reason) for module, reason in result.items())
