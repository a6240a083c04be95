"""The outcome of a study, read from its record: front, ladder, teacher, and hypervolume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...evaluators.measurement import Measurement
from ...gan_models.costs.catalog import COSTS, shown_cost
from ...gan_models.files.errors import UserError, malformed_as
from ...gan_models.files.plain_values import from_json, to_json
from ...gan_models.files.texts.number_text import percent
from ...search.config import BOTH_DIRECTIONS, SPLIT_LABELS, StudyConfig
from ...search.records.ledger import TrialRecord
from ...search.resolved_study import ResolvedStudy
from ...search.strategy import pareto
from ...search.strategy.method_shares import LADDER
from ...spaces.budget import Budget, describe
from ..database.reader import COST_LIMIT, StudyRecord
from ..database.reader import SIMULATED as SIMULATED

CONFIG, TEACHER, VERSION = "ganprune.config", "ganprune.teacher", "ganprune.version"
RESOLVED = "ganprune.resolved"  # the resolved study; version 0.1.0 reads CONFIG
IMAGES = "ganprune.images"  # split -> number of images in it when the study was created
DENSE = "ganprune.dense"  # costs of the dense generator by name
PREPARED_KEY = "ganprune.preparations"  # name -> its `PreparedArtifact`
FINALISTS = "ganprune.finalists"  # trial number -> its costs, measured after the search
FINALISTS_BEFORE = (
    "ganprune.finalists_before"  # trial number -> earlier such costs, oldest first: {until, measurements}
)
TESTED_KEY = "ganprune.tested"  # trial number -> its measurements on the test split, if it was not chosen by it
SIMULATED_NOTE = "SIMULATED: no network was trained; qualities are drawn from the study's seed"
# The reference of the hypervolume is this far beyond the budget and the ladder's worst quality, so that a plan at the
# budget itself counts.
REFERENCE_POINT_FACTOR = 1.1


@dataclass(frozen=True)
class Hypervolume:
    """The part of the space of quality and cost that is dominated, as shares of the reference's rectangle.

    Attributes:
        quality, cost: The reference point: 1.1 x the worst quality of the ladder, 1.1 x the budget (or, in a study
            without one, the dearest plan of the ladder). It is fixed once the ladder has run.
        front: Share (0 to 1) that the whole front dominates.
        ladder: Share that the study's own uniform ladder dominates alone.
    """

    quality: float
    cost: float
    front: float
    ladder: float

    @property
    def gain(self) -> float:
        """Return the part that the search added to its ladder."""
        return self.front - self.ladder

    def to_json(self) -> dict[str, float]:
        """Plain JSON."""
        return {
            "reference_quality": self.quality,
            "reference_cost": self.cost,
            "front": self.front,
            "ladder": self.ladder,
            "gain": self.gain,
        }


@dataclass(frozen=True)
class Outcome:
    """A study's record with its interpretation.

    Attributes:
        study: The record.
        config: Its configuration.
        cost: Name of the cost that is the second objective.
        limit: The budget in that cost's unit; None if the record has none.
        dense: Costs of the dense generator by name; empty if the record lacks them.
        teacher: The teacher's measurements, its quality first.
        resolved: The resolved study; None for one of version 0.1.0.
        inputs: Measurements of the untouched inputs in place of outputs, the quality first; empty if there are none.
        teacher_notes: Notes from the teacher's measurement.
        teacher_tested, inputs_tested: `teacher` and `inputs` on the test split, if trials are chosen by other images.
    """

    study: StudyRecord
    config: StudyConfig
    cost: str
    limit: float | None
    dense: Mapping[str, float]
    teacher: tuple[Measurement, ...]
    resolved: ResolvedStudy | None = None
    inputs: tuple[Measurement, ...] = ()
    teacher_notes: tuple[str, ...] = ()
    teacher_tested: tuple[Measurement, ...] = ()
    inputs_tested: tuple[Measurement, ...] = ()

    @property
    def selects(self) -> bool:
        """True if trials are compared on other images than the test split's; False for simulated ones."""
        return self.config.scored_on != "test" and not self.note

    @property
    def split(self) -> str:
        """Return the name of the images that trials are compared on: `selection` or `test`."""
        return SPLIT_LABELS[self.config.scored_on]

    @property
    def metric(self) -> str:
        """Name of the quality as it was measured."""
        if self.teacher:
            return self.teacher[0].name
        named = [quality_of(trial) for trial in self.scored]
        return next((m.name for m in named if m), "quality")

    def value(self, quality: float) -> float:
        """Return a trial's quality as a value of its metric, with the metric's own sign."""
        return self.config.sign * quality

    @property
    def better(self) -> str:
        """The direction of the quality, as a phrase."""
        return "higher is better" if self.config.maximizes else "lower is better"

    @property
    def note(self) -> str:
        """A line that must precede any number of the study; usually empty."""
        return SIMULATED_NOTE if self.study.attributes.get(SIMULATED) else ""

    @property
    def scored(self) -> tuple[TrialRecord, ...]:
        """Trials that may be on the front: complete, within the budget."""
        return tuple(trial for trial in self.study.trials if trial.scored)

    @property
    def front(self) -> tuple[TrialRecord, ...]:
        """Trials that no other dominates, by ascending cost; of equal points the first."""
        best = pareto.non_dominated(points(self.scored))
        kept = {point(t): t for t, on in reversed(list(zip(self.scored, best, strict=True))) if on}
        return tuple(sorted(kept.values(), key=lambda trial: (trial.cost, trial.number)))

    @property
    def ladder(self) -> tuple[TrialRecord, ...]:
        """Scored trials of the study's initial uniform ladder."""
        return tuple(trial for trial in self.scored if trial.new.origin.startswith(LADDER))

    @property
    def ladder_name(self) -> str:
        """The name of the ladder: in a study without `uniform`, it has other methods' trials."""
        return "uniform ladder" if all(trial.new.method == "uniform" for trial in self.ladder) else "first trials"

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """All budgets as stated."""
        if self.resolved is not None:
            return tuple(priced.budget for priced in self.resolved.budgets)
        return self.config.stated_budgets.stated

    def finalists(self, number: int) -> tuple[Measurement, ...]:
        """Return a trial's costs measured after the search; an empty tuple if there are none."""
        found = (self.study.attributes.get(FINALISTS) or {}).get(str(number)) or ()
        each = (found,) if isinstance(found, Mapping) else found  # version 0.1.0 had one such cost
        return tuple(map(Measurement.from_json, each))

    def finalists_before(self, number: int) -> tuple[tuple[str, tuple[Measurement, ...]], ...]:
        """Return a trial's earlier measurements, oldest first: the time of the next one, and all costs."""
        found = (self.study.attributes.get(FINALISTS_BEFORE) or {}).get(str(number)) or ()
        several = [(str(each["until"]), each["measurements"]) for each in found]
        listed = [(until, (all_,) if isinstance(all_, Mapping) else all_) for until, all_ in several]
        return tuple((until, tuple(map(Measurement.from_json, each))) for until, each in listed)

    def tested(self, number: int) -> tuple[Measurement, ...]:
        """Return all measurements of a trial on the test split, if it was not chosen by it; the quality first."""
        found = (self.study.attributes.get(TESTED_KEY) or {}).get(str(number)) or ()
        return tuple(map(Measurement.from_json, found))

    def finalist(self, number: int, cost: str) -> Measurement | None:
        """Return one cost of a trial measured after the search, or None."""
        return named(self.finalists(number), cost)

    def over_when_measured(self, number: int) -> str:
        """Return the excess of measured costs over their budgets, as text; empty if there is none, or it is unknown."""
        found = [self._over(measured) for measured in self.finalists(number) if measured.reason is None]
        return "; ".join(text for text in found if text)

    def _over(self, measured: Measurement) -> str:
        name = cost_name(measured)
        over = [
            f"{text} by {percent(measured.value / amount - 1)} %"
            for text, amount in self._budgets_in(name)
            if measured.value > amount
        ]
        shown = shown_cost(name, measured.unit).show(measured.value)
        return f"measured {shown}, over {' and '.join(over)}" if over else ""

    def _budgets_in(self, cost: str) -> list[tuple[str, float]]:
        """Return the budgets in a cost; for two generators, their sum."""
        if self.config.prune_network == BOTH_DIRECTIONS:
            whole = self.limit if self.cost == cost else None
            return [] if whole is None else [(f"{describe(whole, cost)} of both generators", whole)]
        return [(budget.text, budget.amount) for budget in self.budgets if budget.cost == cost]

    def behind_input(self, trial: TrialRecord) -> bool:
        """Return True if a trial's final quality is worse than that of the untouched inputs."""
        quality, inputs = quality_of(trial), self.inputs[0] if self.inputs else None
        if quality is None or inputs is None or trial.state != "COMPLETE" or quality.name != inputs.name:
            return False
        return quality.reason is None and inputs.reason is None and self._worse(quality, inputs)

    def _worse(self, one: Measurement, other: Measurement) -> bool:
        """Return True if one value of the quality is worse than another."""
        return self.config.sign * one.value > self.config.sign * other.value

    @property
    def doubts(self) -> list[str]:
        """Return doubts about the teacher: notes of its measurement, and inputs or plans that are better than it."""
        said = list(self.teacher_notes)
        if not self.teacher or (teacher := self.teacher[0]).reason is not None:
            return said
        named = [("the untouched input", self.inputs[0])] if self.inputs else []
        best = min(self.scored, key=lambda trial: point(trial)[0], default=None)
        if best is not None and (quality := quality_of(best)) is not None:
            named.append((f"trial {best.number}", quality))
        for name, other in named:
            if other.name == teacher.name and other.reason is None and self._worse(teacher, other):
                near = _overlap(other, teacher)
                said.append(
                    f"the teacher is worse than {name}: {teacher.name} {teacher.value:.4g} against {other.value:.4g}"
                    f"{', whose intervals overlap' if near else f'; {self._cure}'}"
                )
        return said

    @property
    def _cure(self) -> str:
        """Return advice for a teacher that is worse than it should be."""
        if self.config.teacher:
            return "check that weights, data, direction and --value-range are those that belong together"
        return f"--teacher-steps {self.config.teacher_steps:,} may be too few"

    @property
    def costs(self) -> tuple[str, ...]:
        """Names of the costs that the budgets are in, each once."""
        return tuple(dict.fromkeys(budget.cost for budget in self.budgets))

    def unit_of(self, cost: str) -> str:
        """Return the unit of a recorded cost; without the package of its row, the unit in its measurement."""
        if cost in COSTS.own:
            return shown_cost(cost).named_unit
        measured = (m.unit for trial in self.study.trials for m in measurements_of(trial) if cost_name(m) == cost)
        return shown_cost(cost, next(measured, "")).named_unit

    def share(self, cost: float | None) -> float | None:
        """Return a cost as a share of the dense generator's."""
        whole = self.dense.get(self.cost)
        return cost / whole if whole and cost is not None else None

    def hypervolume(self) -> Hypervolume | None:
        """Return the hypervolume of the front; None while no plan of the ladder is complete."""
        ladder = points(self.ladder)
        if not len(ladder):
            return None
        quality, dearest = ladder.max(axis=0)
        ideal = self._ideal()
        reference = (
            REFERENCE_POINT_FACTOR * (float(quality) - ideal),
            REFERENCE_POINT_FACTOR * (self.limit or float(dearest)),
        )
        whole = reference[0] * reference[1]
        if not whole > 0:
            return None
        moved = [np.maximum(points(trials) - (ideal, 0.0), 0.0) for trials in (self.scored, self.ladder)]
        front, alone = (pareto.hypervolume(each, reference) / whole for each in moved)
        return Hypervolume(self.value(reference[0] + ideal), reference[1], front, alone)

    def _ideal(self) -> float:
        """Return the quality at the start of the rectangle: 0, or the teacher's if 0 is not the metric's best value."""
        lowest = float(points(self.ladder)[:, 0].min())
        if not self.config.maximizes and lowest >= 0:
            return 0.0
        known = self.teacher and self.teacher[0].reason is None
        return min(lowest, self.config.sign * self.teacher[0].value) if known else lowest


def outcome_of(study: StudyRecord) -> Outcome:
    """Return the outcome of a study's record.

    Raises:
        UserError: The study has no configuration of ganprune, or its record is not one that ganprune wrote.
    """
    if CONFIG not in study.attributes:
        raise UserError(f"study {study.name!r} holds no configuration; was it made by another program?")
    with malformed_as(UserError, f"the record of study {study.name!r}"):
        return _outcome_of(study)


def _outcome_of(study: StudyRecord) -> Outcome:
    resolved = resolved_of(study)
    config = StudyConfig.from_json(study.attributes[CONFIG]) if resolved is None else resolved.config
    limit = study.attributes.get(COST_LIMIT)
    teacher = study.attributes.get(TEACHER) or {}
    return Outcome(
        study=study,
        config=config,
        cost=config.stated_budgets.cost if resolved is None else resolved.cost,
        limit=None if limit is None else float(limit),
        dense=_dense(study, resolved),
        teacher=tuple(Measurement.from_json(record) for record in teacher.get("measurements", ())),
        resolved=resolved,
        inputs=tuple(Measurement.from_json(record) for record in teacher.get("inputs", ())),
        teacher_notes=tuple(teacher.get("notes", ())),
        teacher_tested=tuple(Measurement.from_json(record) for record in teacher.get("tested", ())),
        inputs_tested=tuple(Measurement.from_json(record) for record in teacher.get("tested_inputs", ())),
    )


def recorded(resolved: ResolvedStudy) -> dict[str, Any]:
    """Return the attributes that define a study; the time limit belongs to a run, and is not one of them."""
    study = replace(resolved, config=replace(resolved.config, hours=None))
    return {CONFIG: study.config.to_json(), RESOLVED: to_json(study)}


def resolved_of(study: StudyRecord) -> ResolvedStudy | None:
    """Return the resolved study; None for one of version 0.1.0, or of a version with other fields."""
    stored: Any = study.attributes.get(RESOLVED)
    try:
        groups = {name: value for name, value in stored["groups"].items() if name != "form"}  # stored, and never read
        return from_json(ResolvedStudy, {**stored, "groups": groups})
    except (KeyError, TypeError, UserError):
        return None


def _dense(study: StudyRecord, resolved: ResolvedStudy | None) -> dict[str, float]:
    """Return the dense costs in a record, without a trace, so that a table needs no torch."""
    known = study.attributes.get(DENSE)
    if isinstance(known, Mapping):
        return {str(name): float(value) for name, value in known.items()}
    return {} if resolved is None else dict(resolved.dense)


def point(trial: TrialRecord) -> tuple[float, float]:
    """Return (quality, cost) of a scored trial.

    Raises:
        ValueError: It has no quality or cost.
    """
    if trial.quality is None or trial.cost is None:
        raise UserError(f"trial {trial.number} is {trial.state} and has no quality and cost")
    return trial.quality, trial.cost


def points(trials: Sequence[TrialRecord]) -> np.ndarray:
    """Return (quality, cost) of scored trials, [N, 2]."""
    return np.array([point(trial) for trial in trials], dtype=float).reshape(-1, 2)


def measurements_of(trial: TrialRecord) -> tuple[Measurement, ...]:
    """Return all measurements of a trial."""
    return trial.outcome.measurements if trial.outcome is not None else ()


def quality_of(trial: TrialRecord) -> Measurement | None:
    """Return the measurement of a trial's quality, with its interval; None if it was only measured at rungs."""
    first = next(iter(measurements_of(trial)), None)
    return first if first is not None and is_quality(first) else None


def is_quality(measurement: Measurement) -> bool:
    """Return True if the first measurement of a trial is its quality; for a stopped trial it is a cost."""
    return cost_name(measurement) not in COSTS and measurement.unit not in {row.unit for row in COSTS.own.values()}


def _overlap(one: Measurement, other: Measurement) -> bool:
    """Return True if two intervals overlap; False if one is missing."""
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.low <= other.high and other.low <= one.high


def named(measurements: Sequence[Measurement], name: str) -> Measurement | None:
    """Return the measurement of this name (before the bracket), or None."""
    return next((m for m in measurements if cost_name(m) == name), None)


def cost_name(measurement: Measurement) -> str:
    """Return the name of the measured cost, without the details in brackets."""
    return measurement.name.partition("[")[0]
