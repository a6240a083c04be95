"""What a pruning method takes on one network: its settings and the memory it holds beside the networks."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from torch import nn

from ...gan_models.groups.channel_groups import ChannelGroups
from ...gan_models.pruning.catalog import method_sizes, method_spec
from ...spaces.budget import describe


def method_inspection(name: str, network: nn.Module, groups: ChannelGroups) -> dict[str, Any]:
    """Settings with their ranges, and sizes, as plain JSON.

    Raises:
        ValueError: Unknown name.
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
    """Tables of settings and sizes."""
    table = Table("setting", "default", "allowed", "what it is", title=f"method {found['name']}", title_justify="left")
    for row in found["settings"]:
        table.add_row(row["name"], str(row["default"]), row["allowed"], row["note"])
    console.print(f"{found['name']}: {found['note']}", highlight=False)
    console.print(table)
    if found["sizes"]:
        sizes = Table(*found["sizes"][0], title="held beside the networks, float32", title_justify="left")
        for row in found["sizes"]:
            sizes.add_row(*(describe(v, "bytes") if k.startswith("bytes") else f"{v:,}" for k, v in row.items()))
        console.print(sizes)
