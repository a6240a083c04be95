"""Changes that a user accepted when a study was resumed, from its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ACCEPTED_CHANGES = (
    "ganprune.accepted_changes"  # list of {"trials": number of trials at that time, "changes": {name: [old, new]}}
)


@dataclass(frozen=True)
class Change:
    """A changed part of the study: its name, the recorded and the present value, as short texts."""

    name: str
    recorded: str
    found: str

    def __str__(self) -> str:
        recorded, found = self.recorded.split(", "), self.found.split(", ")
        return f"{self.name} (recorded {_others(recorded, found)}, found {_others(found, recorded)})"


def _others(parts: Sequence[str], known: Sequence[str]) -> str:
    """Return the parts of a list that are missing in another; of hashes without a name, the first 24 digits."""
    others = [part for part in parts if part not in known] or ["nothing else"]
    return ", ".join(part if " " in part else part[:24] for part in others)


def accepted_changes(attributes: Mapping[str, Any]) -> list[str]:
    """Return the accepted changes of a study, one line per resume."""
    return [
        f"from trial {entry['trials']} on: {', '.join(str(Change(n, *pair)) for n, pair in entry['changes'].items())}"
        for entry in attributes.get(ACCEPTED_CHANGES) or []
    ]
