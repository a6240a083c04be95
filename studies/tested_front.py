"""The last step of a search that does not choose by the test split: its front, measured there once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..evaluators.measurement import Measurement
from ..gan_models.files.plain_values import to_json
from ..search.execution.executor import Executor
from ..search.records.prepared_artifact import Prepared
from ..search.resolved_study import ResolvedStudy
from ..search.trial.tested import MEASURE, TestedRequest
from .database.reader import StudyRecord
from .database.store import Store
from .results.outcome import TESTED_KEY, outcome_of


def measure_on_test(
    store: Store,
    study: ResolvedStudy,
    prepared: Prepared,
    executor: Executor,
    threads: int,
    left_hours: Callable[[], float | None] = lambda: None,
) -> tuple[int, ...]:
    """Measure each trial of the front on the test split, unless it was; each is recorded before the next begins.

    Args:
        store: The study's record, opened to be written; its files are available.
        study: The study, resolved.
        prepared: What is prepared of it.
        executor: Runs the measurement while no trial runs.
        threads: Threads of a trial.
        left_hours: Returns the remaining hours; None without a limit. No measurement begins when none remain.

    Returns:
        Numbers of the front's trials that were not measured for lack of time.
    """
    untested = []
    outcome = outcome_of(StudyRecord(store.study, store.attributes, tuple(store.records())))
    known = dict(store.attributes.get(TESTED_KEY) or {})
    for trial in outcome.front:
        artifact = trial.ended().artifact
        before: list[Measurement] = list(outcome.tested(trial.number))
        if artifact is None or not artifact.plan or (before and before[0].reason is None):
            continue
        if (left := left_hours()) is not None and left <= 0:
            untested.append(trial.number)
            continue
        request = TestedRequest(study, str(store.folder.path), artifact, outcome.metric, prepared, threads)
        known[str(trial.number)] = executor.alone(MEASURE, to_json(request))["measurements"]
        store.set_attribute(TESTED_KEY, known)
    return tuple(untested)


def record_tested(store: Store, number: int, measured: Sequence[Measurement]) -> None:
    """Record one trial's measurements on the test split, in addition to those of others."""
    known = dict(store.attributes.get(TESTED_KEY) or {})
    store.set_attribute(TESTED_KEY, {**known, str(number): [each.to_json() for each in measured]})
