"""The engine's adapters to Ray Tune: a Searcher, a TrialScheduler and a Callback.

Ray's own state is disposable: it contains nothing of the search, so nothing is saved or restored.
"""

import json
import time
from typing import Any

import ray
from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from ...gan_models.files.plain_values import from_json, to_json
from ..records.messages import TrialOutcome, TrialReport, TrialRequest
from .executor import Asked, Trials
from .worker import OutOfDisk

REQUEST, REPORT, RESULT, STOP_REQUEST = (
    "request",
    "report",
    "result",
    "halt",
)  # JSON texts, because Ray flattens and copies anything else

POLL_INTERVAL_S = 5.0


class Stopped(BaseException):
    """An interruption of the driver's loop for lack of time or disk; not an `Exception`, which Ray would handle."""


class LedgerSearcher(Searcher):
    """A Searcher that passes the engine's trials to Ray, and their results back to the engine.

    Args:
        trials: The engine.
    """

    def __init__(self, trials: Trials):
        super().__init__()
        self.trials = trials
        self.numbers: dict[str, int] = {}  # Ray's trial id -> the study's trial number
        self.begun: set[str] = set()
        self.halted: RuntimeError | None = None  # reason that the search cannot continue

    def suggest(self, trial_id: str) -> Any:
        """Return a trial's request for Ray to run; None for "later", FINISHED if there are no more."""
        asked = self.trials.ask()
        if not isinstance(asked, TrialRequest):
            return Searcher.FINISHED if asked is Asked.DONE else None
        self.numbers[trial_id] = asked.number
        return {REQUEST: json.dumps(to_json(asked))}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Do nothing: the scheduler, which decides, has informed the engine."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Record a trial that ended by itself, was stopped at a rung, or whose process died."""
        if error or result is None:
            when = "while it ran" if trial_id in self.begun else "before it began"
            self.lost(trial_id, f"the worker's process died {when} (out of memory, killed, or its machine gone)")
        elif STOP_REQUEST in result:
            self.halted = OutOfDisk(result[STOP_REQUEST])  # the trial stays RUNNING, and is handed back with the others
        elif RESULT in result:
            result_text = result[RESULT]
            self.trials.finished(self._ended(trial_id), from_json(TrialOutcome, json.loads(result_text)))
        else:
            self.trials.stopped(self._ended(trial_id))

    def lost(self, trial_id: str, reason: str) -> None:
        """Record a trial that will not report again."""
        self.trials.lost(self._ended(trial_id), reason)

    def _ended(self, trial_id: str) -> int:
        self.begun.discard(trial_id)
        return self.numbers.pop(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Write an empty file, because Ray requires one; there is no state to save."""
        with open(checkpoint_path, "w", encoding="utf-8") as file:
            file.write("{}")

    def restore(self, checkpoint_path: str) -> None:
        """Raise an error, because Ray's files have no state to restore."""
        raise RuntimeError("a search cannot be resumed from Ray's files; resume it from its database")

    def __getstate__(self) -> dict[str, Any]:
        return {}  # the engine refers to the database and its password


class RungScheduler(FIFOScheduler):
    """A TrialScheduler that passes every report to the engine and stops the trials that it rejects.

    Args:
        searcher: The Searcher, which maps Ray's trials to the study's.
    """

    def __init__(self, searcher: LedgerSearcher):
        super().__init__()
        self.searcher = searcher

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Return STOP if the engine rejects the trial, else CONTINUE."""
        number = self.searcher.numbers.get(trial.trial_id)
        if number is None or REPORT not in result:
            return TrialScheduler.CONTINUE
        report = from_json(TrialReport, json.loads(result[REPORT]))
        goes_on = self.searcher.trials.report(number, report)
        return TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP

    def __getstate__(self) -> dict[str, Any]:
        return {}


class Lifecycle(Callback):
    """A Callback that counts attempts when training starts, and ends the loop at the time limit.

    Args:
        searcher: The Searcher, which maps Ray's trials to the study's.
    """

    def __init__(self, searcher: LedgerSearcher):
        self.searcher = searcher
        self.looked = 0.0

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Count an attempt: a worker starts a trial."""
        number = self.searcher.numbers.get(trial.trial_id)
        if number is not None and trial.trial_id not in self.searcher.begun:
            self.searcher.begun.add(trial.trial_id)
            self.searcher.trials.started(number)

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Check for lost trials and the time limit, every tenth of a second or more often."""
        if self.searcher.halted or self.searcher.trials.out_of_time():
            raise Stopped
        if time.monotonic() - self.looked > POLL_INTERVAL_S:
            self.looked = time.monotonic()
            if not any(node["Alive"] for node in ray.nodes()):  # otherwise Ray would wait for one forever
                self.searcher.halted = RuntimeError(
                    "no machine of the Ray cluster is left. Run `ganprune resume` to continue"
                )
                raise Stopped
            for trial in trials:
                # Ray drops a trial silently if its worker is not released by the previous one
                if trial.trial_id in self.searcher.numbers and trial.status in (Trial.ERROR, Trial.TERMINATED):
                    self.searcher.lost(trial.trial_id, "Ray dropped it")

    def __getstate__(self) -> dict[str, Any]:
        return {}
