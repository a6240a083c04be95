"""Names similar to a mistyped one. Imports no other part of ganprune."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MAX_NEAR_NAMES = 3  # number of names that are proposed


def near_names(name: str, known: Iterable[str], most: int = MAX_NEAR_NAMES) -> list[str]:
    """Return the known names most similar to a mistyped one, the most similar first; case is ignored.

    Args:
        name: The mistyped name.
        known: The names that exist.
        most: Maximum number of names.
    """
    exact = {each.lower(): each for each in reversed(list(known))}
    return [exact[near] for near in get_close_matches(name.lower(), list(exact), most)]


def did_you_mean(name: str, known: Iterable[str], most: int = 1) -> str:
    """Return a question that proposes similar known names, `Did you mean resnet?`; empty if none is similar.

    Args:
        name: The mistyped name.
        known: The names that exist.
        most: Maximum number of names.
    """
    near = near_names(name, known, most)
    return f"Did you mean {' or '.join(near)}?" if near else ""
