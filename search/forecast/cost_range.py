"""A forecast: zero-shot scores of plans over the whole range of costs, before anything is trained."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from ...gan_models.files.errors import UserError
from ...spaces.widths import ladder
from ..preparations.opened_study import OpenedStudy
from ..records.plan_score import PlanScore, as_score
from .plan_scorer import KnownScores, PlanScorer
from .plans_at_cost import plans_at, sensitivities, space_of

TEACHER = "dense teacher"  # origin of the plan that keeps everything


@dataclass(frozen=True)
class ForecastOptions:
    """The effort of a forecast.

    Attributes:
        costs: Number of costs, from the budget down to the lowest target, in equal steps of the logarithm.
        evaluations: Plans that are scored per cost and generator.

    Raises:
        UserError: A number is below its minimum.
    """

    costs: int = 8
    evaluations: int = 6

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.costs < 1:
            raise UserError(f"a forecast needs costs: got --costs {self.costs}; expected 1 or more")
        if self.evaluations < 2:
            raise UserError(
                f"a forecast scores the uniform plan and the score table's: got --evaluations {self.evaluations}; "
                "expected 2 or more"
            )


@dataclass(frozen=True)
class ForecastPlan:
    """A plan of a forecast.

    Attributes:
        record: Its scores.
        pictured: True if it is the teacher, or has the least error at its cost.
        scorer: Has its networks.
    """

    record: PlanScore
    pictured: bool
    scorer: PlanScorer

    def networks(self) -> Mapping[str, nn.Module]:
        """Return its networks by generator."""
        if self.record.origin == TEACHER:
            return {name: own.model for name, own in self.scorer.networks.items()}
        return self.scorer.networks_of(self.record.widths)


def forecast(
    study: OpenedStudy, folder: Path, options: ForecastOptions, known: KnownScores = KnownScores()
) -> Iterator[ForecastPlan]:
    """Yield scored plans from the dearest to the cheapest; the teacher comes first.

    At each cost the uniform plan and the best of all that were scored are measured in the study's metrics, too; the
    others have their errors alone.

    Args:
        study: The study, with its teacher's generators and the features of its real images.
        folder: Its files.
        options: How many costs and plans.
        known: Scores of an earlier, interrupted forecast: none of them is made again.

    Raises:
        UserError: The study has no calibration inputs.
    """
    check_calibration(study)
    scorer = PlanScorer.of_teacher(study, folder, options.evaluations + 2, known)
    yield ForecastPlan(_teacher(study, known), True, scorer)
    proposals, previous = study.proposals(), list[Mapping[str, int]]()
    weights = sensitivities(study, scorer)
    for target in ladder(proposals.lowest, proposals.highest, options.costs):
        starts = [space_of(study).decode(space_of(study).encode(plan), target) for plan in previous]
        found = plans_at(study, scorer, target, weights, starts, options.evaluations)
        shown = [found.best] if found.best == found.uniform else [found.uniform, found.best]
        for widths in shown:
            record = scorer.record(widths, found.origin(widths), "forecast")
            yield ForecastPlan(record, widths == found.best, scorer)
        for widths in found.visited:
            if widths not in shown:
                yield ForecastPlan(scorer.record(widths, found.origin(widths), "forecast", False), False, scorer)
        previous = [found.best]


def _teacher(study: OpenedStudy, known: KnownScores) -> PlanScore:
    """Return the record of the plan that keeps everything, whose error is zero by definition."""
    before = next((plan for plan in known.plans if plan.origin == TEACHER), None)
    if before is not None:
        return before
    begun = time.perf_counter()
    sizes = dict(zip(study.groups.form.names, study.groups.form.sizes.tolist(), strict=True))
    measured = study.measure(study.joined(dict(study.generators)), full=True)
    cost = study.proposals().widths.price(sizes)
    return PlanScore("P0", sizes, cost, tuple(map(as_score, measured)), TEACHER, seconds=time.perf_counter() - begun)


def check_calibration(study: OpenedStudy) -> None:
    """Raise UserError unless a study has inputs that cut networks are refitted with."""
    if not study.config.calibration_images:
        raise UserError(
            f"plans of study {study.config.name!r} cannot be scored: got --calibration-images "
            f"{study.config.calibration_images or 0}; expected inputs to refit cut networks with. "
            "Try another study with --calibration-images 64"
        )
