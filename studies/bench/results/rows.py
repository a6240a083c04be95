"""Trials of a benchmark as rows of one table, written to CSV and read back.

A cell of one trial is one row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from ....gan_models.files.atomic_files import write_file
from ....gan_models.files.errors import UserError


@dataclass(frozen=True)
class BenchRow:
    """One trial of a benchmark.

    Attributes:
        task, variant, budget: Those of its cell; `variant` is the contender.
        target: The budget in the cost's unit, as a share of the dense cost.
        teacher_number, seed: Those of its cell.
        trial: Its number in the cell's study.
        state: COMPLETE, PRUNED or FAIL.
        cost: Name of the cost that is the objective.
        macs: That cost, in its unit.
        dense: That cost of the dense generator.
        cost_over_target: Cost as a share of the budget.
        own_cost_over_target: The same for the method's own plan, before it was fitted to the target.
        quality: Distance on the test images, or on the selection images if it was measured only there.
        selection: Distance on the selection images; None if there are none.
        metric: Name of the quality.
        split: Split of `quality`: `test` or `selection`.
        teacher: The teacher's distance on that split.
        worst: Distance of the mean image on the test images.
        zero_shot: Distance or error before any training, if it was measured; with its name.
        zero_shot_metric: Its name.
        prune_steps, finetune_steps: Generator steps.
        compute_macs: MACs of all passes after the teacher was made; None if they were not counted.
        prune_seconds, finetune_seconds, seconds: Seconds of the phases, and of the whole trial.
        widths: Channels by group, in order.
        failed: Reason for a failure or stop.
        study, version, data, weights: Name of the study, version of ganprune, and hashes of data and weights.
        macs_exact, macs_published, params, bytes: Counts of the network, regardless of the objective.
        settings: Of the method, as JSON.
        metrics: Every metric by name on that split, as JSON.
    """

    task: str
    variant: str
    target: float
    seed: int
    budget: str = ""
    teacher_number: int = 0
    trial: int = 0
    state: str = "COMPLETE"
    cost: str = "macs"
    macs: float | None = None
    dense: float | None = None
    cost_over_target: float | None = None
    own_cost_over_target: float | None = None
    quality: float | None = None
    selection: float | None = None
    metric: str = ""
    split: str = "test"
    teacher: float | None = None
    worst: float | None = None
    zero_shot: float | None = None
    zero_shot_metric: str = ""
    prune_steps: int = 0
    finetune_steps: int = 0
    compute_macs: float | None = None
    prune_seconds: float | None = None
    finetune_seconds: float | None = None
    seconds: float | None = None
    widths: str = ""
    failed: str = ""
    study: str = ""
    version: str = ""
    data: str = ""
    weights: str = ""
    macs_exact: float | None = None
    macs_published: float | None = None
    params: float | None = None
    bytes: float | None = None
    settings: str = ""
    metrics: str = ""

    @property
    def contender(self) -> str:
        """The contender's name."""
        return self.variant

    @property
    def steps(self) -> int:
        """Generator steps, pruning and fine-tuning."""
        return self.prune_steps + self.finetune_steps

    @property
    def pair(self) -> tuple[int, int]:
        """The key by which runs of different contenders are paired: teacher and seed."""
        return self.teacher_number, self.seed


_TYPES = {field.name: str(field.type) for field in fields(BenchRow)}


def write_rows(rows: Iterable[BenchRow], path: Path) -> None:
    """Write rows as CSV, six significant digits."""
    frame = pd.DataFrame([asdict(row) for row in rows], columns=list(_TYPES))
    write_file(path, frame.to_csv(index=False, float_format="%.6g").encode())


def rows_to_json(rows: Iterable[BenchRow]) -> list[dict[str, Any]]:
    """Return rows as plain JSON; unknown values are null."""
    frame = pd.DataFrame([asdict(row) for row in rows], columns=list(_TYPES))
    return json.loads(str(frame.to_json(orient="records", double_precision=15)))


def read_rows(path: Path) -> list[BenchRow]:
    """Return the rows of a CSV that `write_rows` wrote, or `make compare` of an earlier version.

    Raises:
        UserError: It cannot be read, or a column is missing or unknown.
    """
    try:
        frame = pd.read_csv(path)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error  # without the system's number
        raise UserError(
            f"{path} cannot be read as a table: got {' '.join(str(reason).split())}; expected a CSV of ganprune bench"
        ) from error
    missing = [name for name in ("task", "variant", "target", "seed", "quality") if name not in frame]
    if missing:
        raise UserError(
            f"{path} is not a table of a benchmark: got no column {missing[0]}; expected a CSV of ganprune bench"
        )
    return [_read(record, f"{path}, line {line}") for line, record in enumerate(frame.to_dict("records"), 2)]


def _read(record: Mapping[Any, Any], where: str) -> BenchRow:
    """Return the row of a line; missing columns have their defaults."""
    values: dict[str, Any] = {}
    for name, kind in _TYPES.items():
        value = record.get(name)
        if value is None or pd.isna(value):
            continue
        try:
            values[name] = int(value) if kind == "int" else float(value) if "float" in kind else str(value)
        except (ValueError, OverflowError):
            raise UserError(f"{where}: {name} is not a number: got {value!r:.80}; expected one, or none") from None
    if absent := [name for name in ("task", "variant", "seed") if name not in values]:
        raise UserError(f"{where}: {absent[0]} is missing: got an empty cell; expected the {absent[0]} of a trial")
    values.setdefault("target", float("nan"))
    values.setdefault("budget", f"{100 * values['target']:g}%")
    if values.get("failed"):
        values.setdefault("state", "FAIL")
    return BenchRow(**values)


def scored(rows: Sequence[BenchRow]) -> list[BenchRow]:
    """Return one row per cell: the best within the budget if there are several trials.

    Trials of a search are compared on its selection images, so that test images influence no choice.
    """
    best: dict[tuple[str, str, str, int, int], BenchRow] = {}
    for row in rows:
        if row.state != "COMPLETE" or row.quality is None or (row.cost_over_target or 0) > 1 + 1e-9:
            continue
        cell = (row.task, row.budget, row.contender, *row.pair)
        if cell not in best or _chosen_by(row) < _chosen_by(best[cell]):
            best[cell] = row
    return list(best.values())


def _chosen_by(row: BenchRow) -> tuple[float, int]:
    chosen = row.quality if row.selection is None else row.selection
    assert chosen is not None
    return chosen, row.trial
