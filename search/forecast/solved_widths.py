"""Widths that the solver finds at a cost, for the first points of samplers that search widths."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from ..preparations.opened_study import OpenedStudy
from .plan_scorer import KnownScores, PlanScorer
from .plans_at_cost import Sensitivities, sensitivities, solved_at


class SolvedWidths:
    """The solver over the study's score tables, which are made at the first call and kept by content.

    Losses are weighted by sensitivities if a forecast or a proposal of the study has measured them. They are not
    measured here, because a driver must not spend minutes before the first trial.

    Args:
        study: The study, with its teacher and calibration inputs.
        folder: Its files.
        known: Scores that the study has.
    """

    def __init__(self, study: OpenedStudy, folder: Path, known: KnownScores) -> None:
        self._study, self._folder, self._known = study, folder, known

    def __call__(self, target: float) -> dict[str, int]:
        """Return the plan of the least losses at or under a cost.

        Raises:
            InfeasibleBudget: Even the smallest plan costs more.
        """
        return solved_at(self._study, self._scorer, target, self._sensitivities)[0]

    @cached_property
    def _scorer(self) -> PlanScorer:
        return PlanScorer.of_teacher(self._study, self._folder, known=self._known)

    @cached_property
    def _sensitivities(self) -> Sensitivities:
        try:
            return sensitivities(self._study, self._scorer, self._scorer.known_error)
        except KeyError:
            return {name: dict.fromkeys(own.groups.names, 1.0) for name, own in self._scorer.networks.items()}
