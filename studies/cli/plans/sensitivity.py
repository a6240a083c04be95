"""Sensitivity of a teacher's groups: their effects on quality and MACs, as a table and a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from rich.console import Console
from rich.table import Table

from ....gan_models.checkpoints.checkpoint import load_into
from ....gan_models.costs.combined_budgets import Bound
from ....gan_models.costs.cost_form import CostForm
from ....gan_models.files.atomic_files import write_file
from ....gan_models.files.errors import UserError
from ....gan_models.plan_scores.plan_search import measured_sensitivities
from ....gan_models.plan_scores.score_table import ScoreTable, score_table
from ....gan_models.plan_scores.solver import solve
from ....gan_models.plan_scores.zero_shot import ZeroShotScorer
from ....search.config import StudyConfig
from ....search.preparations.opened_study import OpenedStudy, open_study
from ....search.setup.pruned_generators import one_network
from ....search.setup.resolve import resolve
from ....search.setup.weight_files import files_by_network
from ....search.trial.calibration import calibration_of

IMAGES = 64
BLOCKS = 24  # plans that measure sensitivities, at most
SHARES = (0.75, 0.5, 0.375, 0.25, 0.125)  # of the dense MACs, at which plans are solved for
EXTRA_MACS_SHARE = 0.01  # of the dense MACs


@dataclass(frozen=True)
class GroupRow:
    """One group; all numbers are for this group alone at half of its channels.

    Attributes:
        name: The group.
        channels: At full width.
        macs: Removed share of the dense MACs.
        loss: Squared error of its refitted readers' outputs, relative to their variance.
        error: Resulting error to the teacher: the loss times the measured sensitivity.
    """

    name: str
    channels: int
    macs: float
    loss: float
    error: float


@dataclass(frozen=True)
class BudgetRow:
    """The solved plan of one budget, and the gain from one more percent of the dense MACs.

    Attributes:
        share: Share of the dense MACs.
        widths: Kept channels by group.
        error: Summed errors of the groups: a guide, not an error of this network.
        bought: Decrease of the error with one percent more.
        wider: Groups that get wider with it, the one with the largest gain first.
    """

    share: float
    widths: Mapping[str, int]
    error: float
    bought: float
    wider: tuple[str, ...]


@dataclass(frozen=True)
class Sensitivity:
    """The sensitivity of one generator.

    Attributes:
        network: Its name in the task.
        inputs: Calibration inputs.
        guide: Errors are of `features` of the encoder, or of the `outputs`.
        groups: In the order of the network.
        budgets: From the largest to the smallest that can be met.
    """

    network: str
    inputs: int
    guide: str
    groups: tuple[GroupRow, ...]
    budgets: tuple[BudgetRow, ...]


def sensitivities(options: Mapping[str, Any], images: int = IMAGES) -> list[Sensitivity]:
    """Return the sensitivity of every generator of a teacher.

    Args:
        options: Of a study: model, teacher, data, and what these need.
        images: Calibration inputs, taken from the training data.

    Raises:
        UserError: Teacher or data are missing, or do not fit.
    """
    for name in ("teacher", "data"):
        if not options.get(name):
            raise UserError(
                f"--sensitivity measures a teacher on inputs: got no --{name}; expected both. "
                "Try --teacher FILE --data FOLDER"
            )
    own = {"name": "sensitivity", "budgets": ["50%"], "methods": ["uniform"], "metric": "shapes", "select_on": "test"}
    config = StudyConfig.from_json({**own, **options, "calibration_images": images})
    resolved, parts = resolve(config)
    study = open_study(resolved, parts=parts)
    files = files_by_network(resolved.config.teacher, study.task().generator_names, "--teacher")
    return [_of_one(study, name, files[name]) for name in study.names]


def _of_one(study: OpenedStudy, name: str, file: Path) -> Sensitivity:
    model, groups = one_network(study.config), study.own_groups.get(name, study.groups)
    load_into(model, file)
    model.eval().requires_grad_(False)
    calibration = calibration_of(study, name)
    assert calibration is not None
    table = score_table(model, groups, calibration)
    judged = bool(calibration.judging) and len(calibration.judging[0]) > 0
    scorer = ZeroShotScorer(model, groups, calibration, study.output_encoder if judged else None)
    half = {group: max(1, size // 2) for group, size in groups.sizes.items()}
    found: list[float] = []

    def score(widths: Mapping[str, int]) -> float:
        found.append(scorer.score(table.plan(widths)).guide)
        return found[-1]

    relative = measured_sensitivities(table, half, score, min(BLOCKS, len(half)))
    whole = sum(found) / max(sum(relative[name] * table.groups[name].losses[half[name] - 1] for name in half), 1e-300)
    errors = table.times({name: value * whole for name, value in relative.items()})
    return Sensitivity(
        name,
        table.inputs,
        "features" if judged else "outputs",
        _group_rows(groups.form, table, errors, half),
        _budget_rows(groups.form, errors),
    )


def _group_rows(form: CostForm, table: ScoreTable, errors: ScoreTable, half: Mapping[str, int]) -> tuple[GroupRow, ...]:
    dense, rows = form.dense(), []
    for name, size in zip(form.names, form.sizes.tolist(), strict=True):
        cost = float(form.predict(form.widths({**table.sizes, name: half[name]})))
        at = half[name] - 1
        rows.append(
            GroupRow(name, size, 1 - cost / dense, table.groups[name].losses[at], errors.groups[name].losses[at])
        )
    return tuple(rows)


def _budget_rows(form: CostForm, errors: ScoreTable) -> tuple[BudgetRow, ...]:
    dense, rows = form.dense(), []
    for share in SHARES:
        if share * dense < form.cheapest():
            continue
        now, more = (
            solve(form, errors, (Bound("macs", part * dense, form),), form.floors())
            for part in (share, share + EXTRA_MACS_SHARE)
        )
        gained = {
            name: errors.groups[name].losses[now[name] - 1] - errors.groups[name].losses[more[name] - 1] for name in now
        }
        wider = sorted((name for name in now if more[name] > now[name]), key=lambda name: -gained[name])
        rows.append(BudgetRow(share, now, errors.score(now), errors.score(now) - errors.score(more), tuple(wider)))
    return tuple(rows)


def print_sensitivity(found: Sensitivity, console: Console) -> None:
    """Print a table of groups and one of budgets."""
    title = f"{found.network}: each group alone at half width, {found.inputs} calibration inputs"
    groups = Table("group", "channels", "MACs saved", "readers' loss", "error", title=title, title_justify="left")
    for row in sorted(found.groups, key=lambda row: -row.error):
        groups.add_row(row.name, str(row.channels), f"{row.macs:.1%}", f"{row.loss:.3g}", f"{row.error:.3g}")
    console.print(groups)
    budgets = Table(
        "MACs", "error, summed", "1 % of MACs more saves", "and goes to", title="plans solved for", title_justify="left"
    )
    for one in found.budgets:
        shown = ", ".join(one.wider[:3]) + (f", and {len(one.wider) - 3} more" if len(one.wider) > 3 else "")
        budgets.add_row(f"{one.share:.1%}", f"{one.error:.3g}", f"{one.bought:.3g}", shown)
    console.print(budgets)
    console.print(
        f"errors are squared, of the {found.guide} to the teacher's, after refitting and before any training; "
        "sums over groups are a guide, not the error of a network",
        highlight=False,
    )


def draw_sensitivity(found: Sequence[Sensitivity], path: Path) -> Path:
    """Write one picture, a row per generator: error against MACs of each group, and widths by budget."""
    tall = max(len(one.groups) for one in found)
    height = min(40.0, max(4.5, 0.28 * tall)) * len(found)
    figure = Figure(figsize=(12.5, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    grid: Any = figure.subplots(len(found), 2, squeeze=False)
    for one, (left, right) in zip(found, grid, strict=True):
        _draw_groups(left, one)
        _draw_widths(figure, right, one)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": "ganprune"})
    return write_file(path, buffer.getvalue())


def _draw_groups(axes: Axes, found: Sensitivity) -> None:
    rows = list(reversed(found.groups))
    places = np.arange(len(rows))
    total = max(sum(row.error for row in rows), 1e-300)
    saved = max(sum(row.macs for row in rows), 1e-300)
    axes.barh(places + 0.2, [row.error / total for row in rows], 0.38, color="#D55E00", label="of the error")
    axes.barh(places - 0.2, [row.macs / saved for row in rows], 0.38, color="#0072B2", label="of the MACs saved")
    axes.set_yticks(places, [row.name for row in rows], fontsize=8)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_title(f"{found.network}: each group alone at half width", fontsize=10, loc="left")
    axes.set_xlabel("share of the sum over all groups")
    axes.legend(fontsize=8.5, frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_widths(figure: Figure, axes: Axes, found: Sensitivity) -> None:
    rows = list(reversed(found.groups))
    kept = np.array([[one.widths[row.name] / row.channels for one in found.budgets] for row in rows])
    image = axes.imshow(kept, aspect="auto", origin="lower", vmin=0, vmax=1, cmap="viridis")
    if len(rows) <= 40:  # else the numbers do not fit
        for (y, x), value in np.ndenumerate(kept):
            color = "black" if value > 0.6 else "white"
            axes.text(x, y, f"{value:.0%}", ha="center", va="center", fontsize=8, color=color)
    axes.set_yticks(np.arange(len(rows)), [""] * len(rows))
    axes.set_xticks(np.arange(len(found.budgets)), [f"{one.share:.1%}" for one in found.budgets])
    axes.set_xlabel("MACs of the plan, of the dense network's")
    axes.set_title("channels kept by the solved plans", fontsize=10, loc="left")
    figure.colorbar(image, ax=axes, format=PercentFormatter(1.0), shrink=0.8)
