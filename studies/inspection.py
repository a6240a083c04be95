"""What can be pruned of a network, what it costs, and what is the least it can cost."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.console import Console
from rich.table import Table

from ..gan_models.channels import ChannelGroups
from ..spaces.budget import describe

COSTS = ("macs", "macs_published", "params", "bytes")


def inspection(groups: ChannelGroups, model: str, input_shape: tuple[int, ...], multiple: int = 1) -> dict[str, Any]:
    """Everything `ganprune inspect` shows, as plain JSON; MACs are for one input."""
    layers: dict[str, dict[str, Any]] = {}
    for layer in groups.layers:
        row = layers.setdefault(layer.module, {"kind": layer.kind, "macs": 0, "macs_published": 0})
        row["macs"] += layer.macs
        row["macs_published"] += layer.macs_published
    form = groups.form
    return {
        "model": model,
        "input_shape": list(input_shape),
        "dense": {cost: form.dense(cost) for cost in COSTS},
        "cheapest": {cost: form.cheapest(cost, multiple=multiple) for cost in COSTS},
        "groups": [
            {
                "name": group.name,
                "channels": group.size,
                "modules": list(group.modules),
                "macs_at_half": float(form.predict([g.size // 2 if g is group else g.size for g in groups.groups])),
            }
            for group in groups.groups
        ],
        "unpruned": [{"module": entry.module, "reason": entry.reason} for entry in groups.unpruned],
        "layers": [{"module": name or "(the model)", **row} for name, row in layers.items()],
    }


def print_inspection(found: dict[str, Any], console: Console, layers: bool = True) -> None:
    """Tables of groups, unpruned modules, layers and totals."""
    dense, cheapest = found["dense"], found["cheapest"]
    shape = "x".join(map(str, found["input_shape"]))
    console.print(f"{found['model']} at input {shape}", highlight=False)
    totals = Table("cost", "dense", "cheapest plan", title="cost of one input", title_justify="left")
    names = {"macs": "exact", "macs_published": "as papers count (transposed convolutions on their output grid)"}
    for cost in COSTS:
        exact = f" = {dense[cost]:,.0f}" if cost != "bytes" else ""
        share = f"{describe(cheapest[cost], cost)} ({100 * cheapest[cost] / dense[cost]:.3g}%)"
        totals.add_row(f"{cost} {names.get(cost, '')}".strip(), describe(dense[cost], cost) + exact, share)
    console.print(totals)
    table = Table(
        "group", "channels", "carried by", "MACs at half", title=f"{len(found['groups'])} groups", title_justify="left"
    )
    for group in found["groups"]:
        modules = group["modules"]
        shown = ", ".join(modules[:3]) + (f", and {len(modules) - 3} more" if len(modules) > 3 else "")
        table.add_row(
            group["name"], str(group["channels"]), shown, f"{100 * group['macs_at_half'] / dense['macs']:.1f}%"
        )
    console.print(table)
    if found["unpruned"]:
        kept = Table("module", "why its channels stay", title="left whole", title_justify="left")
        for entry in found["unpruned"]:
            kept.add_row(entry["module"], entry["reason"])
        console.print(kept)
    if layers:
        by_layer = Table("layer", "kind", "MACs", "published", title="layers", title_justify="left")
        for row in found["layers"]:
            by_layer.add_row(row["module"], row["kind"], f"{row['macs']:,}", f"{row['macs_published']:,}")
        console.print(by_layer)
        kinds = Counter(row["kind"] for row in found["layers"])
        console.print(", ".join(f"{n} {kind}" for kind, n in kinds.items()), highlight=False)
