"""The record as samplers see it: the informative plans, as many as a model can use."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from optuna.distributions import BaseDistribution

from ..records.ledger import NewTrial, TrialRecord
from ..samplers.optuna_mirror import Seen
from . import pareto
from .early_stopping import extrapolated

# Maximum number of trials for a model, so that a proposal costs the same at 300 trials and at 10,000. Half are the best
# ones by non-dominated rank, the others the latest.
MAX_SAMPLER_TRIALS = 300


@dataclass(frozen=True)
class Point:
    """A trial in one method's sub-space: params (None if it is not a point of it), and its sampler's state."""

    params: Mapping[str, Any] | None
    state: Mapping[str, Any] = field(default_factory=dict)


class Translate(Protocol):
    """A conversion of a plan to a point of another method's sub-space."""

    def __call__(
        self, widths: Mapping[str, int], target: float, bits: int, to: str, recipe: Mapping[str, float]
    ) -> Mapping[str, Any] | None:
        """Return the point; None if there is none."""
        ...


class History:
    """The history that the samplers of one study see. It caches only the last points, which never change.

    Args:
        translate: Converts a plan to a point of a method that takes plans.
        takes_plans: Function that returns True if other methods' plans are points of a method's sub-space.
        limit: Maximum number of ended trials.
    """

    def __init__(self, translate: Translate, takes_plans: Callable[[str], bool], limit: int = MAX_SAMPLER_TRIALS):
        self._translate, self._takes_plans, self._limit = translate, takes_plans, limit
        self._points: dict[str, dict[int, Point]] = {}

    def seen(self, records: Sequence[TrialRecord], method: str, space: Mapping[str, BaseDistribution]) -> list[Seen]:
        """Return the record for one method's sampler: without failed trials; running ones have no values.

        Args:
            records: The study's trials by number.
            method: The sampler's method.
            space: The method's dimensions.
        """
        stopped, plans = extrapolated(records), self._takes_plans(method)
        ended: list[tuple[TrialRecord, tuple[float, float] | None]] = []
        running: list[tuple[TrialRecord, tuple[float, float] | None]] = []
        for record in records:
            if record.state == "FAIL" or not (plans or record.new.method == method):
                continue
            if not record.finished:
                running.append((record, None))
                continue
            quality = stopped.get(record.number) if record.state == "PRUNED" else record.quality
            if quality is not None and record.cost is not None and math.isfinite(quality):
                ended.append((record, (quality, record.cost)))
        # Optuna's GP requires the same constraints for every trial; stopped trials have none
        names = sorted({name for record in records for name in record.constraints})
        known, shown, found = self._points.get(method, {}), {}, []
        for record, values in sorted([*self._worth(ended), *running], key=lambda item: item[0].number):
            point = known.get(record.number) or self._point(record, method)
            if point.params is None or set(point.params) != set(space):
                continue
            if values is not None:
                shown[record.number] = point
            constraints = {name: record.constraints.get(name, 0.0) for name in names} if values else {}
            found.append(Seen(record.number, point.params, values, constraints, point.state))
        self._points[method] = shown
        return found

    def _worth(
        self, ended: list[tuple[TrialRecord, tuple[float, float] | None]]
    ) -> list[tuple[TrialRecord, tuple[float, float] | None]]:
        if len(ended) <= self._limit:
            return ended
        half = self._limit // 2
        older, recent = ended[:-half], ended[-half:]
        points_N2 = np.array([values for _, values in older], dtype=float)
        return [older[i] for i in sorted(pareto.best(points_N2, self._limit - half))] + recent

    def _point(self, record: TrialRecord, method: str) -> Point:
        new = record.new
        if new.method == method:
            return Point(dict(new.params), dict(new.sampler_state))
        # widths of another method, given or learned, are informative for every search of widths
        plan = new.proposal.widths or record.widths
        return Point(self._translated(plan, new, method) if plan else None)

    def _translated(self, plan: Mapping[str, int], new: NewTrial, method: str) -> Mapping[str, Any] | None:
        return self._translate(plan, new.target, new.proposal.bits, method, new.proposal.recipe)
