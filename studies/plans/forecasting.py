"""The forecast of a study: its plans are scored before any training, recorded, and pictured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ...gan_models.files.plain_values import to_json
from ...search.forecast.cost_range import TEACHER as DENSE
from ...search.forecast.cost_range import ForecastOptions, forecast
from ...search.preparations.catalog import PREPARATIONS
from ...search.preparations.opened_study import OpenedStudy
from ...search.preparations.prepare import make_teacher, prepare
from ...search.records.plan_score import PlanScore, metric_of
from ...spaces.budget import describe
from ..database.store import Store
from ..report.image_grid import Column, shown_inputs, shown_outputs
from ..results.outcome import PREPARED, TEACHER
from .plan_records import record_plans

ROWS = 2  # inputs that are pictured
OnTeacher = Callable[[int, int, dict[str, float]], None]
OnPlan = Callable[[PlanScore], None]


@dataclass
class Forecast:
    """The plans of a forecast, with pictures of the best one at each cost.

    Attributes:
        plans: In the order in which they were scored: the teacher first.
        pictures: Columns of a grid: inputs, the teacher, plans from the dearest to the cheapest.
    """

    plans: list[PlanScore] = field(default_factory=list)
    pictures: list[Column] = field(default_factory=list)


def make_forecast(
    store: Store, study: OpenedStudy, options: ForecastOptions, on_plan: OnPlan, on_teacher: OnTeacher | None = None
) -> Forecast:
    """Score a study's plans, record each as soon as it is scored, and return them.

    A given teacher is not prepared for trials: no discriminator is trained.

    Args:
        store: The study's record, opened to be written.
        study: The study.
        options: Numbers of costs and plans.
        on_plan: Called with each plan that was measured.
        on_teacher: Called with (step, steps, losses) while a teacher is trained.
    """
    folder = store.folder.path
    if study.config.teacher:
        needed = {name for name in PREPARATIONS if name not in ("teacher", "test_features")}
        prepared = prepare(study, folder, on_teacher, needed)
    else:
        prepared = prepare(study, folder, on_teacher)
        store.set_attribute(TEACHER, to_json(make_teacher(study, folder)))
        store.set_attribute(PREPARED, to_json(prepared.artifacts))
    made = Forecast()
    inputs = {name: shown_inputs(study, name, ROWS) for name in study.names}
    made.pictures += [column for _, columns, _ in inputs.values() for column in columns if column.label != "target"]
    for plan in forecast(study, options):
        (named,) = record_plans(store, [plan.record])
        made.plans.append(named)
        if named.quality is not None:
            on_plan(named)
        for name, network in (plan.networks or {}).items():
            images = shown_outputs(study, network, inputs[name][0])
            made.pictures.append(Column(label_of(study, named), images))
    return made


def label_of(study: OpenedStudy, plan: PlanScore) -> str:
    """Return the label above a plan's pictures: its name, cost and scores."""
    quality = plan.quality
    score = "" if quality is None or quality.reason is not None else f"{metric_of(quality)} {quality.value:.3g}"
    share = plan.cost / study.resolved.dense[study.resolved.cost]
    if plan.origin == DENSE:
        return f"dense teacher\n{score}, {describe(plan.cost, study.resolved.cost)}"
    return f"{plan.name}: {plan.origin}\n{score}, {100 * share:.1f} %"
