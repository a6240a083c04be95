"""A study's trials as rows: on screen, as a data frame, CSV or JSON."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd
from rich.table import Table
from rich.text import Text

from ...evaluators.measurement import Measurement
from ...evaluators.quality.metric import FAILED
from ...gan_models.costs.catalog import COSTS, shown_cost
from ...gan_models.files.plain_values import to_json
from ...gan_models.files.seeds import derived_seed
from ...gan_models.files.texts.number_text import counted
from ...gan_models.quantization.settings import FULL_BITS
from ...search.records.ledger import TrialRecord
from ...search.records.plan_score import PlanErrors
from ...search.records.refit_faults import fault_line, refit_faults
from ...search.strategy.early_stopping import agreements
from ...search.strategy.score_agreement import SIMILAR_COST_FACTOR, score_agreement
from ...spaces.budget import describe
from .measurement_text import with_interval
from .metric_directions import LEGEND, directions, headed, saturation_line
from .outcome import TEACHER, Outcome, cost_name, is_quality, measurements_of, named, quality_of
from .selection_gap import Gap, gap_line, input_gap, teacher_gap, trial_gap

DENSE_TEACHER, INPUT = "dense teacher", "input"
WORSE_THAN_INPUT = "worse than the input"
REQUIRED_COLUMNS = ("trial", "method")
ZERO_SHOT_ERROR, ZERO_SHOT_FEATURES = "zero-shot[error]", "zero-shot[error,features]"
# Distances between features other than the quality: in files and reports, but not columns on the screen.
_DETAILS = re.compile(r"([a-z0-9]+_)?(feature_distance|kd|kid|precision|recall|density|coverage)\[")


@dataclass(frozen=True)
class Row:
    """A line of a table: a trial, the dense teacher, or the untouched input.

    Attributes:
        trial: Number of the trial; None for teacher and input.
        method: The pruning method.
        state: COMPLETE, PRUNED, FAIL, RUNNING, WAITING.
        front: True if it is on the study's front.
        cost_name: Name of the cost, with its convention.
        cost: Cost in `unit`; None if it was not measured.
        unit: Unit of cost and target.
        share: Cost as a share of the dense generator's.
        metric: The name of the measured quality.
        quality: Value of its metric; at a trial's last rung if it did not end.
        low, high: 90 % interval of the quality.
        split: The measured split, `selection` or `test`.
        gap: Gap to the quality on the test split; None if it was not also measured there.
        zero_shot: Errors of the plan before any training; never the quality.
        params: Parameters.
        bits: Bits of weights and activations: 8, or 32 for float32.
        target: The target cost.
        seconds: Seconds of the whole trial.
        chosen_by: Origin of the proposal: `ladder:<i>` or a sampler.
        reason: Reason that it ended early, failed or may not be on the front; excess over a budget as measured after
            the search.
        costs: Every cost that a budget is in, by name: counted, or predicted by a profile.
        measured: Costs that were measured after the search.
        metrics: Other measurements, by name and in the record's order.
        counted: MACs in both conventions and bytes, by name.
        seed: Seed of its training; None for teacher and input.
        settings: Settings of its method.
        widths: Kept channels per group.
        phases: Seconds by phase.
    """

    trial: int | None
    method: str
    state: str
    front: bool
    cost_name: str
    cost: float | None
    unit: str
    share: float | None
    metric: str
    quality: float | None
    low: float | None
    high: float | None
    split: str
    gap: Gap | None
    zero_shot: PlanErrors | None
    params: float | None
    bits: int
    target: float | None
    seconds: float | None
    chosen_by: str
    reason: str
    costs: Mapping[str, Measurement]
    measured: Mapping[str, Measurement]
    metrics: Mapping[str, Measurement]
    counted: Mapping[str, float] = field(default_factory=dict)
    seed: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    widths: Mapping[str, int] = field(default_factory=dict)
    phases: Mapping[str, float] = field(default_factory=dict)

    def zero_shot_by(self, features: bool) -> float | None:
        """Return the zero-shot error of features, or of outputs; None if it was not measured."""
        return None if self.zero_shot is None else self.zero_shot.by(features)

    def to_json(self, keys: Sequence[str] = ()) -> dict[str, Any]:
        """Return the row as JSON, flat.

        Args:
            keys: Costs and metrics with their own keys (`more_keys`), in this order, after those of every row.
        """
        values: dict[str, Any] = {name: _value(m) for name, m in self.metrics.items()}
        values |= {_keys(name)[0]: _value(m) for name, m in self.costs.items()}
        values |= {_keys(name)[1]: _value(m) for name, m in self.measured.items()}
        values |= {name: getattr(self, name) for name in (*_FIELDS, "seed")}
        values |= {name: self.counted[name] for name in COUNTED_COSTS if name in self.counted}
        values |= {name: dict(getattr(self, name)) or None for name in ("settings", "widths", "phases")}
        values["split"] = self.split
        for features, name in ((False, ZERO_SHOT_ERROR), (True, ZERO_SHOT_FEATURES)):
            values[name] = self.zero_shot_by(features)
        if (gap := self.gap) is not None:
            test = gap.test
            values |= {"test_quality": test.value, "test_low": test.low, "test_high": test.high, "test_n": test.n}
            values |= {"gap": gap.difference, "gap_intervals": gap.intervals}
        return {key: values.get(key) for key in dict.fromkeys([*_FIELD_ORDER, *keys])}


COUNTED_COSTS = ("macs", "macs_published", "bytes")  # costs of every row, whatever the budget
_NAMED_FIELDS = (
    "costs",
    "measured",
    "metrics",
    "split",
    "gap",
    "zero_shot",
    "counted",
    "seed",
    "settings",
    "widths",
    "phases",
)
_FIELDS = [f.name for f in dataclasses.fields(Row) if f.name not in _NAMED_FIELDS]
# Keys of JSON and CSV that every study has, in this order; `l1` has been one since the first version.
_FIELD_ORDER = [*_FIELDS]
_FIELD_ORDER.insert(_FIELD_ORDER.index("params"), "l1")
_PROFILED_COSTS = [key for row in COSTS.own.values() for key in row.keys or ()]
_FIELD_ORDER[_FIELD_ORDER.index("target") : _FIELD_ORDER.index("target")] = _PROFILED_COSTS
_FIELD_ORDER += ["split", "test_quality", "test_low", "test_high", "test_n", "gap", "gap_intervals"]
_FIELD_ORDER += [ZERO_SHOT_ERROR, ZERO_SHOT_FEATURES]
_FIELD_ORDER += [*COUNTED_COSTS, "seed", "settings", "widths", "phases"]


def _keys(cost: str) -> tuple[str, str]:
    """Return the keys of a cost in JSON and CSV: of the search's value, and of a finalist's."""
    row = COSTS.own.get(cost)  # of another package's row they are the same if the package is not installed
    return row.keys if row is not None and row.keys else (cost, f"measured_{cost}")


def front_rows(outcome: Outcome) -> tuple[Row, ...]:
    """Return the dense teacher and the input as references, then the front by ascending cost."""
    return (*reference_rows(outcome), *(_row(outcome, trial, True) for trial in outcome.front))


def trial_rows(outcome: Outcome) -> tuple[Row, ...]:
    """Return teacher and input as references, then all trials by ascending cost; those without a cost last."""
    front = {trial.number for trial in outcome.front}
    rows = [_row(outcome, trial, trial.number in front) for trial in outcome.study.trials]
    rows.sort(key=lambda row: (row.cost is None, row.cost or 0.0, row.trial))
    return (*reference_rows(outcome), *rows)


def trial_row(outcome: Outcome, trial: TrialRecord) -> Row:
    """Return the row of one trial."""
    return _row(outcome, trial, any(one.number == trial.number for one in outcome.front))


def reference_rows(outcome: Outcome) -> tuple[Row, ...]:
    """Return the rows of the dense teacher and the untouched inputs; without image inputs, the latter is omitted."""
    teacher = teacher_row(outcome)
    if not outcome.inputs:
        return (teacher,)
    quality = outcome.inputs[0]
    untouched = replace(
        teacher, method=INPUT, cost=None, share=None, params=None, seconds=None, costs={}, counted={},
        metric=quality.name, quality=_value(quality), low=quality.low, high=quality.high, gap=input_gap(outcome),
        metrics=_metrics(outcome.inputs, outcome),
    )  # fmt: skip
    return teacher, untouched


def teacher_row(outcome: Outcome) -> Row:
    """Return the row of the dense generator that the study started from."""
    quality = outcome.teacher[0] if outcome.teacher else None
    cost = outcome.dense.get(outcome.cost)
    seconds = (outcome.study.attributes.get(TEACHER) or {}).get("seconds")
    return Row(
        trial=None,
        method=DENSE_TEACHER,
        state="",
        front=False,
        cost_name=outcome.cost,
        cost=cost,
        unit=outcome.unit_of(outcome.cost),
        share=outcome.share(cost),
        metric=outcome.metric,
        quality=_value(quality),
        low=quality.low if quality else None,
        high=quality.high if quality else None,
        split=outcome.split,
        gap=teacher_gap(outcome),
        zero_shot=None,
        params=outcome.dense.get("params"),
        bits=FULL_BITS,
        target=None,
        seconds=seconds,
        chosen_by="",
        reason="",
        costs={
            name: Measurement(name, outcome.dense[name], outcome.unit_of(name))
            for name in outcome.costs
            if name in outcome.dense
        },
        measured={},
        metrics=_metrics(outcome.teacher, outcome),
        counted={name: outcome.dense[name] for name in COUNTED_COSTS if name in outcome.dense},
    )


def _row(outcome: Outcome, trial: TrialRecord, front: bool) -> Row:
    measured, quality = measurements_of(trial), quality_of(trial)
    spent = trial.outcome.seconds if trial.outcome is not None else {}
    return Row(
        trial=trial.number,
        method=trial.new.method,
        state=trial.state,
        front=front,
        cost_name=outcome.cost,
        cost=trial.cost,
        unit=outcome.unit_of(outcome.cost),
        share=outcome.share(trial.cost),
        metric=quality.name if quality else outcome.metric,
        quality=None if trial.quality is None else outcome.value(trial.quality),
        low=quality.low if quality else None,
        high=quality.high if quality else None,
        split=outcome.split,
        gap=trial_gap(outcome, trial),
        zero_shot=trial.zero_shot,
        params=_value(named(measured, "params")),
        bits=bits_of(trial),
        target=trial.new.target,
        seconds=sum(spent.values()) if spent else None,
        chosen_by=trial.new.origin,
        reason=_reason(outcome, trial),
        costs={name: m for name in outcome.costs if (m := named(measured, name)) is not None},
        measured={name: m for name in outcome.costs if (m := outcome.finalist(trial.number, name)) is not None},
        metrics=_metrics(measured, outcome),
        counted={
            name: m.value for name in COUNTED_COSTS if (m := named(measured, name)) is not None and m.reason is None
        },
        seed=derived_seed(outcome.config.seed_of_trials, _trained(trial), "trial"),
        settings=to_json(trial.new.proposal.settings),
        widths=trial.widths,
        phases=spent,
    )


def _trained(trial: TrialRecord) -> int:
    """Return the number of the trained trial: for a repeated network, the earlier one."""
    repeats = None if trial.outcome is None else trial.outcome.same_as
    return trial.number if repeats is None else repeats


def bits_of(trial: TrialRecord) -> int:
    """Return the bits of a trial's weights: as trained, else as requested."""
    quantized = None if trial.outcome is None else trial.outcome.quantized
    return trial.new.proposal.bits if quantized is None else quantized.bits


def _value(m: Measurement | None) -> float | None:
    return None if m is None or m.reason is not None else m.value


def _reason(outcome: Outcome, trial: TrialRecord) -> str:
    over = outcome.over_when_measured(trial.number)
    parts = [trial.stopped] if trial.stopped else []
    parts += [
        f"{shown_cost(cost_name(finalist)).described} not measured: {finalist.reason.partition(',')[0]}"
        for finalist in outcome.finalists(trial.number)
        if finalist.reason is not None
    ]
    parts += [f"{each.note.partition(':')[0]}" for each in outcome.finalists(trial.number) if each.note][:1]
    parts += [
        f"{m.name.partition('[')[0]} not measured: {m.reason}"
        for m in measurements_of(trial)
        if m.reason is not None and FAILED in m.protocol
    ]
    parts += [
        f"not measured on the test split: {m.reason}" for m in outcome.tested(trial.number)[:1] if m.reason is not None
    ]
    parts += trial.violated
    parts += [over] if over else []
    parts += [WORSE_THAN_INPUT] * outcome.behind_input(trial)
    if (parent := trial.new.proposal.parent) is not None:
        parts.append(f"cut from trial {parent}, and trained beyond it")
    if trial.outcome is not None and trial.outcome.same_as is not None:
        parts.append(f"same network as trial {trial.outcome.same_as}")
    return "; ".join(parts)


def _metrics(measured: Sequence[Measurement], outcome: Outcome) -> dict[str, Measurement]:
    """Return measurements other than the quality, by name; costs have their own columns."""
    units, costs = {row.unit for row in COSTS.own.values()}, outcome.costs
    found = {m.name: m for m in measured if m.unit not in units and cost_name(m) not in costs}
    first = next(iter(found), "")
    return {name: m for name, m in found.items() if name != first or not is_quality(m)}


def metric_names(rows: Iterable[Row]) -> tuple[str, ...]:
    """Return the names of all metrics of the rows, in the order of the records."""
    return tuple(dict.fromkeys(name for row in rows for name in row.metrics))


def cost_names(rows: Iterable[Row]) -> tuple[str, ...]:
    """Return the names of all budgets' costs of the rows."""
    return tuple(dict.fromkeys(name for row in rows for name in row.costs))


def more_keys(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the keys of costs and metrics that not every study has, in the order of the records."""
    keys = [_keys(name)[0] for name in cost_names(rows) if any(name != row.cost_name for row in rows)]
    keys += [_keys(name)[1] for name in dict.fromkeys(name for row in rows for name in row.measured)]
    return tuple(key for key in dict.fromkeys([*keys, *metric_names(rows)]) if key not in _FIELD_ORDER)


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Return rows as a data frame, one column per field, cost and metric; the teacher's trial number is missing."""
    keys = more_keys(rows)
    table = pd.DataFrame([row.to_json(keys) for row in rows], columns=[*_FIELD_ORDER, *keys])
    return table.astype({"trial": "Int64", "seed": "Int64"})


def csv_text(rows: Sequence[Row]) -> str:
    """Return rows as CSV with a header; numbers in full, units in their own column."""
    table = frame(rows)
    for name in ("settings", "widths", "phases"):
        table[name] = [None if value is None else json.dumps(value) for value in table[name]]
    return table.to_csv(index=False, lineterminator="\n")


def rows_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows as plain JSON, all with the same keys."""
    keys = more_keys(rows)
    return [row.to_json(keys) for row in rows]


_MAX_CELL_CHARACTERS = 24  # maximum characters of a cell of words before it is wrapped


@dataclass(frozen=True)
class Column:
    """A column of a table on the screen.

    Attributes:
        head: Its heading, with the unit unless cells have their own.
        cell: Function from a row to its text; empty if the row has none.
        words: True if it contains words instead of numbers.
        spare: True if it may be omitted for lack of room.
        metric: True if it contains a metric other than the study's quality.
    """

    head: str
    cell: Callable[[Row], str]
    words: bool = False
    spare: bool = False
    metric: bool = False


def columns(rows: Sequence[Row], outcome: Outcome, every: bool = False) -> tuple[Column, ...]:
    """Return the columns that are not empty; trial and method are always included.

    Args:
        rows: The rows.
        outcome: Their study, whose quality names its column; other rows name their own quality.
        every: True to also show distances between features other than the quality, as last columns.
    """

    def number(read: Callable[[Row], float | None], form: str) -> Callable[[Row], str]:
        def cell(row: Row) -> str:
            value = read(row)
            return "" if value is None else format(value, form)

        return cell

    def costs(read: Callable[[Row], float | None]) -> Callable[[Row], str]:
        def cell(row: Row) -> str:
            value = read(row)
            return "" if value is None else describe(value, row.cost_name)

        return cell

    def metric(name: str) -> Callable[[Row], str]:
        return number(lambda row: _value(row.metrics.get(name)), "#.4g")

    names = metric_names(rows)
    details = [name for name in names if _DETAILS.match(name)]
    units = {name: m.unit for row in reversed(rows) for name, m in row.metrics.items()}
    better = directions(rows, outcome)
    heads = {name: headed(_with_unit(name, units[name]), better.get(name, "")) for name in names}
    params = f" {shown_cost('params').unit}"
    named_columns = [
        Column("trial", lambda row: "" if row.trial is None else f"{row.trial}{'*' if row.front else ''}"),
        Column("method", lambda row: row.method, words=True),
        Column(outcome.cost, costs(lambda row: row.cost), spare=True),
        Column("of dense", lambda row: "" if row.share is None else f"{100 * row.share:.1f} %"),
        Column(
            headed(f"{_on(outcome)}{outcome.metric} [90 %]", better[outcome.metric]),
            lambda row: _quality_cell(row, outcome.metric),
        ),
        Column("test [90 %]", lambda row: _tested_cell(row)),
        Column("gap (intervals)", lambda row: _gap_cell(row)),
        Column(ZERO_SHOT_ERROR, number(lambda row: row.zero_shot_by(features=False), ".3g")),
        Column(ZERO_SHOT_FEATURES, number(lambda row: row.zero_shot_by(features=True), ".3g")),
        *(Column(heads[name], metric(name), metric=True) for name in names if name not in details),
        Column(
            "params",
            lambda row: "" if row.params is None else describe(row.params, "params").removesuffix(params),
            spare=True,
        ),
        Column("bits", lambda row: str(row.bits) if row.bits != FULL_BITS else ""),
        *(column for name in cost_names(rows) for column in _cost_columns(name, outcome)),
        Column("target", costs(lambda row: row.target), spare=True),
        Column("seconds", number(lambda row: row.seconds, ".1f")),
        Column("state", lambda row: f"{row.state}: {row.reason}" if row.reason else row.state, words=True),
        *(Column(heads[name], metric(name)) for name in details if every),
    ]
    return tuple(c for c in named_columns if c.head in REQUIRED_COLUMNS or any(c.cell(row) for row in rows))


def _cost_columns(name: str, outcome: Outcome) -> Iterator[Column]:
    """Yield the columns of a budget's cost, in addition to those of every table."""
    cost = shown_cost(name, outcome.unit_of(name))
    if cost.exact:
        if name not in (outcome.cost, *_FIELDS):
            yield Column(name, lambda row: _shown(row.costs.get(name), cost.show), spare=True)
        return

    def plain(value: float) -> str:
        return f"{value:.4g}"

    yield Column(f"{cost.unit} (predicted)", lambda row: _shown(row.costs.get(name), plain))
    yield Column(f"{cost.unit} (measured)", lambda row: _shown(row.measured.get(name), plain))


def _shown(measured: Measurement | None, show: Callable[[float], str]) -> str:
    value = _value(measured)
    return "" if value is None else show(value)


def _with_unit(name: str, unit: str) -> str:
    return name if unit == "1" else f"{name} ({unit})"


def _quality_cell(row: Row, metric: str) -> str:
    if row.quality is None:
        return ""
    other = "" if row.metric == metric else f" {row.metric}"
    return with_interval(Measurement(row.metric, row.quality, "1", row.low, row.high)) + other


def _on(outcome: Outcome) -> str:
    """Return the prefix of the quality's name: the measured split, if it is not the test split."""
    return f"{outcome.split} " if outcome.selects else ""


def _tested_cell(row: Row) -> str:
    """Return the quality on the test split, with its name if that differs, for example by the number of images."""
    if row.gap is None:
        return ""
    test = row.gap.test
    return with_interval(test) + (f" {test.name}" if test.name != row.gap.selection.name else "")


def _gap_cell(row: Row) -> str:
    if row.gap is None:
        return ""
    intervals = row.gap.intervals
    return f"{row.gap.difference:+.3g}" + ("" if intervals is None else f" ({intervals:+.1f})")


def rich_table(rows: Sequence[Row], outcome: Outcome, title: str = "", room: int | None = None) -> Table:
    """Return rows as a table for the screen; the front's trials are marked with a star.

    Args:
        rows: The rows.
        outcome: Their study.
        title: Text above it.
        room: Characters per line. If the table is wider, metrics after the first are omitted, with a note in the
            caption. None: no limit.
    """
    shown, left_out = _fitting(columns(rows, outcome), rows, room)
    caption = f"not shown for want of room: {', '.join(left_out)}; --json has them" if left_out else None
    table = Table(title=title or None, title_justify="left", caption=caption, caption_justify="left", box=None)
    table.pad_edge = False
    for column in shown:
        table.add_column(Text(column.head), justify="left" if column.words else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(column.cell(row)) for column in shown))
    return table


def _fitting(
    shown: tuple[Column, ...], rows: Sequence[Row], room: int | None
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Return the columns that fit into a line, and the headings of omitted ones."""

    def width(column: Column) -> int:
        cells = [column.head, *(column.cell(row) for row in rows)]
        return min(max(map(len, cells)), _MAX_CELL_CHARACTERS if column.words else 10**6) + 2

    left_out: list[str] = []
    while room is not None and sum(map(width, shown)) - 2 > room:
        metrics = [column for column in shown if column.metric]
        if len(metrics) < 2:
            break
        left_out.insert(0, metrics[-1].head)
        shown = tuple(column for column in shown if column is not metrics[-1])
    return shown, tuple(left_out)


def hypervolume_line(outcome: Outcome) -> str:
    """Return a line on the hypervolume that the front dominates, and the share of its ladder."""
    volume = outcome.hypervolume()
    if volume is None:
        return "hypervolume: not known before one of the first trials is complete"
    return (
        f"hypervolume: front {volume.front:.4f}, {outcome.ladder_name} alone {volume.ladder:.4f}, "
        f"gained {volume.gain:+.4f} (shares of the rectangle up to {_on(outcome)}{outcome.metric} = "
        f"{volume.quality:.4g} and {outcome.cost} = {describe(volume.cost, outcome.cost)})"
    )


def remarks(outcome: Outcome) -> list[str]:
    """Return the lines under a table: notes on study and teacher, hypervolume, and agreement of rungs with the end."""
    rungs = "; ".join(found.line() for found in agreements(outcome.study.trials))
    said = [outcome.note] if outcome.note else []
    said += [f"note: {doubt}" for doubt in outcome.doubts]
    said += [f"note: {fault_line(fault, numbers)}" for fault, numbers in refit_faults(outcome.study.trials).items()]
    said.append(LEGEND)
    said += [f"note: {line}"] if (line := saturation_line(trial_rows(outcome))) else []
    said.append(hypervolume_line(outcome))
    said += [line] if (line := gap_line(outcome)) else []
    said += [line] if (line := score_line(outcome)) else []
    return said + ([f"rank correlation of rungs with the end: {rungs}"] if rungs else [])


def score_line(outcome: Outcome) -> str:
    """Return a line on the agreement of zero-shot scores with final qualities; empty with too few trials."""
    found = score_agreement(outcome.study.trials)
    if found is None:
        return ""
    ends = [describe(cost, outcome.cost) for cost in (found.low, found.high)]
    alike = (
        f"{found.alike:+.2f} over {counted(found.pairs, 'pair')}"
        if found.alike is not None
        else "not known, there are no pairs of them"
    )
    return (
        f"zero-shot error of {'features' if found.features else 'outputs'} and quality at the end: "
        f"Kendall's tau {found.tau:+.2f} (n={found.trials}, from {ends[0]} to "
        f"{ends[1]}); of trials whose costs are within a factor of {SIMILAR_COST_FACTOR:g}: {alike}"
    )
