"""What ends a search from outside: a time limit that does not wait for a report, and SIGTERM, taken as Ctrl-C."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Self

LOOK_EVERY_S = 0.25


class HandedBack(BaseException):
    """Raised out of a trial when the search ends while it runs: the trial goes back, unfinished.

    Not an `Exception`, so that a trial's own error handling does not take it for a failure.
    """


class Alarm:
    """Raises `error` in the block once `due()` holds, wherever the block is; in the main thread of a Unix system.

    Elsewhere it does nothing, and the time is looked at when a trial reports.

    Args:
        due: Looked at four times a second.
        error: What is raised, once.
    """

    def __init__(self, due: Callable[[], bool], error: type[BaseException]):
        self.due, self.error = due, error
        self._armed = False
        self._before: object = None

    def __enter__(self) -> Self:
        if hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGALRM, self._ring)
            self._armed = True
            signal.setitimer(signal.ITIMER_REAL, LOOK_EVERY_S, LOOK_EVERY_S)
        return self

    def __exit__(self, *exception: object) -> None:
        self._armed = False
        if self._before is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)  # pyright: ignore[reportArgumentType]
            self._before = None

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Nothing is raised in this block."""
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
    """SIGTERM raises KeyboardInterrupt in this block (in the main thread; elsewhere it stays as it is)."""
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
    """Whatever the block does to SIGTERM's handler is undone: Ray sets one of its own, which ends the process."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread() and before is not None:
            signal.signal(signal.SIGTERM, before)
