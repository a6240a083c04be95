"""Widths and ratios that a call gives by group or shell pattern, as one number per group."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from ...gan_models.files.errors import UserError


def ratios_of(sizes: Mapping[str, int], given: Mapping[str, float]) -> dict[str, float]:
    """Return the ratio of each group, 1 for groups that no pattern matches.

    Args:
        sizes: Group name -> channels at full width.
        given: Name or shell pattern of groups -> ratio; the last pattern that matches a group counts.

    Raises:
        UserError: A pattern matches no group, or a ratio is not above 0.
    """
    found = dict.fromkeys(sizes, 1.0)
    for pattern, ratio in given.items():
        matched = _matched(sizes, pattern)
        if not matched or not (_number(ratio) and 0 < ratio < float("inf")):
            raise UserError(
                f"ratios are not understood: got {pattern!r}: {ratio!r}; expected a name or shell pattern of groups "
                "with a number above 0. Try ganprune.inspect, which names the groups"
            )
        found |= dict.fromkeys(matched, float(ratio))
    return found


def widths_of(sizes: Mapping[str, int], given: Mapping[str, int]) -> dict[str, int]:
    """Return the width of each group, the full one for groups that no pattern matches.

    Args:
        sizes: Group name -> channels at full width.
        given: Name or shell pattern of groups -> channels; the last pattern that matches a group counts.

    Raises:
        UserError: A pattern matches no group, or a width is not a whole number between 1 and the group's channels.
    """
    found = dict(sizes)
    for pattern, width in given.items():
        matched = _matched(sizes, pattern)
        most = min((sizes[name] for name in matched), default=0)
        if not isinstance(width, int) or isinstance(width, bool) or not 1 <= width <= most:
            allowed = f"1 to {most} channels" if matched else "a name or shell pattern of groups"
            raise UserError(
                f"widths are not understood: got {pattern!r}: {width!r}; expected {allowed}. Try ganprune.inspect, "
                "which names the groups with their channels"
            )
        found |= dict.fromkeys(matched, width)
    return found


def _matched(sizes: Mapping[str, int], pattern: str) -> list[str]:
    """Return the groups of a name or shell pattern."""
    return [name for name in sizes if isinstance(pattern, str) and fnmatchcase(name, pattern)]


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
