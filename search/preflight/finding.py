"""A finding of a preflight: what was looked at, what was seen, and what to do about it. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["error", "warning", "note", "passed"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        kind: An error ends the search; with a warning it may fail later; a note is worth knowing; passed is in order.
        what: What was seen.
        expected: What should have been; empty if `what` says it, or if it is in order.
        cure: What to do; empty if nothing has to be done.
        traceback: Of the user's own code; empty unless that raised.
    """

    kind: Kind
    what: str
    expected: str = ""
    cure: str = ""
    traceback: str = ""

    @property
    def line(self) -> str:
        """The finding on one line, in the order of an error's message."""
        expected = f"; expected {self.expected}" if self.expected else ""
        cure = f". Try {self.cure}" if self.cure else ""
        return " ".join(f"{self.what}{expected}{cure}".split())
