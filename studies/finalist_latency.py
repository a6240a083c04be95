"""The last step of a search under a budget in ms: the front's latencies, measured alone on the machine."""

from __future__ import annotations

from ..gan_models.files.plain_values import to_json
from ..search.execution.executor import Executor
from ..search.resolved_study import ResolvedStudy
from ..search.trial.finalists import MEASURE, FinalistsRequest
from .database.reader import StudyRecord
from .database.store import Store
from .results.outcome import FINALISTS, outcome_of


def measure_front(store: Store, study: ResolvedStudy, executor: Executor, command: str = "") -> None:
    """Measures every trial of the front that has no measured latency yet, and keeps that with the study.

    Args:
        store: The study's record, opened to be written.
        study: The study, resolved; it names the latency profile.
        executor: Runs the measurement with nothing of the search beside it.
        command: Template of the command that reaches a remote device.
    """
    attributes = store.attributes
    known = dict(attributes.get(FINALISTS) or {})
    front = outcome_of(StudyRecord(store.study, attributes, tuple(store.records()))).front
    done = {number for number, measured in known.items() if measured.get("reason") is None}
    artifacts = {
        trial.number: artifact
        for trial in front
        if str(trial.number) not in done
        if (artifact := trial.ended().artifact) is not None and artifact.plan
    }
    if artifacts:
        request = FinalistsRequest(study, str(store.folder.path), artifacts, command)
        found = executor.alone(MEASURE, to_json(request))
        store.set_attribute(FINALISTS, known | found)
