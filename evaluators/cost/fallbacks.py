"""Operators of a file that its runtime runs on a slower unit, by the runtime's own profile or plan on this machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MOST_NAMED = 4  # operators in a line


@dataclass(frozen=True)
class Fallbacks:
    """The operators that a runtime did not run on the unit that the file is for.

    Attributes:
        unit: The slower unit in words, after "run": `outside XNNPACK`.
        operators: Operator -> nodes that ran there.
        of: Nodes that were run in all.
        share: Their share of the time of all nodes, from 0 to 1; None if the runtime has no times.
    """

    unit: str
    operators: Mapping[str, int] = field(default_factory=dict)
    of: int = 0
    share: float | None = None

    def line(self, title: str) -> str:
        """Return the finding as one line; empty if nothing falls back.

        Args:
            title: The runtime's name for people.
        """
        if not self.operators:
            return ""
        ranked = sorted(self.operators.items(), key=lambda pair: (-pair[1], pair[0]))
        named = ", ".join(f"{name} {count}" for name, count in ranked[:MOST_NAMED])
        more = f" and {len(ranked) - MOST_NAMED} more kinds" if len(ranked) > MOST_NAMED else ""
        took = "" if self.share is None else f", with {100 * self.share:.0f}% of its time"
        n = sum(self.operators.values())
        return f"{title}, measured: {n} of {self.of} operators run {self.unit}{took}: {named}{more}"


def timed_fallbacks(unit: str, nodes: Iterable[tuple[str, float, bool]]) -> Fallbacks:
    """Return the fallbacks of nodes, each with its operator, its time in any unit, and if it ran on the slower unit."""
    every = list(nodes)
    slow = [node for node in every if node[2]]
    whole = sum(time for _, time, _ in every)
    share = sum(time for _, time, _ in slow) / whole if whole else None
    return Fallbacks(unit, Counter(name for name, _, _ in slow), len(every), share)
