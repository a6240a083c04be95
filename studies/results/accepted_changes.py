"""Changes that a user accepted when a study was resumed, as its record tells them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ACCEPTED = "ganprune.accepted_changes"  # [{"trials": so many there were, "changes": {name: [old, new]}}, ...]


@dataclass(frozen=True)
class Change:
    """A part of the study that is not as it was: its name, what was recorded and what was found, as short texts."""

    name: str
    recorded: str
    found: str

    def __str__(self) -> str:
        recorded, found = self.recorded.split(", "), self.found.split(", ")
        return f"{self.name} (recorded {_others(recorded, found)}, found {_others(found, recorded)})"


def _others(parts: Sequence[str], known: Sequence[str]) -> str:
    """Return the parts of a list that another list has not; of hashes without a name the first 24 digits."""
    others = [part for part in parts if part not in known] or ["nothing else"]
    return ", ".join(part if " " in part else part[:24] for part in others)


def accepted_changes(attributes: Mapping[str, Any]) -> list[str]:
    """Return what was overruled in a study, one line for each resume."""
    return [
        f"from trial {entry['trials']} on: {', '.join(str(Change(n, *pair)) for n, pair in entry['changes'].items())}"
        for entry in attributes.get(ACCEPTED) or []
    ]
