"""A network's channel groups as a plain value: names, sizes, what stays whole and why. Readers of it trace nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .channel_groups import ChannelGroups


@dataclass(frozen=True)
class GroupTable:
    """The groups of all that a study prunes.

    Attributes:
        names: Groups [G], in the order of the graph.
        sizes: Channels at full width [G].
        whole: Other groups, which the study leaves whole -> the reason.
        unpruned: Modules whose channels all stay -> the reason.
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
            groups: As discovery found them.
            whole: Groups left whole -> the reason.
            unpruned: Modules whose channels all stay -> the reason.
        """
        return cls(groups.form.names, tuple(int(n) for n in groups.form.sizes), dict(whole), dict(unpruned or {}))
