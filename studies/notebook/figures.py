"""Figures of a study that a notebook shows by themselves: front, widths, curves."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ...gan_models.files.errors import UserError
from ...search.records.ledger import TrialRecord
from ..results.outcome import Outcome
from ..results.plots import COLORS, LOG_SCALE_RATIO, draw_front
from .frames import curves_of, teacher_curves

TEACHER = "teacher"


class ShownFigure(Figure):
    """A figure of matplotlib that a notebook shows without pyplot; its axes can be changed as usual."""

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), dpi=110, layout="constrained")
        FigureCanvasAgg(self)

    def _repr_png_(self) -> bytes:
        """Return the figure as PNG."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", metadata={"Software": "ganprune"})
        return buffer.getvalue()


def front_figure(outcome: Outcome) -> ShownFigure:
    """Return quality against cost of all complete trials. Raises UserError: There is none."""
    figure = ShownFigure(10.5, 5.5)
    draw_front(figure, outcome)
    return figure


def widths_figure(outcome: Outcome, trials: Sequence[int] = ()) -> ShownFigure:
    """Return bars of the channels by group, dense against pruned.

    Args:
        outcome: The study.
        trials: Their numbers; the best of the front if there are none.

    Raises:
        UserError: There is no such trial, or its widths are not known.
    """
    chosen = _chosen(outcome, trials)
    names = list(dict.fromkeys(name for trial in chosen for name in trial.widths))
    if not names:
        raise UserError(f"trial {chosen[0].number} has no widths yet: it is {chosen[0].state}. Try another trial")
    groups = None if outcome.resolved is None else outcome.resolved.groups
    sizes = {} if groups is None else dict(zip(groups.names, groups.sizes, strict=True))
    figure = ShownFigure(9.0, 1.6 + 0.32 * len(names) * (1 + 0.4 * (len(chosen) - 1)))
    axes, place, thick = figure.add_subplot(), np.arange(len(names)), 0.8 / len(chosen)
    axes.barh(place, [sizes.get(name, 0) for name in names], 0.84, color="#dfe4ea", label="dense")
    for i, trial in enumerate(chosen):
        own = [trial.widths.get(name, 0) for name in names]
        at = place - 0.4 + thick * (i + 0.5)
        bars = axes.barh(at, own, thick, color=COLORS[i % len(COLORS)], label=f"{trial.number}: {trial.new.method}")
        axes.bar_label(bars, [str(width) for width in own], padding=3, fontsize=8)
    axes.set_yticks(place, names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("channels")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8.5, frameon=False, loc="best")
    return figure


def curves_figure(outcome: Outcome, trials: Sequence[int] = ()) -> ShownFigure:
    """Return qualities at rungs of all trials, and the losses of some.

    Args:
        outcome: The study.
        trials: Those whose losses are drawn, and whose rungs stand out; the best of the front if there are none.

    Raises:
        UserError: There is no such trial, or nothing was recorded of any step.
    """
    chosen = _chosen(outcome, trials)
    numbers = {trial.number for trial in chosen}
    losses = [(str(t.number), phase, curve) for t in chosen for phase, curve in curves_of(t).items()]
    losses = losses or [(TEACHER, phase, curve) for phase, curve in teacher_curves(outcome).items()]
    terms = list(dict.fromkeys(term for _, _, curve in losses for term in curve.losses))
    if not terms and not any(trial.rungs for trial in outcome.study.trials):
        raise UserError(f"study {outcome.study.name} has no curves: no trial reached a rung, and no losses were kept")
    rows = -(-(1 + len(terms)) // 3)
    figure = ShownFigure(11.0, 2.8 * rows)
    axes = figure.subplots(rows, 3, squeeze=False).ravel()
    first = axes[0]
    for trial in sorted(outcome.study.trials, key=lambda trial: trial.number in numbers):
        steps = sorted(trial.rungs)
        strong = trial.number in numbers
        values = [outcome.value(trial.rungs[step]) for step in steps]
        look = {"color": COLORS[0], "lw": 2.0, "zorder": 3} if strong else {"color": "gray", "lw": 0.8, "alpha": 0.5}
        first.plot(steps, values, marker="o", ms=3, label=f"trial {trial.number}" if strong else None, **look)
    first.set_title(f"{outcome.metric} at rungs", fontsize=10)
    for place, term in zip(axes[1:], terms, strict=False):
        for i, (whose, phase, curve) in enumerate(losses):
            found = [(s, v) for s, v in zip(curve.steps, curve.losses.get(term, ()), strict=False) if v is not None]
            if found:
                place.plot(*zip(*found, strict=True), color=COLORS[i % len(COLORS)], lw=1.2, label=f"{whose}: {phase}")
        place.set_title(term, fontsize=10)
        place.legend(fontsize=7.5, frameon=False)
    for place in axes:
        lines = [np.asarray(line.get_ydata(), dtype=float) for line in place.get_lines()]
        values = np.concatenate(lines) if lines else np.zeros(0)
        place.set_visible(bool(values.size))
        if values.size and values.min() > 0 and values.max() / values.min() > LOG_SCALE_RATIO:
            place.set_yscale("log")
        place.set_xlabel("steps", fontsize=9)
        place.grid(alpha=0.25)
    return figure


def _chosen(outcome: Outcome, numbers: Sequence[int]) -> list[TrialRecord]:
    """Return trials by number; the best of the front, or the last trial, if none is named."""
    there = {trial.number: trial for trial in outcome.study.trials}
    if missing := [number for number in numbers if number not in there]:
        raise UserError(
            f"study {outcome.study.name} has no trial {missing[0]}: got {list(numbers)}; expected numbers below "
            f"{len(there)}. Try study.to_dataframe()"
        )
    if numbers:
        return [there[number] for number in numbers]
    if not there:
        raise UserError(f"study {outcome.study.name} has no trial yet")
    return [outcome.front[-1] if outcome.front else there[max(there)]]
