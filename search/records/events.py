"""Events of a search, reported as they happen: for a live display, a log, a test."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .ledger import State

EndReason = Literal["trials", "deadline", "failures", "quota", "interrupted", "error"]


@dataclass(frozen=True)
class Noted:
    """A note for the user, given once, such as one on the teacher."""

    note: str


@dataclass(frozen=True)
class SearchStarted:
    """The start of a search: the study's total number of trials, and the number already finished without failure."""

    total: int
    finished: int


@dataclass(frozen=True)
class TrialStarted:
    """The start of a trial's training."""

    number: int
    method: str
    target: float
    attempt: int


@dataclass(frozen=True)
class TrialReported:
    """A running trial's report at a rung."""

    number: int
    step: int
    quality: float
    cost: float
    goes_on: bool


@dataclass(frozen=True)
class TrialFinished:
    """The end of a trial; `reason` is given if it was stopped or failed."""

    number: int
    method: str
    state: State
    quality: float | None
    cost: float | None
    feasible: bool
    reason: str | None


@dataclass(frozen=True)
class TrialPutBack:
    """The return of a trial, which will run again because its process died (or the search ends)."""

    number: int
    reason: str


@dataclass(frozen=True)
class SearchEnded:
    """The end of a search, with the study's present counts."""

    reason: EndReason
    complete: int
    pruned: int
    failed: int
    waiting: int


Event = Noted | SearchStarted | TrialStarted | TrialReported | TrialFinished | TrialPutBack | SearchEnded
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Ignore an event."""
