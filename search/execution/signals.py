"""Interruptions of a search: a time limit that does not wait for a report, and SIGTERM handled like Ctrl-C."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Self

POLL_INTERVAL_S = 0.25


class HandedBack(BaseException):
    """An interruption of a trial when the search ends: the trial is returned, unfinished.

    It is not an `Exception`, so that a trial's own error handling does not treat it as a failure.
    """


class Alarm:
    """A context that raises `error` inside it once `due()` is true, at any point; in the main thread of a Unix system.

    Elsewhere it does nothing, and the time is checked when a trial reports.

    Args:
        due: Function that is checked four times per second.
        error: The exception, raised once.
    """

    def __init__(self, due: Callable[[], bool], error: type[BaseException]):
        self.due, self.error = due, error
        self._armed = False
        self._before: object = None

    def __enter__(self) -> Self:
        if hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGALRM, self._ring)
            self._armed = True
            signal.setitimer(signal.ITIMER_REAL, POLL_INTERVAL_S, POLL_INTERVAL_S)
        return self

    def __exit__(self, *exception: object) -> None:
        self._armed = False
        if self._before is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)  # pyright: ignore[reportArgumentType]
            self._before = None

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Suspend the alarm inside the context."""
        armed, self._armed = self._armed, False
        try:
            yield
        finally:
            self._armed = armed

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if self._armed and self.due():
            self._armed = False
            raise self.error


@contextlib.contextmanager
def terminated_like_ctrl_c() -> Iterator[None]:
    """Make SIGTERM raise KeyboardInterrupt inside the context (in the main thread; elsewhere it is unchanged)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)


@contextlib.contextmanager
def same_sigterm() -> Iterator[None]:
    """Restore SIGTERM's handler after the context: Ray sets its own, which ends the process."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread() and before is not None:
            signal.signal(signal.SIGTERM, before)
