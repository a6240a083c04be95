"""Scores of plans: errors and metrics of the network, cut to a plan and refitted, before any training."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from torch import nn

from ...evaluators.measurement import Measurement
from ...gan_models.plan_scores.zero_shot import ZeroShotScorer, cpu_features
from ..preparations.opened_study import OpenedStudy
from ..records.plan_evaluation import EvaluationKey, PlanEvaluation, key_of
from ..records.plan_score import PlanErrors, PlanScore, as_score, error_scores, mean_errors
from ..setup.pruned_generators import own_entries
from ..trial.calibration import ZERO_SHOT_PROTOCOL
from .cuttable import Cuttable, teacher_networks

Widths = Mapping[str, int]


@dataclass(frozen=True)
class KnownScores:
    """The scores that a study has already, and the way to keep new ones.

    Attributes:
        evaluations: Errors of single generators' plans.
        plans: Plans with their scores.
        keep: Called with each new evaluation, as soon as it is made.
    """

    evaluations: Sequence[PlanEvaluation] = ()
    plans: Sequence[PlanScore] = ()
    keep: Callable[[PlanEvaluation], None] = lambda evaluation: None


class PlanScorer:
    """The scores of plans that cut the same networks; no plan is scored twice.

    Args:
        study: The study.
        networks: The networks to be cut, by generator.
        parent: Number of the trial that they are of; None: they are the teacher's.
        keeps: Cut networks per generator that are kept in memory, the last ones.
        known: Scores that were made before.
    """

    def __init__(
        self,
        study: OpenedStudy,
        networks: Mapping[str, Cuttable],
        parent: int | None = None,
        keeps: int = 4,
        known: KnownScores = KnownScores(),
    ) -> None:
        self.study, self.networks, self.parent, self.keeps, self._scores = study, networks, parent, keeps, known
        features = cpu_features(study.output_encoder, study.device)
        self._scorers = {
            name: ZeroShotScorer(
                own.model,
                own.groups,
                own.calibration,
                features,
                None if parent is None else study.generators[name].cpu(),
            )
            for name, own in networks.items()
        }
        self._known = {one.key: one for one in known.evaluations}
        self._kept: dict[tuple[str, object], nn.Module] = {}

    @classmethod
    def of_teacher(
        cls, study: OpenedStudy, folder: Path, keeps: int = 4, known: KnownScores = KnownScores()
    ) -> PlanScorer:
        """Return the scorer of plans that cut a study's teacher; arguments as of the class and `teacher_networks`."""
        return cls(study, teacher_networks(study, folder), None, keeps, known)

    def known_error(self, name: str, widths: Widths) -> float:
        """Return the error of one generator's plan as `error` does. Raises KeyError: It was not scored yet."""
        return self._known[self._key(name, widths)].errors.guide

    def error(self, name: str, widths: Widths) -> float:
        """Return the error that plans of one generator are compared by, its groups under its own names."""
        return self._evaluated(name, widths).errors.guide

    def networks_of(self, widths: Widths) -> dict[str, nn.Module]:
        """Return the cut and refitted generators of a plan by name; groups of several have their names before them."""
        return {name: self._network(name, self.own(name, widths)) for name in self.networks}

    def own(self, name: str, widths: Widths) -> dict[str, int]:
        """Return one generator's part of a plan."""
        return dict(widths) if len(self.networks) == 1 else own_entries(name, widths)

    def record(self, widths: Widths, origin: str, found_by: str, measured: bool = True) -> PlanScore:
        """Return a plan's record; one that was scored before keeps its scores.

        Args:
            widths: The plan.
            origin: How it was found.
            found_by: `forecast` or `proposal`.
            measured: Measure the study's metrics of its networks, too.
        """
        each = [self._evaluated(name, self.own(name, widths)) for name in self.networks]
        errors, n = mean_errors([one.errors for one in each]), sum(one.n for one in each)
        seconds = sum(one.seconds for one in each)
        for before in self._scores.plans:
            same = (before.parent, before.widths, before.errors) == (self.parent, dict(widths), errors)
            if same and (before.quality is not None or not measured):
                return before
        scores: list[Measurement] = []
        if n and isfinite(errors.outputs):
            source = "" if self.parent is None else f"; cut from trial {self.parent}"
            scores += error_scores(errors, self.study.encoder.name, n, ZERO_SHOT_PROTOCOL + source)
        if measured:
            networks, begun = dict(self.study.generators) | self.networks_of(widths), time.perf_counter()
            scores += map(as_score, self.study.measure(self.study.joined(networks), full=True))
            seconds += time.perf_counter() - begun
        cost = self.study.proposals().widths.price(widths)
        return PlanScore("P0", dict(widths), cost, tuple(scores), origin, found_by, self.parent, seconds)

    def _evaluated(self, name: str, widths: Widths) -> PlanEvaluation:
        """Return the errors of one generator's plan."""
        key = self._key(name, widths)
        if key not in self._known:
            begun = time.perf_counter()
            found = self._scorers[name].score(self.networks[name].table.plan(widths))
            errors = PlanErrors(found.error, found.feature_error)
            made = PlanEvaluation(self._identity(name), dict(widths), errors, found.n, time.perf_counter() - begun)
            self._known[key] = made
            self._keep(name, widths, found.model)
            self._scores.keep(made)
        return self._known[key]

    def _identity(self, name: str) -> str:
        return f"{self.networks[name].table.identity} {self.study.resolved.encoder}"

    def _key(self, name: str, widths: Widths) -> EvaluationKey:
        return key_of(self._identity(name), widths)

    def _network(self, name: str, widths: Widths) -> nn.Module:
        """Return one generator's cut and refitted network, made again if it is not in memory any more."""
        key = name, tuple(sorted(widths.items()))
        if key not in self._kept:
            self._keep(name, widths, self._scorers[name].score(self.networks[name].table.plan(widths)).model)
        return self._kept[key]

    def _keep(self, name: str, widths: Widths, network: nn.Module) -> None:
        self._kept[name, tuple(sorted(widths.items()))] = network
        while sum(kept == name for kept, _ in self._kept) > self.keeps:
            del self._kept[next(each for each in self._kept if each[0] == name)]
