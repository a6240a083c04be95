"""The forecast of a study: scores of plans before any training, their record, and pictures.

All results are stored at once, so that an interrupted forecast resumes without repetition.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...gan_models.files.atomic_files import write_file
from ...gan_models.files.plain_values import to_json
from ...search.forecast.cost_range import TEACHER as DENSE
from ...search.forecast.cost_range import ForecastOptions, ForecastPlan, forecast
from ...search.pictures.shown_pictures import Column, shown_inputs, shown_outputs
from ...search.preparations.catalog import PREPARATIONS
from ...search.preparations.opened_study import OpenedStudy
from ...search.preparations.prepare import make_teacher, prepare
from ...search.records.plan_score import PlanScore, metric_of
from ...spaces.budget import describe
from ..database.store import Store
from ..results.outcome import PREPARED_KEY, TEACHER
from .plan_records import known_scores, record_plans

ROWS = 2  # number of inputs that are pictured
PICTURES = "forecast"  # folder of the pictured outputs, inside the study's
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

    Scores and pictures of an earlier forecast of the study are taken from its record. A given teacher is used directly,
    without training a discriminator.

    Args:
        store: The study's record, opened for writing.
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
        store.set_attribute(PREPARED_KEY, to_json(prepared.artifacts))
    made = Forecast()
    inputs = {name: shown_inputs(study, name, ROWS) for name in study.names}
    made.pictures += [column for _, columns, _ in inputs.values() for column in columns if column.label != "target"]
    for plan in forecast(study, folder, options, known_scores(store)):
        (named,) = record_plans(store, [plan.record])
        made.plans.append(named)
        if named.quality is not None:
            on_plan(named)
        for name in study.names if plan.pictured else ():
            file = folder / PICTURES / f"{named.name}-{name}.npy"
            made.pictures.append(Column(label_of(study, named), _pictures(study, plan, name, inputs[name][0], file)))
    return made


def _pictures(
    study: OpenedStudy, plan: ForecastPlan, name: str, inputs: tuple[Tensor, ...], file: Path
) -> tuple[Tensor, ...]:
    """Return one generator's outputs, from their file if it exists."""
    if not file.is_file():
        buffer = io.BytesIO()
        np.save(buffer, torch.stack(shown_outputs(study, plan.networks()[name], inputs)).numpy())
        write_file(file, buffer.getvalue())
    return tuple(torch.from_numpy(np.load(file)))


def label_of(study: OpenedStudy, plan: PlanScore) -> str:
    """Return the label above a plan's pictures: its name, cost and scores."""
    quality = plan.quality
    score = "" if quality is None or quality.reason is not None else f"{metric_of(quality)} {quality.value:.3g}"
    share = plan.cost / study.resolved.dense[study.resolved.cost]
    if plan.origin == DENSE:
        return f"dense teacher\n{score}, {describe(plan.cost, study.resolved.cost)}"
    return f"{plan.name}: {plan.origin}\n{score}, {100 * share:.1f} %"
