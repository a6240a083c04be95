"""The plan of a pruned network: the kept channels of each group. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..files.hashes import json_sha256


@dataclass(frozen=True)
class ChannelPlan:
    """The kept channels, per group.

    Attributes:
        kept: Group name -> indices of the kept channels, strictly increasing, at least one.

    Raises:
        ValueError: A group is empty, or indices are negative, repeated or out of order.
    """

    kept: Mapping[str, tuple[int, ...]]

    def __post_init__(self) -> None:
        """Freeze the indices and check their order."""
        object.__setattr__(self, "kept", {name: tuple(int(i) for i in kept) for name, kept in self.kept.items()})
        for name, kept in self.kept.items():
            if not kept:
                raise ValueError(f"the plan keeps no channel of group {name!r}; expected at least one")
            if kept[0] < 0 or any(b <= a for a, b in pairwise(kept)):
                raise ValueError(
                    f"invalid plan of group {name!r}: got {list(kept)[:8]}; expected increasing indices from 0"
                )

    @property
    def widths(self) -> dict[str, int]:
        """Number of kept channels of each group."""
        return {name: len(kept) for name, kept in self.kept.items()}

    def to_json(self) -> dict[str, list[int]]:
        """Return group name -> kept indices, without a field's name around it, as in files of all versions."""
        return {name: list(kept) for name, kept in self.kept.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, list[int]]) -> ChannelPlan:
        """Return the plan that `to_json` wrote.

        Raises:
            ValueError: The data is not a mapping of group names to lists of indices.
        """
        if not isinstance(data, Mapping):
            raise ValueError(
                f"invalid plan: got {type(data).__name__}; expected a mapping of group names to index lists"
            )
        return cls({str(name): tuple(kept) for name, kept in data.items()})

    @classmethod
    def full(cls, sizes: Mapping[str, int]) -> ChannelPlan:
        """Return the plan that keeps all channels of groups of these sizes."""
        return cls({name: tuple(range(size)) for name, size in sizes.items()})

    def architecture(self, factory: str, arguments: Mapping[str, Any], bits: int = 32) -> str:
        """Return a hash of the architecture: kept indices, bits, factory and its arguments (16 hex digits)."""
        return json_sha256([self.to_json(), bits, factory, dict(arguments)])[:16]
