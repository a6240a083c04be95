"""The protocol between engine and executors, and the executor in this process."""

import enum
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from ..records.messages import TrialOutcome, TrialReport, TrialRequest
from .signals import Alarm, HandedBack
from .worker import limit_threads, load_function, load_run, perform


class Asked(enum.Enum):
    """The engine's answer if there is no trial to run."""

    WAIT = "nothing to run until a running trial ends"
    DONE = "nothing more to run"


class Trials(Protocol):
    """The engine's side: the source of trials, and the sink of their results."""

    @property
    def slots(self) -> int | None:
        """Number of trials that may run at once; None: the executor decides."""
        ...

    def set_slots(self, slots: int) -> None:
        """Set the executor's own number of slots, if the user set none."""
        ...

    def ask(self) -> TrialRequest | Asked:
        """Return the next trial."""
        ...

    def started(self, number: int) -> None:
        """Record that a trial's training starts."""
        ...

    def report(self, number: int, report: TrialReport) -> bool:
        """Record a rung; return False if the trial has to stop (it is PRUNED)."""
        ...

    def finished(self, number: int, result: TrialOutcome) -> None:
        """Record a trial that ended by itself."""
        ...

    def stopped(self, number: int) -> None:
        """Record a trial that was stopped after `report` returned False, without its own result."""
        ...

    def lost(self, number: int, reason: str) -> None:
        """Record a trial whose process died or could not start: it is run again, unless that happened too often."""
        ...

    def out_of_time(self) -> bool:
        """Return True if running trials are to be returned now."""
        ...


class Executor(Protocol):
    """An executor that runs trials until the engine is done."""

    def drive(self, trials: Trials, run: str) -> None:
        """Run trials with `run`, the `package.module:function` of a `Run`, until `ask` returns DONE."""
        ...

    def ready(self) -> AbstractContextManager[None]:
        """Keep the resources of `drive` and `alone` available inside the context."""
        ...

    def alone(self, function: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Run `package.module:function` on JSON while no trial runs; return its JSON."""
        ...


class InProcessExecutor:
    """An executor that runs trials one after another in this process: for tests, tiny runs, machines without Ray.

    Args:
        threads: Number of compute threads; None: unchanged.
    """

    def __init__(self, threads: int | None = None):
        self.threads = threads

    def drive(self, trials: Trials, run: str) -> None:
        """Run trials until there are no more. KeyboardInterrupt and a full disk are not caught.

        Raises:
            OutOfDisk: The disk is full; the trial can be run again.
        """
        if trials.slots is None:
            trials.set_slots(1)
        load_run(run)  # a wrong name is a user error, not a failed trial
        if self.threads is not None:
            limit_threads(self.threads)
        alarm = Alarm(trials.out_of_time, HandedBack)
        while isinstance(asked := trials.ask(), TrialRequest):
            number = asked.number
            trials.started(number)

            def report(told: TrialReport, number: int = number) -> bool:
                with alarm.silent():  # no interruption during a write to the record
                    goes_on = trials.report(number, told)
                if goes_on and trials.out_of_time():
                    raise HandedBack
                return goes_on

            try:
                with alarm:
                    result = perform(run, asked, report)
            except HandedBack:
                return
            trials.finished(number, result)
        if asked is Asked.WAIT:
            raise RuntimeError("the engine waits for a trial that is not running; this is a bug in ganprune")

    def ready(self) -> AbstractContextManager[None]:
        """Return an empty context, because nothing is needed."""
        return nullcontext()

    def alone(self, function: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Run a function on JSON directly: between trials, no trial runs."""
        return dict(load_function(function)(given))
