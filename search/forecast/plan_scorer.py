"""Scores of plans: the error and metrics of the network, cut to a plan and refitted, before any training."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from torch import nn

from ...evaluators.measurement import Measurement
from ...gan_models.plan_scores.zero_shot import ZeroShot, ZeroShotScorer, outputs_of
from ...gan_models.reconstruction.targets import relative_error
from ..preparations.opened_study import OpenedStudy
from ..records.plan_score import PlanScore, as_score, error_score
from ..setup.pruned_generators import own_entries
from ..trial.calibration import ZERO_SHOT_PROTOCOL
from .cuttable import Cuttable

Widths = Mapping[str, int]


@dataclass(frozen=True)
class ScoredPlan:
    """A plan's network with its error.

    Attributes:
        widths: The plan.
        networks: The cut and refitted generators by name.
        error: Squared error to the teacher's outputs relative to their variance; infinite if it is not known.
        n: Inputs that it was measured on.
        seconds: Of cutting and refitting.
    """

    widths: Widths
    networks: Mapping[str, nn.Module]
    error: float
    n: int
    seconds: float


class PlanScorer:
    """The scores of plans that cut the same networks; no plan is scored twice.

    Args:
        study: The study.
        networks: The networks to be cut, by generator.
        parent: Number of the trial that they are of; None: they are the teacher's.
        keeps: Cut networks per generator that are kept in memory, the last ones.
    """

    def __init__(
        self, study: OpenedStudy, networks: Mapping[str, Cuttable], parent: int | None = None, keeps: int = 4
    ) -> None:
        self.study, self.networks, self.parent, self.keeps = study, networks, parent, keeps
        self._scorers = {name: ZeroShotScorer(own.model, own.groups, own.calibration) for name, own in networks.items()}
        self.errors: dict[tuple[str, tuple[int, ...]], float] = {}
        self._kept: dict[tuple[str, tuple[int, ...]], tuple[ZeroShot, float, float]] = {}

    def error(self, name: str, widths: Widths) -> float:
        """Return the error of one generator's plan, its groups under its own names."""
        key = _key(name, widths)
        return self.errors[key] if key in self.errors else self._scored(name, widths)[1]

    def scored(self, widths: Widths) -> ScoredPlan:
        """Return a plan's refitted networks with their mean error; groups of several have their names before them."""
        found = {name: self._scored(name, self.own(name, widths)) for name in self.networks}
        errors = [error for _, error, _ in found.values()]
        return ScoredPlan(
            dict(widths),
            {name: one.model for name, (one, _, _) in found.items()},
            sum(errors) / len(errors),
            sum(one.n for one, _, _ in found.values()),
            sum(seconds for _, _, seconds in found.values()),
        )

    def own(self, name: str, widths: Widths) -> dict[str, int]:
        """Return one generator's part of a plan."""
        return dict(widths) if len(self.networks) == 1 else own_entries(name, widths)

    def record(self, plan: ScoredPlan, origin: str, found_by: str, measured: bool = True) -> PlanScore:
        """Return a plan's record.

        Args:
            plan: The plan.
            origin: How it was found.
            found_by: `forecast` or `proposal`.
            measured: Measure the study's metrics of its networks, too.
        """
        begun, scores = time.perf_counter(), list[Measurement]()
        if plan.n and isfinite(plan.error):
            scores.append(error_score(plan.error, plan.n, ZERO_SHOT_PROTOCOL + self._source))
        if measured:
            networks = dict(self.study.generators) | dict(plan.networks)
            scores += map(as_score, self.study.measure(self.study.joined(networks), full=True))
        cost = self.study.proposals().widths.price(plan.widths)
        seconds = plan.seconds + time.perf_counter() - begun
        return PlanScore("P0", plan.widths, cost, tuple(scores), origin, found_by, self.parent, seconds)

    @property
    def _source(self) -> str:
        return "" if self.parent is None else f"; cut from trial {self.parent}"

    def _scored(self, name: str, widths: Widths) -> tuple[ZeroShot, float, float]:
        key = _key(name, widths)
        if key not in self._kept:
            begun, own = time.perf_counter(), self.networks[name]
            found = self._scorers[name].score(own.table.plan(widths))
            error = found.error if self.parent is None else self._to_teacher(name, found)
            self._kept[key] = (found, error, time.perf_counter() - begun)
            self.errors[key] = error
            while sum(kept == name for kept, _ in self._kept) > self.keeps:
                del self._kept[next(each for each in self._kept if each[0] == name)]
        return self._kept[key]

    def _to_teacher(self, name: str, found: ZeroShot) -> float:
        """Return the error to the teacher's outputs of a network that was cut from a trial's."""
        calibration = self.networks[name].calibration
        inputs = calibration.judging
        if not inputs or not len(inputs[0]):  # the refit has not seen the last ones
            inputs = tuple(x[-max(1, found.n) :] for x in calibration.fitting(found.model))
        expected = outputs_of(self.study.generators[name].cpu(), inputs, calibration.seed)
        return relative_error(outputs_of(found.model, inputs, calibration.seed), expected)


def _key(name: str, widths: Widths) -> tuple[str, tuple[int, ...]]:
    return name, tuple(widths[group] for group in sorted(widths))
