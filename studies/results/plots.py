"""The plot of the front: quality against cost."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ...gan_models.costs.catalog import shown_cost
from ...gan_models.files.atomic_files import write_file
from ...gan_models.files.errors import UserError
from ...search.records.ledger import TrialRecord
from ...search.strategy.pareto import non_dominated
from .outcome import Outcome, point, quality_of
from .selection_gap import front_gaps, trial_gap

# Okabe and Ito's palette: distinguishable with color vision deficiency.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LOG_SCALE_RATIO = 8.0  # ratio of qualities above which the axis is logarithmic


def plot_front(outcome: Outcome, narrow: bool = False) -> bytes:
    """Return a plot of quality against cost of all complete trials, as PNG.

    Methods have colors and markers. The front is a line of steps; the uniform ladder is ringed, and its own front
    dashed. Intervals are 90 %. The dense teacher and the budget are references. Crosses are the front on the test
    split, if it was not chosen by it.

    Args:
        outcome: The study.
        narrow: True for a column or a phone: upright, with the legend below.

    Raises:
        ValueError: There is no complete trial to draw.
    """
    figure = Figure(figsize=(5.2, 6.2) if narrow else (10.5, 5.5), dpi=150 if narrow else 130, layout="constrained")
    FigureCanvasAgg(figure)
    draw_front(figure, outcome, narrow)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": "ganprune"})
    return buffer.getvalue()


def draw_front(figure: Figure, outcome: Outcome, narrow: bool = False) -> None:
    """Draw the plot of `plot_front` into an empty figure; arguments and errors are the same."""
    done = [trial for trial in outcome.study.trials if trial.state == "COMPLETE" and trial.quality is not None]
    if not done:
        raise UserError(f"study {outcome.study.name} has no complete trial to draw yet")
    axes = figure.add_subplot()
    _draw_trials(axes, outcome, done)
    _draw_front(axes, outcome)
    _draw_tested(axes, outcome)
    _draw_references(axes, outcome)
    _label(axes, outcome, done, narrow)
    # outside, because inside it would hide trials of some study
    if narrow:
        figure.legend(fontsize=8.5, loc="outside lower center", frameon=False, ncols=2)
    else:
        figure.legend(fontsize=8.5, loc="outside right upper", frameon=False)


def write_plot(outcome: Outcome, path: str | Path) -> Path:
    """Write the plot of `plot_front` to a file; its folder is created."""
    content = plot_front(outcome)
    return write_file(path, content)


def _shown(outcome: Outcome, trial: TrialRecord) -> tuple[float, float]:
    """Return a trial's quality as a value of its metric, and its cost."""
    quality, cost = point(trial)
    return outcome.value(quality), cost


def _draw_trials(axes: Axes, outcome: Outcome, done: list[TrialRecord]) -> None:
    methods = dict.fromkeys([*outcome.config.methods, *(trial.new.method for trial in done)])
    front = {trial.number for trial in outcome.front}
    for i, method in enumerate(methods):
        color, marker = COLORS[i % len(COLORS)], MARKERS[i % len(MARKERS)]
        own = [trial for trial in done if trial.new.method == method]
        for trial in own:
            quality, cost = _shown(outcome, trial)
            measured = quality_of(trial)
            strong = trial.number in front
            if measured is not None and measured.low is not None and measured.high is not None:
                axes.vlines(cost, measured.low, measured.high, color=color, alpha=0.7 if strong else 0.25, lw=1.2)
            axes.scatter(
                cost,
                quality,
                s=46,
                marker=marker,
                facecolor=color if trial.scored else "none",
                edgecolor=color,
                alpha=1.0 if strong else 0.55,
                zorder=4 if strong else 3,
            )
        if own:
            axes.scatter([], [], marker=marker, color=color, label=f"{method} ({len(own)})")
    if any(not trial.scored for trial in done):
        axes.scatter([], [], marker="o", facecolor="none", edgecolor="gray", label="over the budget (hollow)")
    if outcome.ladder:
        ringed = [_shown(outcome, trial) for trial in outcome.ladder]
        _draw_steps(axes, outcome, ringed)
        axes.scatter(
            [c for _, c in ringed],
            [q for q, _ in ringed],
            s=130,
            facecolor="none",
            edgecolor="gray",
            lw=0.9,
            zorder=2,
            label=outcome.ladder_name,
        )


def _draw_steps(axes: Axes, outcome: Outcome, ringed: list[tuple[float, float]]) -> None:
    """Draw the front of the ladder only: the search found all between it and the front."""
    sign = outcome.config.sign
    found = [ringed[i] for i in np.flatnonzero(non_dominated([(sign * q, c) for q, c in ringed]))]
    costs, qualities = zip(*sorted((cost, quality) for quality, cost in found), strict=True)
    end = max([*costs, outcome.limit or costs[-1]])
    steps = ([*costs, end], [*qualities, qualities[-1]])
    axes.step(*steps, where="post", color="gray", ls=(0, (4, 3)), lw=1, zorder=1, label="front of the ladder alone")


def _draw_front(axes: Axes, outcome: Outcome) -> None:
    best = [_shown(outcome, trial) for trial in outcome.front]
    if not best:
        return
    costs, qualities = [c for _, c in best], [q for q, _ in best]
    axes.step(costs, qualities, where="post", color="black", lw=1.1, zorder=1, label="front")
    for trial, cost, quality in zip(outcome.front, costs, qualities, strict=True):
        axes.annotate(f"{trial.number}", (cost, quality), xytext=(6, 5), textcoords="offset points", fontsize=8)


def _draw_tested(axes: Axes, outcome: Outcome) -> None:
    """Draw the front's qualities on the test split, each connected to its quality on the selection split."""
    gaps = [(trial, gap) for trial in outcome.front if (gap := trial_gap(outcome, trial)) is not None]
    for trial, gap in gaps:
        _, cost = point(trial)
        low, high = sorted((gap.selection.value, gap.test.value))
        axes.vlines(cost, low, high, color="black", ls=":", lw=1, zorder=5)
        axes.scatter(cost, gap.test.value, marker="x", s=34, color="black", lw=1.1, zorder=5)
    if gaps:
        axes.scatter([], [], marker="x", color="black", s=34, label="the front on the test split")


def _draw_references(axes: Axes, outcome: Outcome) -> None:
    if outcome.limit is not None:
        axes.axvline(outcome.limit, color="firebrick", ls="--", lw=1, label=f"budget {outcome.config.budgets[0]}")
    if outcome.teacher and outcome.teacher[0].reason is None:
        teacher, cost = outcome.teacher[0], outcome.dense.get(outcome.cost)
        axes.axhline(teacher.value, color="gray", ls=":", lw=1.1)
        if cost is not None:
            axes.scatter(cost, teacher.value, marker="*", s=170, color="goldenrod", edgecolor="black", lw=0.6, zorder=5)
            if teacher.low is not None and teacher.high is not None:
                axes.vlines(cost, teacher.low, teacher.high, color="goldenrod", lw=1.4)
        axes.scatter([], [], marker="*", s=110, color="goldenrod", edgecolor="black", lw=0.6, label="dense teacher")


def _label(axes: Axes, outcome: Outcome, done: list[TrialRecord], narrow: bool) -> None:
    values = [_shown(outcome, trial)[0] for trial in done] + [m.value for m in outcome.teacher[:1] if m.reason is None]
    values += [gap.test.value for gap in front_gaps(outcome)]
    axes.set_xscale("log")
    if min(values) > 0 and max(values) / min(values) > LOG_SCALE_RATIO:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    power, title = shown_cost(outcome.cost).axis(max(point(trial)[1] for trial in done))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / power:g}"))
    axes.set_xlabel(f"cost of one input: {title}, log scale")
    split = f" on the {outcome.split} split" if outcome.selects else ""
    axes.set_ylabel(f"{outcome.metric}{split}, {outcome.better}")
    heading = f"{outcome.study.name}: {outcome.config.model} on {outcome.config.data_name}{_sample_size(outcome)}"
    axes.set_title(heading if not narrow else "", fontsize=12)
    axes.grid(alpha=0.25, which="major")
    _shares_on_top(axes, outcome)


def _sample_size(outcome: Outcome) -> str:
    measured: list[Any] = [quality_of(trial) for trial in outcome.scored] + list(outcome.teacher[:1])
    n = next((m.n for m in measured if m is not None and m.n), None)
    return f", n = {n} images" if n else ""


def _shares_on_top(axes: Axes, outcome: Outcome) -> None:
    whole = outcome.dense.get(outcome.cost)
    if not whole:
        return
    top = axes.secondary_xaxis(
        "top", functions=(lambda x: np.multiply(x, 100 / whole), lambda x: np.multiply(x, whole / 100))
    )
    top.set_xlabel("% of the dense generator's")
    top.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    top.xaxis.set_minor_formatter(NullFormatter())
    top.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
