"""Signals and alarms that end a search from outside."""

import contextlib
import os
import signal
import threading
import time

import pytest
from ganprune.search.execution.signals import Alarm, HandedBack, same_sigterm, terminated_like_ctrl_c


def wait(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


def test_a_block_ends_when_its_time_is_over_without_a_report():
    """Python code that reports nothing is left within a second of the limit, which no `except Exception` stops."""
    began = time.monotonic()

    def trial() -> None:
        with Alarm(lambda: time.monotonic() > began + 0.1, HandedBack), contextlib.suppress(Exception):
            wait(10)

    with pytest.raises(HandedBack):
        trial()
    assert time.monotonic() - began < 5


def test_nothing_is_raised_in_a_silent_block_nor_after_the_end():
    """The alarm waits until the silence is over, so that a write is complete."""
    reached = []

    def trial() -> None:
        with Alarm(lambda: True, HandedBack) as alarm:
            with alarm.silent():
                wait(0.6)
                reached.append("written")
            wait(10)

    with pytest.raises(HandedBack):
        trial()
    wait(0.6)
    assert reached == ["written"]
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_alarm_that_is_not_due_leaves_no_trace():
    """The block runs to its end, and the handler of before is back."""
    before = signal.getsignal(signal.SIGALRM)
    with Alarm(lambda: False, HandedBack):
        wait(0.6)
    assert signal.getsignal(signal.SIGALRM) == before


def test_sigterm_is_ctrl_c_in_the_block_alone():
    """It raises KeyboardInterrupt inside; afterwards the handler of before is back."""
    before = signal.getsignal(signal.SIGTERM)

    def search() -> None:
        with terminated_like_ctrl_c():
            os.kill(os.getpid(), signal.SIGTERM)
            wait(10)

    with pytest.raises(KeyboardInterrupt):
        search()
    assert signal.getsignal(signal.SIGTERM) == before


def test_another_programs_handler_is_taken_away_again():
    """Whatever a block sets for SIGTERM is gone after it, even if it fails."""
    before = signal.getsignal(signal.SIGTERM)

    def other_program() -> None:
        with same_sigterm():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        other_program()
    assert signal.getsignal(signal.SIGTERM) == before


def test_outside_the_main_thread_both_do_nothing():
    """A thread cannot set handlers: the block runs as if there was none."""
    done = []

    def work() -> None:
        with Alarm(lambda: True, HandedBack), terminated_like_ctrl_c():
            wait(0.4)
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
