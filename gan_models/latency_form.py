"""Latency of any plan: tables of the network's blocks, read between their measured points, and added up.

Our reconstruction: latency = scale * (sum over blocks of their table at the plan's channels) + overhead, with scale
and overhead fitted to whole networks, because a block alone finds other caches and other neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Units = NDArray[np.int64]
LATENCY = "latency_ms"
_AT_ONCE = 200_000  # plans priced together: what they need fits into some hundred MB


@dataclass(frozen=True)
class Grid:
    """Milliseconds of a block over the channels of its (at most two) sides.

    Attributes:
        channels: Per side the channels that were measured, rising.
        ms: float64 [n0, n1], with size 1 for a side that is not there.
        multiple: The device takes as long for any number of channels above twice this as for its next multiple.
    """

    channels: tuple[tuple[int, ...], ...]
    ms: Floats
    multiple: int = 1

    def __post_init__(self) -> None:
        """Checks that table and grid fit."""
        shape = tuple(len(points) for points in self.channels) + (1,) * (2 - len(self.channels))
        if self.ms.shape != shape or not np.all(np.isfinite(self.ms)) or np.any(self.ms < 0):
            raise ValueError(f"a table over {self.channels} has shape {shape} and times of 0 or more, got {self.ms}")
        for points in self.channels:
            if any(b <= a for a, b in pairwise(points)):
                raise ValueError(f"the channels of a table rise, got {points}")

    def cells(self, side: int) -> tuple[NDArray[np.int64], Floats]:
        """For every number of channels up to the largest: the point of the grid below it, and the way to the next."""
        if side >= len(self.channels):
            return np.zeros(1, dtype=np.int64), np.zeros(1)
        points = np.array(self.channels[side])
        n = np.arange(points[-1] + 1)
        n = np.where(n > 2 * self.multiple, np.minimum(ceil_to(n, self.multiple), points[-1]), n)
        if len(points) == 1:
            return np.zeros(len(n), dtype=np.int64), np.zeros(len(n))
        below = np.clip(np.searchsorted(points, n, side="right") - 1, 0, len(points) - 2)
        way = (n - points[below]) / (points[below + 1] - points[below])
        return below, np.clip(way, 0.0, 1.0)


def ceil_to(n: NDArray[np.int64], multiple: int) -> NDArray[np.int64]:
    """The next multiple at or above."""
    return -(-n // multiple) * multiple


@dataclass(frozen=True)
class Term:
    """A block of the network: how its sides depend on the widths (int64 [1 + G] each), its table, how often."""

    units: tuple[Units, ...]
    grid: Grid
    count: int = 1


@dataclass(frozen=True)
class LatencyForm:
    """A `CostModel` for `latency_ms`.

    Attributes:
        names: Groups [G]; the order of widths.
        sizes: Channels at full width, int64 [G].
        terms: The network's blocks.
        scale: What the sum is multiplied by.
        overhead_ms: What is added.
    """

    names: tuple[str, ...]
    sizes: NDArray[np.int64]
    terms: tuple[Term, ...]
    scale: float = 1.0
    overhead_ms: float = 0.0

    def predict(self, widths: ArrayLike, cost: str = LATENCY) -> Floats:
        """Milliseconds of plans.

        Args:
            widths: Kept channels, [P, G] or [G]; rounded to whole channels.
            cost: `latency_ms`; this model knows no other.

        Returns:
            float64 [P], or a 0-d array for [G].

        Raises:
            KeyError: Another cost.
        """
        if cost != LATENCY:
            raise KeyError(f"a latency table prices {LATENCY}, not {cost!r}")
        whole = np.rint(np.asarray(widths, dtype=np.float64)).astype(np.int64)
        plans = whole.reshape(-1, len(self.names))
        parts = [self._total(plans[i : i + _AT_ONCE]) for i in range(0, max(1, len(plans)), _AT_ONCE)]
        return (self.scale * np.concatenate(parts) + self.overhead_ms).reshape(whole.shape[:-1])

    def _total(self, plans: NDArray[np.int64]) -> Floats:
        total = np.zeros(len(plans))
        for term in self.terms:
            (i, f), (j, g) = (self._place(term, side, plans) for side in (0, 1))
            ms = term.grid.ms
            i_next, j_next = np.minimum(i + 1, ms.shape[0] - 1), np.minimum(j + 1, ms.shape[1] - 1)
            here = (1 - f) * ((1 - g) * ms[i, j] + g * ms[i, j_next])
            total += term.count * (here + f * ((1 - g) * ms[i_next, j] + g * ms[i_next, j_next]))
        return total

    def _place(self, term: Term, side: int, plans: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats]:
        below, way = term.grid.cells(side)
        if side >= len(term.units):
            return below, way
        unit = term.units[side]
        # most sides are one group alone: no product of integer matrices for those
        used = np.flatnonzero(unit[1:])
        n = unit[0] + sum((unit[1 + g] * plans[:, g] for g in used), np.zeros(len(plans), dtype=np.int64))
        n = np.clip(n, 0, len(below) - 1)
        return below[n], way[n]

    def dense(self) -> float:
        """Milliseconds of the unpruned network."""
        return float(self.predict(self.sizes))

    def of_groups(self, names: Sequence[str]) -> LatencyForm:
        """The same over these groups alone, in this order; all others stay whole.

        Raises:
            KeyError: A group that is not there.
        """
        place = {name: i for i, name in enumerate(self.names)}
        missing = [name for name in names if name not in place]
        if missing:
            raise KeyError(f"the latency table knows no group {missing[0]!r}; it has {', '.join(self.names)}")
        chosen = [place[name] for name in names]
        others = [i for i in range(len(self.names)) if i not in chosen]

        def moved(unit: Units) -> Units:
            fixed = unit[0] + int(unit[1:][others] @ self.sizes[others])
            return np.concatenate([[fixed], unit[1:][chosen]])

        terms = tuple(Term(tuple(map(moved, term.units)), term.grid, term.count) for term in self.terms)
        return LatencyForm(tuple(names), self.sizes[chosen], terms, self.scale, self.overhead_ms)


@dataclass(frozen=True)
class SummedLatency:
    """Latency of several networks that run one after the other.

    Attributes:
        names: Groups of all [G], each with its network's name and a dot before it.
        parts: Latency by network.
    """

    names: tuple[str, ...]
    parts: Mapping[str, LatencyForm]

    def predict(self, widths: ArrayLike, cost: str = LATENCY) -> Floats:
        """Milliseconds [P] of plans [P, G] (or of one, [G])."""
        w = np.asarray(widths)
        place = {name: i for i, name in enumerate(self.names)}
        return sum(
            (part.predict(w[..., [place[f"{name}.{group}"] for group in part.names]], cost)
             for name, part in self.parts.items()),
            np.zeros(w.shape[:-1]),
        )  # fmt: skip


def fit_whole(sums: ArrayLike, measured: ArrayLike) -> tuple[float, float]:
    """Scale and overhead, both 0 or more, with the least squares of relative errors.

    Args:
        sums: Added tables [N] of whole networks.
        measured: Their latencies [N], in the same unit.

    Raises:
        ValueError: Fewer than two networks, or times that are not above 0.
    """
    from scipy.optimize import nnls

    s, y = np.asarray(sums, dtype=np.float64), np.asarray(measured, dtype=np.float64)
    if len(s) < 2 or s.shape != y.shape or np.any(s <= 0) or np.any(y <= 0):
        raise ValueError(f"a fit needs two or more networks with times above 0, got {s} and {y}")
    (scale, overhead), _ = nnls(np.stack([s, np.ones_like(s)], axis=1) / y[:, None], np.ones_like(y))
    return float(scale), float(overhead)


def grid_points(lowest: int, full: int, step: int, n: int) -> tuple[int, ...]:
    """Channels at which a side is measured: at most `n`, closer together where there are few, both ends included.

    Large sides are measured at multiples of 8, which is what widths that a device likes fall on.
    """
    shares = np.linspace(0.0, 1.0, max(2, n)) ** 1.5
    wanted = [lowest + share * (full - lowest) for share in shares[1:-1]]
    if full >= 64 and 8 % step == 0 and lowest % step == 0:
        inner = {8 * round(point / 8) for point in wanted}
    else:
        inner = {lowest + step * round((point - lowest) / step) for point in wanted}
    return tuple(sorted({lowest, full} | {point for point in inner if lowest < point < full}))
