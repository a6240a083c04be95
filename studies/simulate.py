"""A dry run: the whole search with nothing trained, in this process; the hours of the real one, its front's shape."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..gan_models.files.errors import UserError
from ..gan_models.files.plain_values import from_json, to_json
from ..gan_models.files.texts.number_text import percent
from ..search.engine.engine import Engine
from ..search.execution.executor import InProcessExecutor
from ..search.preparations.opened_study import OpenedStudy, open_study
from ..search.records.events import Listener, ignore
from ..search.records.teacher_artifact import TeacherArtifact
from ..search.resolved_study import ResolvedStudy
from ..search.simulation.simulated_trial import simulated_teacher
from ..search.simulation.step_times import StepTimes, time_steps
from .api import Search, Study
from .database.reader import StudyRecord
from .database.store import Store, make_way
from .results.outcome import SIMULATED, TEACHER
from .run_options import RunOptions, engine_settings

RUN = "ganprune.search.simulation.simulated_trial:run"


@dataclass(frozen=True)
class Estimate:
    """The time that the search would take, without measuring quality and starting up.

    Attributes:
        teacher_hours: Training of the teacher.
        trial_hours: All trials, one after the other.
        at_once: Trials that run at the same time here.
        times: Seconds per step.
    """

    teacher_hours: float
    trial_hours: float
    at_once: int
    times: StepTimes

    @property
    def hours(self) -> float:
        """From start to end."""
        return self.teacher_hours + self.trial_hours / self.at_once

    def line(self) -> str:
        """For people."""
        t = self.times
        return (
            f"estimate: {self.hours:.3g} h = teacher {self.teacher_hours:.3g} h + trials {self.trial_hours:.3g} h / "
            f"{self.at_once} at once (a step takes {t.dense:.3g} s at full width, {t.small:.3g} s at "
            f"{percent(t.share, 2)} % of the cost; measuring quality comes on top)"
        )


def simulate(
    search: Search,
    on_event: Listener = ignore,
    seconds_per_step: float | None = None,
    resolved: ResolvedStudy | None = None,
) -> Study:
    """Run a search without training; the study is marked as simulated and cannot be resumed or exported.

    Args:
        search: What would be searched.
        on_event: Told what happens.
        seconds_per_step: Of one training step at any width; None measures it in a few real steps.
        resolved: What `Search.resolve` gave; None resolves the study now.

    Raises:
        ValueError: As `Search.run`, or `seconds_per_step` is not above 0.
    """
    resolved = search.resolve() if resolved is None else resolved
    # Nothing is measured: the response surface simulates a distance, independent of the study's objective.
    config = replace(resolved.config, objective="", maximizes=False)
    opened, options = open_study(replace(resolved, config=config)), search.run_options
    if seconds_per_step is None:
        times = time_steps(opened, options.cpus_per_trial)
    else:
        times = StepTimes.constant(seconds_per_step)
    root = search.artifacts_root()

    def attributes() -> dict[str, Any]:
        return search.attributes(opened, root) | {SIMULATED: True}

    teacher = simulated_teacher(opened.config, times)
    make_way(search.storage, search.name, root)
    with Store.create(search.storage, search.name, root, attributes, options.max_attempts) as store:
        store.set_attribute(TEACHER, to_json(teacher))
        _engine(store, opened, options, teacher, on_event).run(InProcessExecutor(), RUN)
    return Study.open(search.name, search.storage, root)


def _engine(
    store: Store, study: OpenedStudy, options: RunOptions, teacher: TeacherArtifact, on_event: Listener
) -> Engine:
    settings = replace(engine_settings(study.config, options), slots=1)
    return Engine(store, study.proposals(), settings, store.folder, study.resolved, None, on_event, teacher.times)


def estimate(record: StudyRecord, options: RunOptions) -> Estimate:
    """Return the estimate that a simulated study gives of the real one on this machine.

    Raises:
        ValueError: The study is not simulated.
    """
    if not record.attributes.get(SIMULATED):
        raise UserError(f"study {record.name!r} is not simulated; its trials say how long they took")
    teacher = record.attributes[TEACHER]
    spent = sum(sum(trial.outcome.seconds.values()) for trial in record.trials if trial.outcome is not None)
    return Estimate(teacher["seconds"] / 3600, spent / 3600, options.at_once(), from_json(StepTimes, teacher["times"]))
