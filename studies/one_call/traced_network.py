"""A traced network in memory: a copy of it, its channel groups, and the price model of its plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from ...gan_models.costs.prices import Prices
from ...gan_models.files.errors import UserError
from ...gan_models.groups.channel_groups import ChannelGroups, owner
from ...gan_models.groups.discovery import find_groups
from ...gan_models.groups.surgery import copy_network
from ...gan_models.tracing.unpruned_reasons import UnprunedReason, Why
from ...search.checks.plan_check import check_plans
from .example_inputs import Examples

MAX_NAMED_GROUPS = 12  # groups in a message


@dataclass(frozen=True)
class TracedNetwork:
    """A network with its channel groups.

    Attributes:
        name: Its class, for messages.
        network: A copy in eval mode on the CPU.
        examples: The inputs that it was traced with.
        groups: Its channel groups, less those that are not pruned.
        pinned: Groups that could be cut and are not pruned -> the reason.
        prices: Costs of its plans.
    """

    name: str
    network: nn.Module
    examples: Examples
    groups: ChannelGroups
    pinned: dict[str, UnprunedReason]
    prices: Prices


def trace(
    model: nn.Module, example_inputs: Any, keep: Sequence[str] = (), costs: Sequence[str] = (), check: bool = True
) -> TracedNetwork:
    """Return a network's channel groups; the network itself is not changed.

    Args:
        model: Any network of which `torch.export` can make a graph.
        example_inputs: Its inputs, in a form that `Examples.of` reads.
        keep: Shell patterns of groups, and of modules whose output channels all stay.
        costs: Names of costs that are priced in addition to MACs, parameters and bytes.
        check: Cut the network to random plans and compare outputs and costs; groups that break are not pruned.

    Raises:
        UserError: It is not a network, does not run on the inputs, or cannot be traced; or a pattern matches nothing.
    """
    if not isinstance(model, nn.Module):
        raise UserError(
            f"the model is not a network: got {type(model).__name__}; expected a torch.nn.Module. Try to call its "
            "builder"
        )
    examples, name = Examples.of(example_inputs), type(model).__name__
    network = copy_network(model).cpu().eval()
    examples.check_called(network)
    one = tuple(x[:1] for x in examples.tensors)
    groups = find_groups(network, one)
    pinned = _kept(groups, keep)
    if pinned:
        groups = find_groups(network, one, pinned)
    if check and groups.groups:
        checked = check_plans(
            name, network, examples.spec, groups, lambda more: find_groups(network, one, {**pinned, **more})
        )
        groups, pinned = checked.groups, {**pinned, **checked.pinned}
    return TracedNetwork(name, network, examples, groups, pinned, Prices.of(groups, costs))


def _kept(groups: ChannelGroups, patterns: Sequence[str]) -> dict[str, UnprunedReason]:
    """Return the groups that patterns leave whole. Raises UserError: A pattern matches no group and no module."""
    if isinstance(patterns, str):
        raise UserError(f"keep is not understood: got the text {patterns!r}; expected a list. Try keep=[{patterns!r}]")
    kept: dict[str, UnprunedReason] = {}
    writers = _writers(groups)
    for pattern in patterns:
        matched = [name for name in groups.names if any(fnmatchcase(one, pattern) for one in (name, *writers[name]))]
        whole = any(fnmatchcase(entry.module, pattern) for entry in groups.unpruned)
        if not matched and not whole:
            shown = ", ".join(groups.names[:MAX_NAMED_GROUPS]) + (
                ", ..." if len(groups.names) > MAX_NAMED_GROUPS else ""
            )
            raise UserError(
                f"nothing to keep: got {pattern!r}, which matches no group and no module; expected a name or shell "
                f"pattern of one of {shown}. Try ganprune.inspect(model, example_inputs)"
            )
        kept |= {name: Why.CHOSEN_TO_STAY(pattern=pattern) for name in matched}
    return kept


def _writers(groups: ChannelGroups) -> dict[str, set[str]]:
    """Return the modules that write each group's channels."""
    found: dict[str, set[str]] = {name: set() for name in groups.names}
    for axis in groups.writes:
        for name, size in groups.sizes.items():
            first = 1 + groups.offsets[name]
            if ((axis.flat >= first) & (axis.flat < first + size)).any():
                found[name].add(owner(axis.parameter))
    return found
