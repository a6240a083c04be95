"""Inspection of a network in memory: prunable groups, modules that stay whole with the reasons, and costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from torch import nn

from ...gan_models.files.texts.number_text import counted
from ...spaces.budget import describe
from .traced_network import TracedNetwork, trace


@dataclass(frozen=True)
class InspectedGroup:
    """Channels that are kept or cut together.

    Attributes:
        name: The first module that writes them.
        channels: At full width.
        modules: All modules that carry them.
        macs_at_half: MACs of the network if this group alone keeps half of its channels, relative to the dense network.
    """

    name: str
    channels: int
    modules: tuple[str, ...]
    macs_at_half: float


@dataclass(frozen=True)
class WholeModule:
    """A module or group whose channels all stay.

    Attributes:
        name: The module, or the group's first one.
        reason: The reason why they stay.
        advice: A change that makes them prunable.
    """

    name: str
    reason: str
    advice: str


@dataclass(frozen=True)
class Inspection:
    """The prunable parts and costs of a network; shown as tables.

    Attributes:
        network: Its class.
        inputs: Shapes of the example inputs, without the batch.
        groups: Groups that can be pruned.
        whole: Modules and groups that cannot.
        dense: Cost name -> cost of one input at full width.
        cheapest: Cost name -> cost of the smallest plan.
    """

    network: str
    inputs: tuple[tuple[int, ...], ...]
    groups: tuple[InspectedGroup, ...]
    whole: tuple[WholeModule, ...]
    dense: dict[str, float]
    cheapest: dict[str, float]

    @property
    def title(self) -> str:
        """The network with its inputs, and the number of its groups."""
        shapes = " and ".join("x".join(map(str, shape)) or "a number" for shape in self.inputs)
        count = len(self.groups)
        return f"{self.network} at input {shapes}: {counted(count, 'group')} can be pruned"

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables of costs, groups, and modules that stay whole."""
        costs = tuple(
            (name, describe(whole, name), f"{describe(self.cheapest[name], name)} ({self.cheapest[name] / whole:.1%})")
            for name, whole in self.dense.items()
            if whole
        )
        groups = tuple(
            (group.name, str(group.channels), _some(group.modules), f"{group.macs_at_half:.1%}")
            for group in self.groups
        )
        whole = tuple((entry.name or "(the model)", entry.reason, entry.advice) for entry in self.whole)
        return (
            Table(("cost of one input", "dense", "smallest plan"), costs),
            Table(("group", "channels", "carried by", "MACs at half"), groups),
            Table(("not pruned", "why", "what to change"), whole),
        )

    def __repr__(self) -> str:
        return "\n\n".join([self.title, *(table.text for table in self.tables if table.rows)])

    def _repr_html_(self) -> str:
        """Return the tables for a notebook."""
        return f"<p>{escape(self.title)}</p>" + "".join(table.html for table in self.tables if table.rows)


@dataclass(frozen=True)
class Table:
    """A table of texts with a header, for a terminal and a notebook."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def text(self) -> str:
        """The table with aligned columns; the last one runs freely."""
        every = (self.head, *self.rows)
        widths = [max(len(row[i]) for row in every) for i in range(len(self.head))]
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in every)

    @property
    def html(self) -> str:
        """The table in HTML."""
        head = "".join(f"<th>{escape(cell)}</th>" for cell in self.head)
        rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def inspect(model: nn.Module, example_inputs: Any, *, keep: Sequence[str] = (), check: bool = False) -> Inspection:
    """Return the prunable groups of a network, the modules that stay whole with reasons, and its costs.

    Args:
        model: Any network of which `torch.export` can make a graph; it is not changed.
        example_inputs: A tensor, or a tuple of tensors in the order of forward, batch axis first.
        keep: Shell patterns of groups, and of modules whose output channels are to stay.
        check: Cut the network to random plans and compare outputs and costs, as `prune` does before it cuts.

    Raises:
        UserError: The network does not run on the inputs or cannot be traced, or a pattern matches nothing.
    """
    return inspection_of(trace(model, example_inputs, keep, check=check))


def inspection_of(traced: TracedNetwork) -> Inspection:
    """Return the inspection of a network that was traced."""
    groups, form = traced.groups, traced.groups.form
    dense = traced.prices.dense()

    def at_half(name: str) -> float:
        halved = [size // 2 if other == name else size for other, size in groups.sizes.items()]
        return float(form.predict(halved)) / dense["macs"] if dense["macs"] else 1.0

    whole = {entry.module: entry.reason for entry in groups.unpruned} | traced.pinned
    return Inspection(
        traced.name,
        tuple(tuple(x.shape[1:]) for x in traced.examples.tensors),
        tuple(InspectedGroup(g.name, g.size, g.modules, at_half(g.name)) for g in groups.groups),
        tuple(WholeModule(name, reason.text, reason.advice) for name, reason in whole.items()),
        dense,
        traced.prices.cheapest(),
    )


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f", and {len(names) - 3} more" if len(names) > 3 else "")
