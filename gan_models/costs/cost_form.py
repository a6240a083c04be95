"""Exact cost of any plan as a bilinear form of the group widths, extracted once from a trace.

For a fixed input size every parameter tensor and every convolution costs coefficient * (channels on one axis) *
(channels on the other); both channel counts are linear in the widths. Original to ganprune; docs/measuring.md lists
what is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..files.errors import UserError
from ..files.texts.number_text import counted
from .channel_swap import exchanged

Floats = NDArray[np.float64]
INT8, INT8_PER_CHANNEL = "bytes_int8", "bytes_int8_per_channel"
LATENCY, LATENCY_INT8 = "latency_ms", "latency_ms_int8"
TRACED_COSTS = ("macs", "macs_published", "params", INT8, INT8_PER_CHANNEL)


class InfeasibleBudget(UserError):
    """An error: no plan of the network is cheap enough."""


class CostModel(Protocol):
    """The price of plans: any mapping from widths to a cost, such as a latency table."""

    def predict(self, widths: ArrayLike, cost: str = "macs") -> Floats:
        """Return the cost [P] of plans with these widths [P, G]."""
        ...


@dataclass(frozen=True)
class Row:
    """A tensor or call: channels on its two axes (0: never pruned, else 1 + channel number), and coefficients."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    coefficients: Mapping[str, float]


@dataclass(frozen=True)
class CostForm:
    """A bilinear form: cost(w) = sum over rows of a * (left w + left_fixed) * (right w + right_fixed).

    Attributes:
        names: Names of groups [G]; the order of all widths.
        sizes: Channels at full width, int64 [G].
        left, right: float64 [R, G]. left_fixed, right_fixed: float64 [R].
        coefficients: Cost name -> float64 [R].
    """

    names: tuple[str, ...]
    sizes: NDArray[np.int64]
    left: Floats
    right: Floats
    left_fixed: Floats
    right_fixed: Floats
    coefficients: Mapping[str, Floats]

    @classmethod
    def from_rows(cls, sizes: Mapping[str, int], rows: Sequence[Row], costs: Sequence[str] = TRACED_COSTS) -> CostForm:
        """Return the form of rows; rows over the same channels are merged.

        Args:
            sizes: Group -> channels at full width.
            rows: Tensors and calls with their coefficients.
            costs: Names of the coefficients; the traced ones imply `bytes`.
        """
        bounds = np.cumsum([0, *sizes.values()])
        merged: dict[bytes, tuple[Floats, dict[str, float]]] = {}
        for row in rows:
            sides = np.concatenate([linear_in_widths(row.left, bounds), linear_in_widths(row.right, bounds)])
            _, totals = merged.setdefault(sides.tobytes(), (sides, {}))
            for cost, coefficient in row.coefficients.items():
                totals[cost] = totals.get(cost, 0.0) + coefficient
        n = len(sizes)
        table = np.array([sides for sides, _ in merged.values()]).reshape(-1, 2 * (n + 1))
        coefficients = {cost: np.array([totals.get(cost, 0.0) for _, totals in merged.values()]) for cost in costs}
        if "params" in coefficients:
            coefficients["bytes"] = 4.0 * coefficients["params"]
        left, right = table[:, : n + 1], table[:, n + 1 :]
        return cls(
            tuple(sizes), np.array(list(sizes.values()), dtype=np.int64), left[:, 1:], right[:, 1:], left[:, 0],
            right[:, 0], coefficients,
        )  # fmt: skip

    def widths(self, widths: Mapping[str, int]) -> NDArray[np.int64]:
        """Return widths by name as int64 [G] in this form's order."""
        return np.array([widths[name] for name in self.names], dtype=np.int64)

    def predict(self, widths: ArrayLike, cost: str = "macs") -> Floats:
        """Return the cost of plans.

        Args:
            widths: Kept channels, [P, G] or [G].
            cost: One of FORM_COSTS: exact MACs, MACs with transposed convolutions on their output grid, parameters,
                bytes of float32 parameters; or INT8 / INT8_PER_CHANNEL, bytes with the weights of quantized layers
                in 8 bits (and their float32 scales). MACs are for the traced input, batch included.

        Returns:
            float64 [P], or a 0-d array for [G]; exact integers below 2**53.

        Raises:
            KeyError: The cost is unknown.
        """
        w = np.asarray(widths, dtype=np.float64)
        used, a = self._used(cost)
        left = w @ self.left[used].T + self.left_fixed[used]
        right = w @ self.right[used].T + self.right_fixed[used]
        return np.asarray((left * right) @ a)

    def gradient(self, widths: ArrayLike, cost: str = "macs") -> Floats:
        """Return D cost / d width at widths [P, G] or [G], in the same shape; widths may be fractional."""
        w = np.asarray(widths, dtype=np.float64)
        used, a = self._used(cost)
        left = w @ self.left[used].T + self.left_fixed[used]
        right = w @ self.right[used].T + self.right_fixed[used]
        return (a * right) @ self.left[used] + (a * left) @ self.right[used]

    def dense(self, cost: str = "macs") -> float:
        """Return the cost of the unpruned network."""
        return float(self.predict(self.sizes, cost))

    def cheapest(self, cost: str = "macs", floor: int = 1, multiple: int = 1) -> float:
        """Return the cost of the plan in which every group is at its floor."""
        return float(self.predict(self.floors(floor, multiple), cost))

    def floors(self, floor: int = 1, multiple: int = 1) -> NDArray[np.int64]:
        """Return the smallest allowed widths [G]."""
        return np.minimum(self.sizes, max(1, -(-floor // multiple) * multiple))

    def fit(self, ideal: ArrayLike, floor: int = 1, multiple: int = 1) -> NDArray[np.int64]:
        """Return fractional widths [.., G] rounded down to the multiple, between floor and full size."""
        ideal = np.asarray(ideal, dtype=np.float64) + 1e-9
        down = (ideal // multiple).astype(np.int64) * multiple
        down = np.where(ideal >= self.sizes, self.sizes, down)
        return np.clip(down, self.floors(floor, multiple), self.sizes)

    def solve(
        self,
        ratios: ArrayLike,
        target: float,
        cost: str = "macs",
        floor: int = 1,
        multiple: int = 1,
        model: CostModel | None = None,
    ) -> NDArray[np.int64]:
        """Return widths proportional to the given ratios whose cost is at or under a target, and close to it.

        One multiplier is found by bisection (or, with a model, by pricing all of them); the rest of the target is
        filled channel by channel, the group furthest below its ideal width first.

        Args:
            ratios: Positive weights [G], relative to full width.
            target: Upper bound on the cost.
            cost: The cost's name.
            floor: Minimum number of channels per group.
            multiple: Widths are multiples of this, or the full width.
            model: Prices plans in place of this form; its cost need not be monotonic.

        Raises:
            InfeasibleBudget: Even the smallest plan costs more than the target.
            ValueError: Ratios have the wrong shape or are not positive.
        """
        ratios = np.asarray(ratios, dtype=np.float64)
        if ratios.shape != self.sizes.shape or not np.all(ratios > 0) or not np.all(np.isfinite(ratios)):
            raise ValueError(
                f"invalid ratios: got shape {ratios.shape}; expected {len(self.sizes)} positive numbers, one per group"
            )
        smallest = self.floors(floor, multiple)
        least = float((model or self).predict(smallest, cost))
        if least > target:
            raise InfeasibleBudget(
                f"target {target:g} {cost} cannot be met: the smallest plan ({counted(floor, 'channel')} per group, "
                f"multiples of {multiple}) costs {least:g}. Try a larger budget"
            )
        if model is not None:
            return self._scan(ratios, target, cost, floor, multiple, model)
        low, high = 0.0, 1.0 / float(ratios.min())
        if float(self.predict(self.fit(self.sizes * ratios * high, floor, multiple), cost)) <= target:
            return self.sizes.copy()
        for _ in range(60):
            middle = 0.5 * (low + high)
            if float(self.predict(self.fit(self.sizes * ratios * middle, floor, multiple), cost)) <= target:
                low = middle
            else:
                high = middle
        ideal = np.minimum(self.sizes * ratios * high, self.sizes)
        return self.fill(self.fit(self.sizes * ratios * low, floor, multiple), ideal, target, cost, floor, multiple)

    def _scan(
        self, ratios: Floats, target: float, cost: str, floor: int, multiple: int, model: CostModel
    ) -> NDArray[np.int64]:
        """Return the result of `solve` by pricing all plans on a ray: a model's cost may fall as widths grow.

        The plan with the most channels at or under the target is chosen, then filled.
        """
        per_unit = self.sizes * ratios
        steps = [
            np.append(np.arange(multiple, n + 1, multiple), n) / unit
            for n, unit in zip(self.sizes, per_unit, strict=True)
        ]
        multipliers = np.append(0.0, np.unique(np.concatenate(steps)))
        plans = np.unique(self.fit(multipliers[:, None] * per_unit, floor, multiple), axis=0)
        fitting = plans[model.predict(plans, cost) <= target]  # the smallest plan is always one of them
        widths = fitting[np.argmax(fitting.sum(axis=1))]
        if np.array_equal(widths, self.sizes):
            return widths
        reached = np.min(widths / per_unit, where=widths < self.sizes, initial=np.inf)
        ideal = np.minimum(per_unit * (reached * 1.05), self.sizes)
        return self.fill(widths, ideal, target, cost, floor, multiple, model)

    def fill(
        self,
        widths: NDArray[np.int64],
        ideal: ArrayLike,
        target: float,
        cost: str,
        floor: int,
        multiple: int,
        model: CostModel | None = None,
    ) -> NDArray[np.int64]:
        """Add channels while they fit under the target, until 0.2 % of it is left; swap some if none fits.

        Args:
            widths: Initial widths [G], at or under the target.
            ideal: Fractional widths [G]; the group furthest below its own, relative to its size, goes first.
            target: Upper bound on the cost.
            cost: The cost's name.
            floor: Minimum number of channels per group.
            multiple: Step in channels.
            model: See `solve`.
        """
        priced, widths, ideal = model or self, widths.copy(), np.asarray(ideal, dtype=np.float64)
        while float(priced.predict(widths, cost)) < 0.998 * target:
            steps = np.minimum(widths - widths % multiple + multiple, self.sizes) - widths
            wider = widths + np.diag(steps)
            fits = (priced.predict(wider, cost) <= target) & (steps > 0)
            if not fits.any():
                if (other := exchanged(self, widths, target, cost, floor, multiple, model)) is None:
                    break
                widths = other
                continue
            shortfall = np.where(fits, (ideal - widths) / self.sizes, -np.inf)
            chosen = int(np.argmax(shortfall))
            widths[chosen] += steps[chosen]
        return widths

    def _used(self, cost: str) -> tuple[NDArray[np.bool_], Floats]:
        if cost not in self.coefficients:
            raise KeyError(f"unknown cost: got {cost!r}; expected one of {', '.join(self.coefficients)}")
        a = self.coefficients[cost]
        used = a != 0
        return used, a[used]


def linear_in_widths(flat: NDArray[np.int64], bounds: NDArray[np.int64]) -> Floats:
    """Return coefficients [1 + G]: the number of positions never pruned, then positions per channel of each group.

    Args:
        flat: Channels as in `AxisChannels.flat`.
        bounds: int [G + 1], the first channel of each group, and the end.
    """
    result = np.zeros(len(bounds))
    result[0] = np.count_nonzero(flat == 0)
    group = np.searchsorted(bounds, flat[flat > 0] - 1, side="right") - 1
    result[1:] = np.bincount(group, minlength=len(bounds) - 1) / np.diff(bounds)
    return result
