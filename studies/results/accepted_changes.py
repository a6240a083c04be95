"""Changes that a user accepted when a study was resumed, as its record tells them."""

from __future__ import annotations

from collections.abc import Mapping
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
        return f"{self.name} (recorded {self.recorded[:24]}, found {self.found[:24]})"


def accepted_changes(attributes: Mapping[str, Any]) -> list[str]:
    """Return what was overruled in a study, one line for each resume."""
    return [
        f"from trial {entry['trials']} on: {', '.join(str(Change(n, *pair)) for n, pair in entry['changes'].items())}"
        for entry in attributes.get(ACCEPTED) or []
    ]
