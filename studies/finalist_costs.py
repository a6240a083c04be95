"""The last step of a search: the front's costs that are measured once more, with nothing beside them."""

from __future__ import annotations

from ..gan_models.costs.catalog import cost_of
from ..gan_models.files.plain_values import to_json
from ..search.execution.executor import Executor
from ..search.records.prepared_artifact import Prepared
from ..search.resolved_study import ResolvedStudy
from ..search.trial.finalists import MEASURE, FinalistsRequest
from .database.reader import StudyRecord
from .database.store import Store
from .results.outcome import FINALISTS, cost_name, outcome_of


def measure_front(
    store: Store, study: ResolvedStudy, prepared: Prepared, executor: Executor, command: str = ""
) -> None:
    """Measure every trial of the front whose costs are not all measured yet, and keep that with the study.

    Args:
        store: The study's record, opened to be written.
        study: The study, resolved.
        prepared: What is prepared of it, the profiles of its costs among it.
        executor: Runs the measurement with nothing of the search beside it.
        command: Template of the command that reaches a remote device.
    """
    attributes = store.attributes
    known = dict(attributes.get(FINALISTS) or {})
    outcome = outcome_of(StudyRecord(store.study, attributes, tuple(store.records())))
    wanted = {each.budget.cost for each in study.budgets if cost_of(each.budget.cost).measured_after_search}
    artifacts = {
        trial.number: artifact
        for trial in outcome.front
        if wanted - {cost_name(m) for m in outcome.finalists(trial.number) if m.reason is None}
        if (artifact := trial.ended().artifact) is not None and artifact.plan
    }
    if artifacts:
        request = FinalistsRequest(study, str(store.folder.path), artifacts, command, prepared)
        found = executor.alone(MEASURE, to_json(request))
        store.set_attribute(FINALISTS, known | found)
