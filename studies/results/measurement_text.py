"""The text of a measurement, for tables, cards and reports."""

from __future__ import annotations

from ...evaluators.measurement import Measurement


def with_interval(m: Measurement | None, digits: int = 4) -> str:
    """Return a measurement as text: its value and interval, or the reason that there is none."""
    if m is None:
        return ""
    if m.reason is not None:
        return m.reason
    shown = f"{m.value:.{digits}g}"
    return shown if m.low is None or m.high is None else f"{shown} [{m.low:.{digits}g}, {m.high:.{digits}g}]"
