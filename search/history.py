"""The record as samplers see it: every plan that teaches something, and no more of them than a model can use."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from optuna.distributions import BaseDistribution

from . import pareto
from .early_stopping import extrapolated
from .ledger import TrialRecord
from .mirror import Seen

# Trials that a model is shown: asking then costs the same at 300 trials and at 10,000. Half of them are the best, by
# non-dominated rank, which say where to look; the others the latest, which say what was tried there.
SHOWN = 300


class Translate(Protocol):
    """A plan as a point of another method's sub-space."""

    def __call__(self, widths: Mapping[str, int], target: float, bits: int, to: str) -> Mapping[str, Any] | None:
        """The point; None where there is none."""
        ...


class History:
    """What the samplers of one study see. Keeps nothing but translated plans, which never change once built.

    Args:
        translate: Makes a plan a point of a method that searches widths.
        limit: Ended trials that are shown at most.
    """

    def __init__(self, translate: Translate, limit: int = SHOWN):
        self._translate, self._limit = translate, limit
        self._points: dict[tuple[str, int], Mapping[str, Any] | None] = {}

    def seen(self, records: Sequence[TrialRecord], method: str, space: Mapping[str, BaseDistribution]) -> list[Seen]:
        """The record for one method's sampler: failed trials left out, running ones without values.

        Args:
            records: The study's trials by number.
            method: Whose sampler asks.
            space: Its dimensions.
        """
        stopped = extrapolated(records)
        ended: list[tuple[TrialRecord, tuple[float, float] | None]] = []
        running: list[tuple[TrialRecord, tuple[float, float] | None]] = []
        for record in records:
            if record.state == "FAIL" or (record.new.method != method and not self._plan(record)):
                continue
            if not record.finished:
                running.append((record, None))
                continue
            quality = stopped.get(record.number) if record.state == "PRUNED" else record.quality
            if quality is not None and record.cost is not None and math.isfinite(quality):
                ended.append((record, (quality, record.cost)))
        # Optuna's GP wants the same constraints for every trial; stopped trials have none
        names = sorted({name for record in records for name in record.constraints})
        found = []
        for record, values in sorted([*self._worth(ended), *running], key=lambda item: item[0].number):
            params = self._point(record, method)
            if params is None or set(params) != set(space):
                continue
            own = record.new.sampler_state if record.new.method == method else {}
            constraints = {name: record.constraints.get(name, 0.0) for name in names} if values else {}
            found.append(Seen(record.number, params, values, constraints, own))
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

    @staticmethod
    def _plan(record: TrialRecord) -> Mapping[str, int] | None:
        # Widths that another method was given or has learned are worth knowing wherever widths are searched.
        return record.new.request.get("widths") or record.attributes.get("plan")

    def _point(self, record: TrialRecord, method: str) -> Mapping[str, Any] | None:
        if record.new.method == method:
            return record.new.params
        key = (method, record.number)
        if key in self._points:
            return self._points[key]
        plan = self._plan(record)
        bits = record.new.request.get("bits", 32)
        point = self._translate(plan, record.new.target, bits, method) if plan else None
        if record.finished:
            self._points[key] = point
        return point
