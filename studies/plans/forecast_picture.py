"""The picture of a forecast: zero-shot scores against cost, above outputs of the networks."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from PIL import Image

from ...evaluators.measurement import Measurement
from ...gan_models.files.atomic_files import write_file
from ...search.forecast.cost_range import TEACHER
from ...search.pictures.shown_pictures import Column
from ...search.records.plan_score import PlanScore
from ..report.image_grid import draw_grid
from .plan_table import NOTE, error_name

STYLES = {"uniform": ("#0072B2", "o"), "score table": ("#D55E00", "s"), "local search": ("#009E73", "^")}
OTHER_MARKER = ("#CC79A7", "D")
LOG_SCALE_RATIO = 8.0  # ratio of scores above which the axis is logarithmic


def write_forecast(
    path: str | Path, heading: str, cost: str, dense: float, plans: Sequence[PlanScore], pictures: Sequence[Column]
) -> Path:
    """Write the picture as PNG.

    Args:
        path: The file.
        heading: Heading of the picture.
        cost: Name of the cost objective.
        dense: That cost of the dense network.
        plans: Scored plans, including the teacher.
        pictures: Columns of a grid under the plot; empty: no grid.
    """
    parts: list[Image.Image] = [Image.open(io.BytesIO(_plot(heading, cost, dense, plans)))]
    if pictures:
        grid = Image.open(io.BytesIO(draw_grid(pictures)))
        width = max(parts[0].width, min(grid.width, 2 * parts[0].width))
        parts.append(grid.resize((width, round(grid.height * width / grid.width)), Image.Resampling.LANCZOS))
    whole = Image.new("RGB", (max(part.width for part in parts), sum(part.height for part in parts)), "white")
    top = 0
    for part in parts:
        whole.paste(part, ((whole.width - part.width) // 2, top))
        top += part.height
    buffer = io.BytesIO()
    whole.save(buffer, format="PNG", optimize=True)
    return write_file(path, buffer.getvalue())


def _plot(heading: str, cost: str, dense: float, plans: Sequence[PlanScore]) -> bytes:
    """Return the scores against cost as PNG: the study's metric on the left, the error to the teacher on the right."""
    figure = Figure(figsize=(12, 4.6), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    teacher = next((plan for plan in plans if plan.origin == TEACHER), None)
    cut = [plan for plan in plans if plan is not teacher]
    measured = [(plan, plan.quality) for plan in cut if plan.quality is not None and plan.quality.reason is None]
    _scatter(left, dense, [(plan, score.value, score) for plan, score in measured])
    if teacher is not None and teacher.quality is not None and teacher.quality.reason is None:
        left.axhline(teacher.quality.value, color="gray", ls=":", lw=1.1, label="dense teacher")
    errors = [(plan, plan.errors.guide, None) for plan in cut if plan.errors is not None]
    _scatter(right, dense, errors)
    left.set_ylabel(f"{measured[0][1].name if measured else 'zero-shot'}, lower is better")
    name = error_name(cut, features=True) or error_name(cut, features=False) or "zero-shot[error]"
    right.set_ylabel(f"{name}, lower is better")
    for axes in (left, right):
        axes.set_xlabel(f"{cost}, % of the dense network's, log scale")
    names, labels = left.get_legend_handles_labels()
    seen = dict(zip(labels, names, strict=True)) | dict(zip(*reversed(right.get_legend_handles_labels()), strict=True))
    figure.legend(seen.values(), seen.keys(), fontsize=8.5, loc="outside right upper", frameon=False)
    figure.suptitle(f"{heading}\n{NOTE}", fontsize=11)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": "ganprune"})
    return buffer.getvalue()


def _scatter(axes: Axes, dense: float, points: Sequence[tuple[PlanScore, float, Measurement | None]]) -> None:
    """Draw scores with their intervals, one style per origin, and names of plans that have one."""
    for plan, value, score in points:
        color, marker = STYLES.get(plan.origin, OTHER_MARKER)
        share = 100 * plan.cost / dense
        if score is not None and score.low is not None and score.high is not None:
            axes.vlines(share, score.low, score.high, color=color, alpha=0.5, lw=1.2)
        axes.scatter(share, value, s=34, marker=marker, color=color, alpha=0.8, zorder=3)
        if score is not None:
            axes.annotate(plan.name, (share, value), xytext=(5, 4), textcoords="offset points", fontsize=7.5)
    for origin in dict.fromkeys(plan.origin for plan, _, _ in points):
        color, marker = STYLES.get(origin, OTHER_MARKER)
        axes.scatter([], [], marker=marker, color=color, label=origin)
    values = [value for _, value, _ in points]
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    if values and min(values) > 0 and np.max(values) / np.min(values) > LOG_SCALE_RATIO:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.grid(alpha=0.25, which="major")
