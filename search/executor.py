"""Who runs the trials: the protocol that the engine offers to executors, and the executor in this process."""

import enum
import importlib
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from .artifacts import write_result
from .request import TrialReport, TrialRequest, TrialResult, failure

Run = Callable[[TrialRequest, Callable[[TrialReport], bool]], TrialResult]


class Asked(enum.Enum):
    """What the engine answers when it has no trial to give."""

    WAIT = "nothing to run until a running trial ends"
    DONE = "nothing more to run"


class HandedBack(BaseException):
    """Raised out of a trial's `report` when the search ends while the trial runs: the trial goes back, unfinished.

    Not an `Exception`, so that a trial's own error handling does not take it for a failure.
    """


class Trials(Protocol):
    """The engine's side: where an executor gets trials and tells what became of them."""

    @property
    def slots(self) -> int | None:
        """How many trials may run at once; None leaves it to the executor."""
        ...

    def set_slots(self, slots: int) -> None:
        """The executor's own number of places, where the user set none."""
        ...

    def ask(self) -> TrialRequest | Asked:
        """The next trial."""
        ...

    def started(self, number: int) -> None:
        """Its training starts now."""
        ...

    def report(self, number: int, report: TrialReport) -> bool:
        """A rung was reached; False asks the trial to stop (it is PRUNED)."""
        ...

    def finished(self, number: int, result: TrialResult) -> None:
        """It ended by itself."""
        ...

    def stopped(self, number: int) -> None:
        """It was ended after `report` said so, without a result of its own."""
        ...

    def lost(self, number: int, reason: str) -> None:
        """Its process died, or could not start: it is run again, unless that happened too often."""
        ...

    def out_of_time(self) -> bool:
        """Whether running trials are to be handed back now."""
        ...


class Executor(Protocol):
    """Runs trials until the engine says that it is done."""

    def drive(self, trials: Trials, run: str) -> None:
        """Run trials with `run`, the `package.module:function` of a `Run`. Returns when `ask` says DONE."""
        ...


def load_run(run: str) -> Run:
    """The callable that `package.module:function` names.

    Raises:
        ValueError: the text has another form, or there is no such module or function.
    """
    module_name, separator, attribute = run.partition(":")
    if not (module_name and separator and attribute):
        raise ValueError(f"a run function is named package.module:function; got {run!r}")
    try:
        function = getattr(importlib.import_module(module_name), attribute)
    except (ModuleNotFoundError, AttributeError) as error:
        raise ValueError(f"cannot load the run function {run!r}: {error}") from None
    return function


def limit_threads(threads: int) -> None:
    """Let this process compute with `threads` threads.

    More threads than CPUs make small trainings several times slower: OpenMP's barriers wait for a core.
    """
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    torch = sys.modules.get("torch")
    if torch is not None:  # else torch reads OMP_NUM_THREADS when the trial imports it
        torch.set_num_threads(threads)


def stop_reason(step: int) -> str:
    """Why a trial was stopped at a rung."""
    return f"stopped early at step {step}: its rivals there were better"


def perform(run: str, request: TrialRequest, report: Callable[[TrialReport], bool]) -> TrialResult:
    """Run one trial; its result is on disk (`<workspace>/result.json`) before it is returned.

    An exception becomes a FAIL result with the traceback's end. That one is not kept on disk: after a crash of
    the driver a failed trial may as well be tried again.
    """
    stopped_at: list[int] = []

    def listen(told: TrialReport) -> bool:
        goes_on = report(told)
        if not goes_on:
            stopped_at.append(told.step)
        return goes_on

    try:
        function = load_run(run)
        result = function(request, listen)
        if not isinstance(result, TrialResult):
            raise TypeError(f"{run} must return a TrialResult; got {type(result).__name__}")
    except Exception as error:
        reason = "".join(traceback.format_exception_only(error)).strip()
        return failure(reason, traceback.format_exc())
    if result.state == "PRUNED" and stopped_at:
        result = replace(result, stopped=stop_reason(stopped_at[0]))
    write_result(request, result)
    return result


class InProcessExecutor:
    """Runs trials one after another in this process: tests, tiny runs, machines without Ray.

    Args:
        threads: Threads to compute with; None leaves them as they are.
    """

    def __init__(self, threads: int | None = None):
        self.threads = threads

    def drive(self, trials: Trials, run: str) -> None:
        """Run trials until there are no more. A KeyboardInterrupt passes through."""
        if trials.slots is None:
            trials.set_slots(1)
        load_run(run)  # a wrong name is the user's error, not a failed trial
        if self.threads is not None:
            limit_threads(self.threads)
        while isinstance(asked := trials.ask(), TrialRequest):
            number = asked.number
            trials.started(number)

            def report(told: TrialReport, number: int = number) -> bool:
                goes_on = trials.report(number, told)
                if goes_on and trials.out_of_time():
                    raise HandedBack
                return goes_on

            try:
                result = perform(run, asked, report)
            except HandedBack:
                return
            trials.finished(number, result)
        if asked is Asked.WAIT:
            raise RuntimeError("the engine waits for a trial that nobody runs; this is a fault in ganprune")
