"""Costs that are measured after a search, with nothing else running: of its front, or again of any of its trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..evaluators.measurement import Measurement
from ..gan_models.costs.catalog import cost_of
from ..gan_models.files.errors import UserError
from ..gan_models.files.plain_values import to_json
from ..search.execution.executor import Executor
from ..search.records.messages import Artifact
from ..search.records.prepared_artifact import Prepared
from ..search.resolved_study import ResolvedStudy
from ..search.trial.finalists import MEASURE, FinalistsRequest
from .database.reader import StudyRecord
from .database.store import Store
from .results.outcome import FINALISTS, FINALISTS_BEFORE, Outcome, cost_name, outcome_of


@dataclass(frozen=True)
class Way:
    """The way in which finalists are measured.

    Attributes:
        command: Template of the command that reaches a remote device; empty: this machine.
        allow_busy: Measure although the machine is busy; the numbers are marked.
    """

    command: str = ""
    allow_busy: bool = False


@dataclass(frozen=True)
class Remeasured:
    """A trial's costs, measured again.

    Attributes:
        trial: Its number.
        before: The last measurements; empty if there are none.
        now: The new ones; absent with the reason if one could not be measured.
    """

    trial: int
    before: tuple[Measurement, ...]
    now: tuple[Measurement, ...]

    def lines(self) -> list[str]:
        """Return both numbers of each cost, a line each."""
        known = {cost_name(each): each for each in self.before if each.reason is None}
        return [f"trial {self.trial}: {_said(each, known.get(cost_name(each)))}" for each in self.now]


def measure_front(store: Store, study: ResolvedStudy, prepared: Prepared, executor: Executor, way: Way = Way()) -> None:
    """Measure every trial of the front whose costs are not all measured yet, and keep that with the study.

    Args:
        store: The study's record, opened to be written.
        study: The study, resolved.
        prepared: What is prepared of it, the profiles of its costs among it.
        executor: Runs the measurement while nothing of the search runs.
        way: How they are measured.
    """
    outcome = outcome_of(StudyRecord(store.study, store.attributes, tuple(store.records())))
    wanted = {each.budget.cost for each in study.budgets if cost_of(each.budget.cost).measured_after_search}
    artifacts = {
        number: artifact
        for number, artifact in _artifacts(outcome, [trial.number for trial in outcome.front]).items()
        if wanted - {cost_name(m) for m in outcome.finalists(number) if m.reason is None}
    }
    if artifacts:
        _keep(store, _measure(store, study, prepared, executor, artifacts, way))


def measure_again(
    store: Store,
    study: ResolvedStudy,
    prepared: Prepared,
    executor: Executor,
    numbers: Sequence[int],
    way: Way = Way(),
) -> tuple[Remeasured, ...]:
    """Measure trials again; the study keeps the new numbers in addition to all earlier ones.

    Args:
        store: The study's record, opened to be written.
        study: The study, resolved.
        prepared: What is prepared of it, the profiles of its costs among it.
        executor: Runs the measurement.
        numbers: Trials; none: the front.
        way: How they are measured.

    Raises:
        UserError: No such trial, one without a generator, or no cost of the study is measured after a search.
    """
    outcome = outcome_of(StudyRecord(store.study, store.attributes, tuple(store.records())))
    if not study.measures_finalists:
        texts = ", ".join(each.budget.text for each in study.budgets)
        raise UserError(
            f"nothing of study {store.study} is measured on a device: got a budget of {texts}; expected one in ms. Try "
            "a search with --budget 20ms"
        )
    wanted = list(numbers) or [trial.number for trial in outcome.front]
    artifacts = _artifacts(outcome, wanted)
    missing = [number for number in wanted if number not in artifacts]
    if missing or not wanted:
        can = ", ".join(map(str, _artifacts(outcome, [trial.number for trial in outcome.scored]))) or "none yet"
        got = f"trial {missing[0]}, which has no generator" if missing else "a study without a front"
        raise UserError(f"there is nothing to measure: got {got}; expected one of {can}")
    found = _measure(store, study, prepared, executor, artifacts, way)
    before = {number: outcome.finalists(number) for number in artifacts}
    _keep(store, found)
    return tuple(
        Remeasured(number, before[number], tuple(Measurement.from_json(each) for each in found[str(number)]))
        for number in artifacts
        if found.get(str(number))
    )


def _artifacts(outcome: Outcome, numbers: Sequence[int]) -> dict[int, Artifact]:
    """Return the generators of those trials that have one."""
    found = {}
    for trial in outcome.study.trials:
        artifact = trial.outcome.artifact if trial.number in numbers and trial.outcome is not None else None
        if artifact is not None and artifact.plan:
            found[trial.number] = artifact
    return {number: found[number] for number in dict.fromkeys(numbers) if number in found}


def _measure(
    store: Store,
    study: ResolvedStudy,
    prepared: Prepared,
    executor: Executor,
    artifacts: Mapping[int, Artifact],
    way: Way,
) -> dict[str, Any]:
    request = FinalistsRequest(study, str(store.folder.path), artifacts, way.command, prepared, way.allow_busy)
    return executor.alone(MEASURE, to_json(request))


def _keep(store: Store, found: Mapping[str, Any]) -> None:
    """Record new measurements; what stood there moves to the earlier ones, or stays if nothing new was measured."""
    known = dict(store.attributes.get(FINALISTS) or {})
    earlier = dict(store.attributes.get(FINALISTS_BEFORE) or {})
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for number, measured in found.items():
        old = known.get(number)
        failed = bool(measured) and all(each.get("reason") for each in measured)
        had = bool(old) and not all(each.get("reason") for each in ([old] if isinstance(old, Mapping) else old))
        if failed and had:
            earlier[number] = [*earlier.get(number, []), {"until": now, "measurements": measured}]
            continue
        if old:
            earlier[number] = [*earlier.get(number, []), {"until": now, "measurements": old}]
        known[number] = measured
    store.set_attribute(FINALISTS_BEFORE, earlier)
    store.set_attribute(FINALISTS, known)


def _said(now: Measurement, before: Measurement | None) -> str:
    new = f"not measured: {now.reason}" if now.reason is not None else f"{now.value:.4g} {now.unit}"
    old = "not measured before" if before is None else f"before {before.value:.4g} {before.unit}"
    change = ""
    if before is not None and now.reason is None and before.value > 0:
        change = f" ({100 * (now.value / before.value - 1):+.1f} %)"
    note = f"; {now.note}" if now.note else ""
    return f"{new}, {old}{change}{note}"
