"""Seeds made from seeds: one number in, independent streams out, the same on every machine."""

from __future__ import annotations

_MASK = 2**64 - 1


def mixed(seed: int, *parts: int) -> int:
    """A number in [0, 2**63) that depends on every argument and looks random (SplitMix64, Steele 2014).

    Args:
        seed: any integer.
        *parts: what tells this stream from others (an epoch, a step, a purpose).
    """
    value = seed & _MASK
    for part in (len(parts), *parts):
        value = (value + 0x9E3779B97F4A7C15 * ((part & _MASK) + 1)) & _MASK
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
        value ^= value >> 31
    return value >> 1
