"""Latency of any plan: tables of the network's blocks, read between their measured points, and added up.

Our reconstruction: a block's time at a plan's channels is read from its table; a whole network takes
a * (sum over blocks that 8 bits can compute on integers) + b * (sum over the others) + c * (its weights) + d, with a to
d fitted to whole networks. A block timed alone finds its weights in the cache, which c makes up for. Networks that run
in 8 bits have coefficients of their own, fitted to networks measured in 8 bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..costs.cost_form import LATENCY

Floats = NDArray[np.float64]
Units = NDArray[np.int64]
_MAX_BATCH_PLANS = 200_000  # plans priced together: what they need fits into some hundred MB


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
        """Check that table and grid match."""
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
    """Return the next multiple at or above."""
    return -(-n // multiple) * multiple


@dataclass(frozen=True)
class Fit:
    """Coefficients of a network's latency, from its blocks; all 0 or more.

    Attributes:
        integer: What the tables of blocks that can run on integers are multiplied by.
        other: The same of the other blocks.
        weights: Milliseconds a million weights.
        overhead_ms: What is added.
    """

    integer: float = 1.0
    other: float = 1.0
    weights: float = 0.0
    overhead_ms: float = 0.0

    def __call__(self, parts: Floats) -> Floats:
        """Milliseconds [P] from what `LatencyForm.parts` gives [P, 3]."""
        return parts @ np.array([self.integer, self.other, self.weights]) + self.overhead_ms

    def describe(self) -> str:
        """One line for people."""
        return (
            f"{self.integer:.3f} x convolutions and linears + {self.other:.3f} x other layers + "
            f"{self.weights:.3g} ms a million weights + {self.overhead_ms:.3g} ms"
        )


@dataclass(frozen=True)
class Term:
    """A block of the network.

    Attributes:
        units: How its sides depend on the widths (int64 [1 + G] each).
        grid: Its table.
        count: How often it is there.
        weights: Its weights: sum of factor * n0 ** power0 * n1 ** power1, as (factor, power0, power1).
        integer: Whether it can run on integers where the network has 8 bits.
    """

    units: tuple[Units, ...]
    grid: Grid
    count: int = 1
    weights: tuple[tuple[int, int, int], ...] = ()
    integer: bool = False


@dataclass(frozen=True)
class LatencyForm:
    """A `CostModel` for `latency_ms` and, where it was fitted in 8 bits too, `latency_ms_int8`.

    Attributes:
        names: Groups [G]; the order of widths.
        sizes: Channels at full width, int64 [G].
        terms: The network's blocks.
        fits: By cost.
    """

    names: tuple[str, ...]
    sizes: NDArray[np.int64]
    terms: tuple[Term, ...]
    fits: Mapping[str, Fit] = field(default_factory=lambda: {LATENCY: Fit()})

    def predict(self, widths: ArrayLike, cost: str = LATENCY) -> Floats:
        """Milliseconds of plans.

        Args:
            widths: Kept channels, [P, G] or [G]; rounded to whole channels.
            cost: `latency_ms` or `latency_ms_int8`.

        Returns:
            float64 [P], or a 0-d array for [G].

        Raises:
            KeyError: Another cost.
        """
        if cost not in self.fits:
            raise KeyError(f"this latency table prices {', '.join(self.fits)}, not {cost!r}")
        whole = np.rint(np.asarray(widths, dtype=np.float64)).astype(np.int64)
        plans = whole.reshape(-1, len(self.names))
        starts = range(0, max(1, len(plans)), _MAX_BATCH_PLANS)
        found = [self.fits[cost](self.parts(plans[i : i + _MAX_BATCH_PLANS])) for i in starts]
        return np.concatenate(found).reshape(whole.shape[:-1])

    def parts(self, plans: NDArray[np.int64]) -> Floats:
        """Return a fit's terms of plans [P, G]: ms of integer blocks, ms of others, million weights; float64 [P, 3]."""
        total = np.zeros((len(plans), 3))
        for term in self.terms:
            channels = [_channels(unit, plans) for unit in term.units]
            (i, f), (j, g) = (_place(term.grid, side, channels) for side in (0, 1))
            ms = term.grid.ms
            i_next, j_next = np.minimum(i + 1, ms.shape[0] - 1), np.minimum(j + 1, ms.shape[1] - 1)
            here = (1 - f) * ((1 - g) * ms[i, j] + g * ms[i, j_next])
            there = f * ((1 - g) * ms[i_next, j] + g * ms[i_next, j_next])
            total[:, 0 if term.integer else 1] += term.count * (here + there)
            for factor, *powers in term.weights:
                n = np.full(len(plans), float(factor))
                for side, power in zip(channels, powers, strict=False):
                    n *= side if power == 1 else side**power
                total[:, 2] += term.count * n / 1e6
        return total

    def dense(self, cost: str = LATENCY) -> float:
        """Milliseconds of the unpruned network."""
        return float(self.predict(self.sizes, cost))

    def of_groups(self, names: Sequence[str]) -> LatencyForm:
        """Return the predictor over these groups alone, in this order; all others stay whole.

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

        terms = tuple(replace(term, units=tuple(map(moved, term.units))) for term in self.terms)
        return replace(self, names=tuple(names), sizes=self.sizes[chosen], terms=terms)


def _channels(unit: Units, plans: NDArray[np.int64]) -> NDArray[np.int64]:
    # most sides are one group alone: no product of integer matrices for those
    used = np.flatnonzero(unit[1:])
    return unit[0] + sum((unit[1 + g] * plans[:, g] for g in used), np.zeros(len(plans), dtype=np.int64))


def _place(grid: Grid, side: int, channels: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], Floats]:
    below, way = grid.cells(side)
    if side >= len(channels):
        return below, way
    n = np.clip(channels[side], 0, len(below) - 1)
    return below[n], way[n]


def fit_whole(parts: ArrayLike, measured: ArrayLike) -> Fit:
    """Return the coefficients, all 0 or more, with the least squares of relative errors.

    Args:
        parts: What `LatencyForm.parts` gives of whole networks [N, 3].
        measured: Their latencies [N] in ms.

    Raises:
        ValueError: Fewer than two networks, or times that are not above 0.
    """
    from scipy.optimize import nnls

    x, y = np.asarray(parts, dtype=np.float64), np.asarray(measured, dtype=np.float64)
    if len(y) < 2 or x.shape != (len(y), 3) or np.any(x.sum(axis=1) <= 0) or np.any(y <= 0):
        raise ValueError(f"a fit needs two or more networks with times above 0, got {x} and {y}")
    found, _ = nnls(np.column_stack([x, np.ones(len(y))]) / y[:, None], np.ones(len(y)))
    return Fit(*map(float, found))


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
