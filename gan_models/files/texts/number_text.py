"""Numbers as text: shares in percent, and counts with their nouns. Imports no other part of ganprune."""

from __future__ import annotations

from math import floor, isfinite, log10


def percent(share: float, digits: int = 3) -> str:
    """Return a share in percent, without the sign and never with an exponent: `25.1`, `0.0042`, `100`.

    Args:
        share: 1 is 100 percent.
        digits: Significant digits; whole percents are never rounded away.
    """
    value = 100 * share
    if not isfinite(value):
        return f"{value:g}"
    decimals = max(0, digits - 1 - floor(log10(abs(value)))) if value else 0
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def counted(count: int, noun: str, several: str = "") -> str:
    """Return a count with its noun: `1 group`, `1,204 groups`.

    Args:
        count: The number.
        noun: The singular.
        several: The plural; empty: the singular with an s.
    """
    return f"{count:,} {noun if count == 1 else several or noun + 's'}"
