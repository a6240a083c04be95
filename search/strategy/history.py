"""The record as samplers see it: every plan that teaches something, and no more of them than a model can use."""

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

# Trials that a model is shown: asking then costs the same at 300 trials and at 10,000. Half of them are the best, by
# non-dominated rank, which say where to look; the others the latest, which say what was tried there.
SHOWN = 300


@dataclass(frozen=True)
class Point:
    """A trial in one method's sub-space: params (None where it is no point of it), and what its sampler left there."""

    params: Mapping[str, Any] | None
    state: Mapping[str, Any] = field(default_factory=dict)


class Translate(Protocol):
    """A plan as a point of another method's sub-space."""

    def __call__(
        self, widths: Mapping[str, int], target: float, bits: int, to: str, recipe: Mapping[str, float]
    ) -> Mapping[str, Any] | None:
        """The point; None where there is none."""
        ...


class History:
    """What the samplers of one study see. Keeps nothing but the points that were shown last, which never change.

    Args:
        translate: Makes a plan a point of a method that takes plans.
        takes_plans: Whether other methods' plans are points of a method's sub-space.
        limit: Ended trials that are shown at most.
    """

    def __init__(self, translate: Translate, takes_plans: Callable[[str], bool], limit: int = SHOWN):
        self._translate, self._takes_plans, self._limit = translate, takes_plans, limit
        self._points: dict[str, dict[int, Point]] = {}

    def seen(self, records: Sequence[TrialRecord], method: str, space: Mapping[str, BaseDistribution]) -> list[Seen]:
        """The record for one method's sampler: failed trials left out, running ones without values.

        Args:
            records: The study's trials by number.
            method: Whose sampler asks.
            space: Its dimensions.
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
        # Optuna's GP wants the same constraints for every trial; stopped trials have none
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
        # widths that another method was given or has learned are worth knowing wherever widths are searched
        plan = new.proposal.widths or record.widths
        return Point(self._translated(plan, new, method) if plan else None)

    def _translated(self, plan: Mapping[str, int], new: NewTrial, method: str) -> Mapping[str, Any] | None:
        return self._translate(plan, new.target, new.proposal.bits, method, new.proposal.recipe)
