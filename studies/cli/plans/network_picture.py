"""The picture of a network by its channel groups: their channels, MACs, parameters and sensitivity."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ....gan_models.files.atomic_files import write_file
from ....gan_models.files.texts.number_text import counted
from ....gan_models.groups.channel_groups import ChannelGroups
from ....gan_models.networks.specs import InputSpec
from ....spaces.budget import describe
from .sensitivity import Sensitivity

COLORS = {"macs": "#0072B2", "params": "#009E73"}
ERROR, CHANNELS = "#D55E00", "#8a94a0"
ROW, HEAD, TALLEST = 0.27, 1.5, 60.0  # inches per group, for titles and axes, and maximum of the whole picture
MAX_LABELED_GROUPS = 80  # number of groups above which the numbers next to bars do not fit


@dataclass(frozen=True)
class _Column:
    title: str
    values: np.ndarray
    form: str
    color: str


def draw_network(
    model: str, inputs: InputSpec, groups: ChannelGroups, sensitivities: Sequence[Sensitivity], path: Path
) -> Path:
    """Write one picture with a row per group, in the order of the network.

    Args:
        model: The network's name.
        inputs: Its inputs.
        groups: Its groups.
        sensitivities: Errors at half width, of one generator or several; may be empty.
        path: The PNG; its folder is created.
    """
    form, n = groups.form, len(groups.names)
    columns = [_Column("channels", form.sizes.astype(float), "{:.0f}", CHANNELS)]
    for cost, name in (("macs", "MACs"), ("params", "parameters")):
        saved = _saved_at_half(groups, cost)
        columns.append(_Column(f"{name} saved at\nhalf width", 100 * saved, "{:.3g} %", COLORS[cost]))
    for one in sensitivities:
        errors = {row.name: row.error for row in one.groups}
        title = f"error of {one.guide} at\nhalf width" + (f", {one.network}" if len(sensitivities) > 1 else "")
        columns.append(_Column(title, np.array([errors.get(name, np.nan) for name in groups.names]), "{:.2g}", ERROR))
    height = min(TALLEST, HEAD + ROW * max(n, 3))
    figure = Figure(figsize=(3.2 + 2.4 * len(columns), height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    grid: Any = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    for axes, column in zip(grid, columns, strict=True):
        _draw(axes, column, n)
    size = min(8.5, 72 * (height - HEAD) / max(n, 1) * 0.8)
    grid[0].set_yticks(np.arange(n), groups.names, fontsize=max(size, 2.0))
    grid[0].set_ylim(n - 0.4, -0.6)  # the input is at the top
    dense = ", ".join(describe(float(form.predict(form.sizes, cost)), cost) for cost in COLORS)
    whole = counted(len(groups.unpruned), "module")
    figure.suptitle(
        f"{model} at input {inputs}: {dense}; {counted(n, 'group')}, {whole} not pruned", fontsize=10, x=0.01, ha="left"
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": "ganprune"})
    return write_file(path, buffer.getvalue())


def _saved_at_half(groups: ChannelGroups, cost: str) -> np.ndarray:
    """Return the share [G] of a dense cost that each group alone saves at half of its channels."""
    form = groups.form
    plans = np.repeat(form.sizes[None], len(form.sizes), 0)
    np.fill_diagonal(plans, np.maximum(1, form.sizes // 2))
    dense = float(form.predict(form.sizes, cost))
    return 1 - np.asarray(form.predict(plans, cost)) / dense


def _draw(axes: Axes, column: _Column, n: int) -> None:
    places = np.arange(n)
    bars = axes.barh(places, np.nan_to_num(column.values), 0.72, color=column.color)
    if n <= MAX_LABELED_GROUPS:
        texts = ["" if np.isnan(value) else column.form.format(value) for value in column.values]
        axes.bar_label(bars, texts, padding=3, fontsize=7.5)
        axes.margins(x=0.22)
    axes.set_title(column.title, fontsize=9, loc="left")
    axes.tick_params(axis="x", labelsize=8)
    axes.set(xlim=(0, None), axisbelow=True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", alpha=0.25)
