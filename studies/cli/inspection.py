"""The tables of `ganprune inspect`: a network's modules and groups, and a method's size on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from rich.console import Console
from rich.table import Table
from torch import nn

from ...gan_models.costs.catalog import COSTS
from ...gan_models.costs.prices import Prices
from ...gan_models.cut_checks.group_check import GroupCheck
from ...gan_models.files.texts.number_text import counted, percent
from ...gan_models.groups.channel_groups import AxisChannels, ChannelGroups, owner
from ...gan_models.groups.discovery import find_groups
from ...gan_models.networks.specs import InputSpec
from ...gan_models.pruning.catalog import method_sizes, method_spec
from ...gan_models.tracing.unpruned_reasons import Why
from ...search.checks.plan_check import check_plans
from ...spaces.budget import describe


def inspection(
    network: nn.Module, groups: ChannelGroups, model: str, inputs: InputSpec, multiple: int = 1
) -> dict[str, Any]:
    """Return the content of `ganprune inspect` as plain JSON; MACs are for one input."""
    layers: dict[str, dict[str, Any]] = {}
    for layer in groups.layers:
        row = layers.setdefault(layer.module, {"kind": layer.kind, "macs": 0, "macs_published": 0})
        row["macs"] += layer.macs
        row["macs_published"] += layer.macs_published
    form = groups.form
    prices = Prices.of(groups, _others())
    return {
        "model": model,
        "input_shape": list(inputs.shape) if inputs.shape else inputs.text,
        "dense": prices.dense(),
        "cheapest": prices.cheapest(multiple=multiple),
        "groups": [
            {
                "name": group.name,
                "channels": group.size,
                "modules": [module or "(the model)" for module in group.modules],
                "macs_at_half": float(form.predict([g.size // 2 if g is group else g.size for g in groups.groups])),
            }
            for group in groups.groups
        ],
        "modules": module_rows(network, groups),
        "layers": [{"module": name or "(the model)", **row} for name, row in layers.items()],
    }


def checked_plans(model: str, make: Callable[[], nn.Module], inputs: InputSpec, groups: ChannelGroups) -> GroupCheck:
    """Check a network's groups as a search does before any training.

    Args:
        model: Its name, for messages.
        make: Function that builds it with values.
        inputs: Its inputs.
        groups: Its groups.

    Raises:
        UserError: It does not run, or the cost of a plan differs from its prediction.
    """
    network = make()
    return check_plans(model, network, inputs, groups, lambda pinned: find_groups(network, inputs.examples(), pinned))


def check_json(checked: GroupCheck) -> dict[str, Any]:
    """Return a check as plain JSON."""
    precision = checked.precision
    return {
        "plans": len(checked.plans),
        "difference": checked.difference,
        "tolerance": precision.tolerance,
        "dtype": str(precision.dtype).removeprefix("torch."),
        "pinned": {
            name: {"code": reason.code, "reason": reason.text, "change": reason.advice}
            for name, reason in checked.pinned.items()
        },
        "text": checked.text,
    }


def _others() -> list[str]:
    """Return the costs of other packages that can be priced without a profile of a device."""
    return [name for name, row in COSTS.usable() if row.exact and row.price is not None]


def module_rows(network: nn.Module, groups: ChannelGroups) -> list[dict[str, Any]]:
    """Return all modules with parameters: prunable or not, their groups, or the reason and a change that helps."""
    writes, follows = _groups_by_module(groups.writes, groups), _groups_by_module(_followers(groups), groups)
    reasons = {entry.module: entry.reason for entry in groups.unpruned}
    kinds = {name: type(module).__name__ for name, module in network.named_modules()}
    rows = []
    for name in dict.fromkeys(owner(name) for name, _ in network.named_parameters()):
        row: dict[str, Any] = {"module": name or "(the model)", "kind": kinds[name]}
        carried = writes.get(name) or ({} if name in reasons else follows.get(name)) or {}
        if carried:
            rows.append(row | {"prunable": True, "groups": list(carried)})
            continue
        reason = reasons.get(name) or Why.FOLLOWS()
        rows.append(row | {"prunable": False, "code": reason.code, "reason": reason.text, "change": reason.advice})
    return rows


def _followers(groups: ChannelGroups) -> list[AxisChannels]:
    """Return axes that carry channels without writing or reading them: norms, biases, slopes."""
    others = {(entry.parameter, entry.axis) for entry in groups.writes}
    others |= {(entry.parameter, entry.axis) for entry, _ in groups.gates}
    return [entry for entry in groups.axes if (entry.parameter, entry.axis) not in others]


def _groups_by_module(axes: Iterable[AxisChannels], groups: ChannelGroups) -> dict[str, dict[str, None]]:
    """Return module -> names of the groups on these axes, in order."""
    found: dict[str, dict[str, None]] = {}
    for entry in axes:
        for name, size in groups.sizes.items():
            first = 1 + groups.offsets[name]
            if ((entry.flat >= first) & (entry.flat < first + size)).any():
                found.setdefault(owner(entry.parameter), {})[name] = None
    return found


def print_inspection(found: dict[str, Any], console: Console, layers: bool = True) -> None:
    """Print tables of groups, unpruned modules, layers and totals."""
    dense, cheapest = found["dense"], found["cheapest"]
    console.print(f"{found['model']} at input {InputSpec.read(found['input_shape'])}", highlight=False)
    totals = Table("cost", "dense", "cheapest plan", title="cost of one input", title_justify="left")
    names = {"macs": "exact", "macs_published": "as papers count (transposed convolutions on their output grid)"}
    for cost in dense:
        exact = f" = {dense[cost]:,.0f}" if cost != "bytes" else ""
        share = f"{describe(cheapest[cost], cost)} ({percent(cheapest[cost] / dense[cost])}%)"
        totals.add_row(f"{cost} {names.get(cost, '')}".strip(), describe(dense[cost], cost) + exact, share)
    console.print(totals)
    table = Table(
        "group",
        "channels",
        "carried by",
        "MACs at half",
        title=counted(len(found["groups"]), "group"),
        title_justify="left",
    )
    for group in found["groups"]:
        modules = group["modules"]
        shown = ", ".join(modules[:3]) + (f", and {len(modules) - 3} more" if len(modules) > 3 else "")
        table.add_row(
            group["name"], str(group["channels"]), shown, f"{100 * group['macs_at_half'] / dense['macs']:.1f}%"
        )
    console.print(table)
    if "check" in found:
        console.print(f"checked: {found['check']['text']}; costs of all are as counted", highlight=False, markup=False)
        for name, row in found["check"]["pinned"].items():
            console.print(f"{name} is not pruned: {row['reason']}", highlight=False, markup=False)
    whole = [row for row in found["modules"] if not row["prunable"]]
    if whole:
        kept = Table(
            "module", "kind", "why its channels stay", "what to change", title="not pruned", title_justify="left"
        )
        for row in whole:
            kept.add_row(row["module"], row["kind"], row["reason"], row["change"])
        console.print(kept)
    if layers:
        by_layer = Table("layer", "kind", "MACs", "published", title="layers", title_justify="left")
        for row in found["layers"]:
            by_layer.add_row(row["module"], row["kind"], f"{row['macs']:,}", f"{row['macs_published']:,}")
        console.print(by_layer)
        kinds = Counter(row["kind"] for row in found["layers"])
        console.print(", ".join(f"{n} {kind}" for kind, n in kinds.items()), highlight=False)


def method_inspection(name: str, network: nn.Module, groups: ChannelGroups) -> dict[str, Any]:
    """Return settings with their ranges, and sizes, as plain JSON.

    Raises:
        ValueError: The name is unknown.
    """
    spec = method_spec(name)
    settings = [{"name": s.name, "default": s.default, "allowed": s.allowed, "note": s.note} for s in spec.all_settings]
    return {
        "name": name,
        "note": spec.note,
        "widths": spec.widths,
        "settings": settings,
        "sizes": method_sizes(name, network, groups),
    }


def print_method(found: dict[str, Any], console: Console) -> None:
    """Print tables of settings and sizes."""
    table = Table("setting", "default", "allowed", "what it is", title=f"method {found['name']}", title_justify="left")
    for row in found["settings"]:
        table.add_row(row["name"], str(row["default"]), row["allowed"], row["note"])
    console.print(f"{found['name']}: {found['note']}", highlight=False)
    console.print(table)
    if found["sizes"]:
        sizes = Table(*found["sizes"][0], title="in addition to the networks, float32", title_justify="left")
        for row in found["sizes"]:
            sizes.add_row(*(describe(v, "bytes") if k.startswith("bytes") else f"{v:,}" for k, v in row.items()))
        console.print(sizes)
