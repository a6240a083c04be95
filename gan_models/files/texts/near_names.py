"""Names near a mistyped one. Imports nothing of ours."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MOST_NEAR = 3  # names that are proposed for one


def near_names(name: str, known: Iterable[str], most: int = MOST_NEAR) -> list[str]:
    """Return the known names that a mistyped one may stand for, the nearest first; upper and lower case count as equal.

    Args:
        name: The mistyped name.
        known: The names that exist.
        most: Most names that are returned.
    """
    exact = {each.lower(): each for each in reversed(list(known))}
    return [exact[near] for near in get_close_matches(name.lower(), list(exact), most)]


def did_you_mean(name: str, known: Iterable[str], most: int = 1) -> str:
    """Return a question that proposes the nearest known names, `Did you mean resnet?`; empty if none is near.

    Args:
        name: The mistyped name.
        known: The names that exist.
        most: Most names that are proposed.
    """
    near = near_names(name, known, most)
    return f"Did you mean {' or '.join(near)}?" if near else ""
