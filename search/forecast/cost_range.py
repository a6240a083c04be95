"""A forecast: zero-shot scores of plans over the whole range of costs, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import nn

from ...gan_models.files.errors import UserError
from ...spaces.widths import ladder
from ..preparations.opened_study import OpenedStudy
from ..records.plan_score import PlanScore
from .cuttable import teacher_networks
from .plan_scorer import PlanScorer, ScoredPlan
from .plans_at_cost import plans_at, space_of

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
        networks: Its networks by generator, if it is the teacher or has the least error at its cost; else None.
    """

    record: PlanScore
    networks: Mapping[str, nn.Module] | None = None


def forecast(study: OpenedStudy, options: ForecastOptions) -> Iterator[ForecastPlan]:
    """Yield scored plans from the dearest to the cheapest; the teacher comes first.

    At each cost the uniform plan and the best of all that were scored are measured in the study's metrics, too; the
    others have their errors alone.

    Args:
        study: The study, with its teacher's generators and the features of its real images.
        options: How many costs and plans.

    Raises:
        UserError: The study has no calibration inputs.
    """
    check_calibration(study)
    scorer = PlanScorer(study, teacher_networks(study), keeps=options.evaluations + 2)
    sizes = dict(zip(study.groups.form.names, study.groups.form.sizes.tolist(), strict=True))
    whole = ScoredPlan(sizes, {name: study.generators[name] for name in study.names}, 0.0, 0, 0.0)
    yield ForecastPlan(scorer.record(whole, TEACHER, "forecast"), whole.networks)
    proposals, previous = study.proposals(), list[Mapping[str, int]]()
    for target in ladder(proposals.lowest, proposals.highest, options.costs):
        starts = [space_of(study).decode(space_of(study).encode(plan), target) for plan in previous]
        found = plans_at(study, scorer, target, starts, options.evaluations)
        shown = [found.best] if found.best == found.uniform else [found.uniform, found.best]
        for widths in shown:
            plan = scorer.scored(widths)
            networks = plan.networks if widths == found.best else None
            yield ForecastPlan(scorer.record(plan, found.origin(widths), "forecast"), networks)
        for widths in found.visited:
            if widths not in shown:
                other = scorer.record(scorer.scored(widths), found.origin(widths), "forecast", measured=False)
                yield ForecastPlan(other)
        previous = [found.best]


def check_calibration(study: OpenedStudy) -> None:
    """Raise UserError unless a study has inputs that cut networks are refitted with."""
    if not study.config.calibration_images:
        raise UserError(
            f"plans of study {study.config.name!r} cannot be scored: got --calibration-images "
            f"{study.config.calibration_images or 0}; expected inputs to refit cut networks with. "
            "Try another study with --calibration-images 64"
        )
