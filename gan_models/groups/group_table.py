"""A network's channel groups as a plain value: names, sizes, and unpruned groups with reasons. It needs no trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .channel_groups import ChannelGroups


@dataclass(frozen=True)
class GroupTable:
    """The groups of all networks that a study prunes.

    Attributes:
        names: Names of groups [G], in the order of the graph.
        sizes: Numbers of channels at full width [G].
        whole: Other groups, which the study leaves unpruned -> the reason.
        unpruned: Modules whose channels are all kept -> the reason.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    whole: Mapping[str, str] = field(default_factory=dict)
    unpruned: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, groups: ChannelGroups, whole: Mapping[str, str], unpruned: Mapping[str, str] | None = None
    ) -> GroupTable:
        """Return the table of traced groups.

        Args:
            groups: The groups that discovery found.
            whole: Groups left unpruned -> the reason.
            unpruned: Modules whose channels are all kept -> the reason.
        """
        return cls(groups.form.names, tuple(int(n) for n in groups.form.sizes), dict(whole), dict(unpruned or {}))
