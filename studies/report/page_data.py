"""The data of the report's page: frozen values, which the page's script reads as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from ...evaluators.measurement import Measurement
from ...gan_models.costs.catalog import COSTS, shown_cost
from ...gan_models.files.plain_values import JSON, from_json, to_json
from ...search.records.learning_curve import LearningCurve
from ...search.records.ledger import TrialRecord
from ...search.strategy.method_shares import LADDER
from ..results.outcome import TEACHER, Outcome, cost_name, measurements_of, named, quality_of
from ..results.tables import Row, bits_of, metric_names, trial_rows

PAGE_CURVE_BYTES = 300_000  # of all trials' losses on the page
MIN_CURVE_BYTES = 400  # of one trial's


@dataclass(frozen=True)
class CostView:
    """A cost that the page can show.

    Attributes:
        name, title, short, symbol, unit, remark: Texts of its row in the table of costs.
        prefixed: It is shown with k, M, G, T.
        dense: The dense network's; None if the record does not say it.
        limit: The budget in it; None without one.
    """

    name: str
    title: str
    short: str
    symbol: str
    unit: str
    remark: str
    prefixed: bool
    dense: float | None
    limit: float | None


@dataclass(frozen=True)
class MetricView:
    """A measurement's name, unit and protocol, once for all trials; `column`: the table of trials has it."""

    name: str
    unit: str
    protocol: str
    column: bool


@dataclass(frozen=True)
class Interval:
    """A value with the ends of its interval, if it has one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class TeacherView:
    """The dense teacher's quality, and its losses by phase."""

    quality: float | None
    curves: Mapping[str, LearningCurve]


@dataclass(frozen=True)
class TrialView:
    """One trial as the page shows it.

    Attributes:
        number, method, state, origin, attempt, target, bits, seed, reason, worker, architecture: As the record has it.
        front, scored, ladder: It is on the front; it may be; it is of the first plans.
        quality, low, high: Quality as its metric gives it, and its interval.
        test: The same on the test split.
        costs: By name.
        measured: Costs that were measured after the search.
        widths: Channels kept, in the order of the page's groups; empty if they are not known.
        settings: The method's, and what was chosen of the recipe.
        seconds: By phase.
        rungs: Step and quality.
        curves: Losses by phase.
        metrics: Position in the page's metrics, value, ends of the interval, images, reason if there is no value.
        parent, same_as: Trials that it was cut from, and whose result it is.
        weights: Start of the weights' sha256.
        compute: Multiply-accumulates that it took.
        steps: Steps that it took, by phase.
    """

    number: int
    method: str
    state: str
    origin: str
    attempt: int
    front: bool
    scored: bool
    ladder: bool
    quality: float | None
    low: float | None
    high: float | None
    test: Interval | None
    costs: Mapping[str, float]
    measured: Mapping[str, float]
    target: float | None
    bits: int
    widths: tuple[int, ...]
    settings: Mapping[str, JSON]
    seed: int | None
    seconds: Mapping[str, float]
    rungs: tuple[tuple[int, float], ...]
    curves: Mapping[str, LearningCurve]
    metrics: tuple[tuple[int, float | None, float | None, float | None, int | None, str | None], ...]
    parent: int | None
    same_as: int | None
    reason: str
    worker: str
    architecture: str
    weights: str
    compute: int | None
    steps: Mapping[str, int] | None


@dataclass(frozen=True)
class StripView:
    """A strip of pictures on the page.

    Attributes:
        subject: `input`, `target`, ..., `teacher`, or a trial's number.
        network: The generator.
        step: Steps that were done; 0 for the outputs.
        last: It is the end of its training.
        rows: Pictures below each other.
        width, height: Of the strip, in pixels.
        src: Its `data:` address.
    """

    subject: str
    network: str
    step: int
    last: bool
    rows: int
    width: int
    height: int
    src: str


@dataclass(frozen=True)
class LiveView:
    """Means by which a page follows a running search: mark of its state, and seconds between two questions."""

    mark: str
    seconds: float


@dataclass(frozen=True)
class PageData:
    """All that the page's script is given.

    Attributes:
        study: The study's name.
        storage: The database for commands, without a password; empty for the default.
        metric, better, maximizes: The quality.
        split: Stands behind the metric in the chart if trials are compared on another split than the test split.
        cost: Name of the cost that is the objective.
        methods: In the order of their colors.
        ladder: The name of the first plans.
        costs, metrics, teacher, trials, strips: See their classes.
        groups, sizes: Names of the channel groups, and channels at full width.
        titles: Titles of the pictures' rows by generator, if they are classes.
        live: None for a page that is a file.
    """

    study: str
    storage: str
    metric: str
    better: str
    maximizes: bool
    split: str
    cost: str
    methods: tuple[str, ...]
    ladder: str
    costs: tuple[CostView, ...]
    metrics: tuple[MetricView, ...]
    teacher: TeacherView
    groups: tuple[str, ...]
    sizes: tuple[int, ...]
    trials: tuple[TrialView, ...]
    strips: tuple[StripView, ...] = ()
    titles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    live: LiveView | None = None


def page_data(outcome: Outcome, storage: str = "") -> PageData:
    """Return the data of a study's page, without pictures.

    Args:
        outcome: The study.
        storage: Its database as commands take it, without a password; empty for the default.
    """
    rows, trials = trial_rows(outcome), outcome.study.trials
    shown = set(metric_names(rows))
    measured = [m for trial in trials for m in measurements_of(trial)]
    keys = dict.fromkeys((m.name, m.unit, m.protocol) for m in measured)
    metrics = tuple(MetricView(*key, column=key[0] in shown) for key in keys)
    groups, sizes = _groups(outcome)
    of_trial = {row.trial: row for row in rows}
    places = {key: place for place, key in enumerate(keys)}
    trained = sum(bool(trial.outcome is not None and trial.outcome.curves) for trial in trials)
    curve_bytes = max(PAGE_CURVE_BYTES // max(trained, 1), MIN_CURVE_BYTES)
    teacher = outcome.study.attributes.get(TEACHER) or {}
    quality = outcome.teacher[0] if outcome.teacher else None
    return PageData(
        study=outcome.study.name,
        storage=storage,
        metric=outcome.metric,
        better=outcome.better,
        maximizes=outcome.config.maximizes,
        split=f" on the {outcome.split} split" if outcome.selects else "",
        cost=outcome.cost,
        methods=tuple(dict.fromkeys([*outcome.config.methods, *(trial.new.method for trial in trials)])),
        ladder=outcome.ladder_name,
        costs=tuple(_costs(outcome)),
        metrics=metrics,
        teacher=TeacherView(
            quality.value if quality is not None and quality.reason is None else None,
            from_json(dict[str, LearningCurve], teacher.get("curves", {}), "the teacher's curves"),
        ),
        groups=groups,
        sizes=sizes,
        trials=tuple(_trial(outcome, trial, of_trial[trial.number], places, groups, curve_bytes) for trial in trials),
    )


def folder_of(trial: TrialRecord) -> str:
    """Return the name of the folder with a trial's pictures: of a twin's result that of the other trial."""
    artifact = None if trial.outcome is None else trial.outcome.artifact
    return str(trial.number) if artifact is None else PurePosixPath(artifact.path).parts[0]


def _costs(outcome: Outcome) -> list[CostView]:
    trials = outcome.study.trials
    known = {cost_name(m) for trial in trials for m in measurements_of(trial) if m.reason is None} | {*outcome.dense}
    limits = {} if outcome.resolved is None else {each.budget.cost: each.limit for each in outcome.resolved.budgets}
    limits |= {} if outcome.limit is None else {outcome.cost: outcome.limit}
    names = dict.fromkeys([outcome.cost, *outcome.costs, *(name for name in COSTS.own if name in known)])
    views = []
    for name in names:
        row = shown_cost(name, outcome.unit_of(name))
        views.append(
            CostView(
                name, row.title, row.named_unit, row.symbol, row.unit, row.remark, row.prefixed,
                outcome.dense.get(name), limits.get(name),
            )
        )  # fmt: skip
    return views


def _groups(outcome: Outcome) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return names and full widths of the groups; of a study of version 0.1.0 the widest that any trial has."""
    if outcome.resolved is not None and outcome.resolved.groups.names:
        return outcome.resolved.groups.names, outcome.resolved.groups.sizes
    names = tuple(dict.fromkeys(name for trial in outcome.study.trials for name in trial.widths))
    return names, tuple(max(trial.widths.get(name, 0) for trial in outcome.study.trials) for name in names)


def _trial(
    outcome: Outcome,
    trial: TrialRecord,
    row: Row,
    places: Mapping[tuple[str, str, str], int],
    groups: Sequence[str],
    curve_bytes: int,
) -> TrialView:
    ended, quality, measured = trial.outcome, quality_of(trial), measurements_of(trial)
    said = ended or trial.report
    costs = {name: m.value for name in COSTS.own if (m := named(measured, name)) is not None and m.reason is None}
    costs |= {name: m.value for name in outcome.costs if (m := named(measured, name)) is not None and m.reason is None}
    if trial.cost is not None:
        costs[outcome.cost] = trial.cost
    curves = {} if said is None else said.curves
    widths = trial.widths
    return TrialView(
        number=trial.number,
        method=trial.new.method,
        state=trial.state,
        origin=trial.new.origin,
        attempt=trial.attempt,
        front=row.front,
        scored=trial.scored,
        ladder=trial.scored and trial.new.origin.startswith(LADDER),
        quality=None if trial.quality is None else outcome.value(trial.quality),
        low=quality.low if quality else None,
        high=quality.high if quality else None,
        test=_interval(next(iter(outcome.tested(trial.number)), None)),
        costs=costs,
        measured={cost_name(m): m.value for m in outcome.finalists(trial.number) if m.reason is None},
        target=trial.new.target,
        bits=bits_of(trial),
        widths=tuple(int(widths.get(name, 0)) for name in groups) if widths else (),
        settings=_settings(trial),
        seed=row.seed,
        seconds={} if ended is None else dict(ended.seconds),
        rungs=tuple((step, outcome.value(value)) for step, value in sorted(trial.rungs.items())),
        curves={phase: curve.within(curve_bytes // len(curves)) for phase, curve in curves.items()},
        metrics=tuple(
            (places[m.name, m.unit, m.protocol], m.value if m.reason is None else None, m.low, m.high, m.n, m.reason)
            for m in measured
        ),
        parent=trial.new.proposal.parent,
        same_as=None if ended is None else ended.same_as,
        reason=row.reason,
        worker="" if ended is None else ended.worker,
        architecture="" if said is None else said.architecture,
        weights=ended.artifact.sha256[:16] if ended is not None and ended.artifact is not None else "",
        compute=None if ended is None else ended.compute_macs,
        steps={"prune": ended.steps.prune, "finetune": ended.steps.finetune} if ended and ended.steps else None,
    )


def _interval(m: Measurement | None) -> Interval | None:
    return None if m is None or m.reason is not None else Interval(m.value, m.low, m.high)


def _settings(trial: TrialRecord) -> dict[str, Any]:
    proposal = trial.new.proposal
    return {**to_json(proposal.settings), **{f"recipe.{name}": value for name, value in proposal.recipe.items()}}
