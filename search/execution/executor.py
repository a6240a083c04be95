"""Who runs the trials: the protocol that the engine offers to executors, and the executor in this process."""

import enum
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from ..records.messages import TrialOutcome, TrialReport, TrialRequest
from .signals import Alarm, HandedBack
from .worker import limit_threads, load_function, load_run, perform


class Asked(enum.Enum):
    """What the engine answers when it has no trial to give."""

    WAIT = "nothing to run until a running trial ends"
    DONE = "nothing more to run"


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

    def finished(self, number: int, result: TrialOutcome) -> None:
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

    def ready(self) -> AbstractContextManager[None]:
        """Keeps what `drive` and `alone` need up between them."""
        ...

    def alone(self, function: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Run `package.module:function` on JSON with nothing of the search beside it; returns its JSON."""
        ...


class InProcessExecutor:
    """Runs trials one after another in this process: tests, tiny runs, machines without Ray.

    Args:
        threads: Threads to compute with; None leaves them as they are.
    """

    def __init__(self, threads: int | None = None):
        self.threads = threads

    def drive(self, trials: Trials, run: str) -> None:
        """Run trials until there are no more. A KeyboardInterrupt passes through, and a full disk.

        Raises:
            OutOfDisk: A trial could not write; it is not at fault and can be run again.
        """
        if trials.slots is None:
            trials.set_slots(1)
        load_run(run)  # a wrong name is the user's error, not a failed trial
        if self.threads is not None:
            limit_threads(self.threads)
        alarm = Alarm(trials.out_of_time, HandedBack)
        while isinstance(asked := trials.ask(), TrialRequest):
            number = asked.number
            trials.started(number)

            def report(told: TrialReport, number: int = number) -> bool:
                with alarm.silent():  # a write to the record is not to be torn
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
            raise RuntimeError("the engine waits for a trial that nobody runs; this is a fault in ganprune")

    def ready(self) -> AbstractContextManager[None]:
        """Nothing is needed."""
        return nullcontext()

    def alone(self, function: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Run a function on JSON here and now: no trial runs between trials."""
        return dict(load_function(function)(given))
