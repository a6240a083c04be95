"""Output of `forecast` and `search --zero-shot`: plans as they are scored, then the table, the picture and the JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from ....gan_models.files.atomic_files import write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.console import Console

    from ....search.forecast.cost_range import ForecastOptions
    from ....search.records.plan_score import PlanScore
    from ....search.resolved_study import ResolvedStudy
    from ...api import Search

PICTURE, PLANS = "forecast.png", "forecast.json"


def shown_forecast(
    search: Search,
    resolved: ResolvedStudy,
    options: ForecastOptions,
    out: Path,
    as_json: bool,
    console: Console,
    on_teacher: Callable[[int, int, Mapping[str, float]], None],
) -> None:
    """Forecast a search, and write and print the result.

    Args:
        search: The search.
        resolved: The same, resolved.
        options: Numbers of costs and plans.
        out: Folder of picture and JSON.
        as_json: Print JSON on standard output.
        console: Console for all other output.
        on_teacher: Called with (step, steps, losses) while a teacher is trained.
    """
    from ....gan_models.files.plain_values import to_json
    from ....search.forecast.cost_range import TEACHER
    from ...plans.forecast_picture import write_forecast
    from ...plans.plan_table import NOTE, PlansFile, doubt, plan_table

    cost, dense = resolved.cost, resolved.dense[resolved.cost]

    def on_plan(plan: PlanScore) -> None:
        share = 100 * plan.cost / dense
        console.print(f"{plan.name}: {plan.origin} at {share:.1f} % of the dense {cost}", highlight=False)

    found = search.forecast(options, on_plan, on_teacher, resolved)
    content = to_json(PlansFile(search.name, cost, resolved.dense, tuple(found.plans)))
    write_file(out / PLANS, json.dumps(content, indent=1, allow_nan=False).encode())
    config = resolved.config
    heading = f"forecast of {search.name}: {config.model} on {config.data_name}"
    write_forecast(out / PICTURE, heading, cost, dense, found.plans, found.pictures)
    if as_json:
        print(json.dumps(content, indent=1, allow_nan=False))
        return
    measured = [plan for plan in found.plans if plan.quality is not None]
    console.print(plan_table(measured, cost, dense, f"forecast of {search.name}"))
    unmeasured = len(found.plans) - len(measured)
    more = f", {unmeasured} more plans with their errors" if unmeasured else ""
    console.print(f"note: {NOTE}{more}: {out / PICTURE}, {out / PLANS}", highlight=False)
    if line := doubt(measured, next((plan for plan in measured if plan.origin == TEACHER), None)):
        console.print(f"note: {line}", highlight=False)
    last = measured[-1].name
    console.print(
        f"`ganprune resume {search.name} --plan {last}` trains one of them, `ganprune resume {search.name}` searches",
        highlight=False,
    )
