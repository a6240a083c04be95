"""Derived seeds: independent streams from one number, the same on every machine."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_MASK = 2**64 - 1
_MIX, _MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9


def mixed(seed: int, *parts: int) -> int:
    """Return a number in [0, 2**63) that depends on every argument and looks random (SplitMix64, Steele 2014).

    Args:
        seed: Any integer.
        *parts: Numbers that identify this stream (an epoch, a step, a purpose).
    """
    value = seed & _MASK
    for part in (len(parts), *parts):
        value = (value + 0x9E3779B97F4A7C15 * ((part & _MASK) + 1)) & _MASK
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
        value ^= value >> 31
    return value >> 1


def derived_seed(seed: int, number: int, purpose: str = "") -> int:
    """Return a seed of 32 bits for one purpose of one trial, from the study's seed."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{number}:{purpose}".encode()).digest()[:4], "big")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global random numbers of torch (CPU), NumPy and Python inside the context, and restore them after it.

    For third-party code, which draws from them.

    Args:
        seed: 0 or more.
    """
    import numpy as np
    import torch

    of_numpy, of_python = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed % 2**63)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(of_numpy)
            random.setstate(of_python)


def index_keys(indices: Tensor) -> Tensor:
    """Return an int64 number per index [n] that looks random and is always the same (SplitMix64's finalizer)."""

    def signed(constant: int) -> int:
        return constant - (1 << 64) if constant >= 1 << 63 else constant

    x = (indices + 1) * signed(_MIX)
    x = (x ^ ((x >> 30) & ((1 << 34) - 1))) * signed(_MIX_2)
    return x ^ ((x >> 27) & ((1 << 37) - 1))
