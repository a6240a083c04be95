"""A finding of a preflight: the checked fact, the expectation, and a remedy. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["error", "warning", "note", "passed"]


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        kind: `error` ends the search; `warning` means that it may fail later; `note` is information; `passed` is in
            order.
        what: The observed fact.
        expected: The expectation; empty if `what` includes it, or if all is in order.
        cure: The remedy; empty if none is needed.
        traceback: Traceback of the user's own code; empty unless that raised.
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
