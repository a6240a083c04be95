"""One HTML file on a benchmark: it works offline, and no script runs in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from ....gan_models.costs.catalog import shown_cost
from ....gan_models.files.texts.number_text import counted
from ...report.page_parts import STYLE, read_part, template
from ..results.attainment import Attainment, attainments
from ..results.comparisons import Comparison
from ..results.fronts import Growth
from ..results.rows import BenchRow
from ..results.tables import Table, fronts_table, losses_table, missing_lines, overall_table, task_table
from .svg_charts import IntervalRow, StepLine, interval_chart, step_chart


@dataclass(frozen=True)
class TaskPart:
    """The part of the page on one task.

    Attributes:
        name: The task's.
        table: Standings of its contenders.
        attained: Attainment curves; empty without costs.
        grown: Hypervolume by trials; empty if all contenders ran one trial.
    """

    name: str
    table: Table
    attained: Markup
    grown: Markup


def bench_page(rows: Sequence[BenchRow], comparison: Comparison, growths: Sequence[Growth], name: str) -> str:
    """Return the page: ratios to the reference, and of each task attainment, hypervolume and standings.

    Args:
        rows: All trials.
        comparison: Their contenders compared.
        growths: Their hypervolumes.
        name: Of the benchmark.
    """
    own, reached = Path(__file__).parent, attainments(rows)
    colors = {contender: i for i, contender in enumerate(dict.fromkeys(row.contender for row in rows))}
    tasks = list(dict.fromkeys(one.task for one in comparison.standings))
    ratios = [
        IntervalRow(one.contender, one.test.ratio, one.test.low, one.test.high, one.verdict)
        for one in comparison.overall
    ]
    parts = [
        TaskPart(
            task,
            task_table(comparison, task),
            _attained(task, reached, colors, rows),
            _grown(task, growths, colors),
        )
        for task in tasks
    ]
    budgets, runs = {row.budget for row in rows}, {(row.task, *row.pair) for row in rows}
    counts = [
        counted(len(tasks), "task"),
        counted(len(budgets), "budget"),
        counted(len(colors), "contender"),
        counted(len(runs), "pair of teacher and seed", "pairs of teacher and seed"),
        counted(len(rows), "trial"),
    ]
    return template(own).render(
        name=name,
        style=read_part(own, STYLE),
        counts=", ".join(counts),
        reference=comparison.reference,
        ratios=interval_chart(
            ratios, f"ratio of distances to {comparison.reference} by contender, as in the table below",
            f"distance over that of {comparison.reference}, with 95 % interval; below 1 is better",
        ),
        overall=overall_table(comparison),
        losses=losses_table(comparison),
        tasks=parts,
        fronts=fronts_table(growths),
        missing=missing_lines(comparison),
    )  # fmt: skip


def _attained(task: str, reached: Sequence[Attainment], colors: dict[str, int], rows: Sequence[BenchRow]) -> Markup:
    own = [one for one in reached if one.task == task]
    metric = next((row.metric for row in rows if row.task == task and row.metric), "distance")
    cost = next((row.cost for row in rows if row.task == task and row.cost), "cost")
    lines = [
        StepLine(
            f"{one.contender} ({counted(one.runs, 'run')})",
            colors[one.contender],
            tuple(zip(one.costs, one.median, strict=True)),
            one.best if one.runs > 1 else (),
            one.worst if one.runs > 1 else (),
        )
        for one in own
    ]
    return step_chart(
        lines, f"attainment on {task}: distance reached by half of the runs, by cost",
        f"{shown_cost(cost).title}, of the dense generator's", f"{metric}, lower is better", percent=True,
    )  # fmt: skip


def _grown(task: str, growths: Sequence[Growth], colors: dict[str, int]) -> Markup:
    own = [one for one in growths if one.task == task and len(one.volumes) > 1]
    lines = [
        StepLine(
            f"{one.contender} ({counted(one.runs, 'run')})",
            colors[one.contender],
            tuple((float(i + 1), volume) for i, volume in enumerate(one.volumes)),
        )
        for one in own
    ]
    return step_chart(lines, f"hypervolume on {task} by number of trials", "trials", "hypervolume, higher is better")
