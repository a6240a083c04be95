"""What happened in a search, told as it happens: for a live display, a log, a test."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .ledger import State

EndReason = Literal["trials", "deadline", "failures", "quota", "interrupted", "error"]


@dataclass(frozen=True)
class Noted:
    """Something that a user should be told once, such as of the teacher."""

    note: str


@dataclass(frozen=True)
class SearchStarted:
    """The search begins: the study's total of trials, and how many of them are finished (not failed) already."""

    total: int
    finished: int


@dataclass(frozen=True)
class TrialStarted:
    """A trial's training begins."""

    number: int
    method: str
    target: float
    attempt: int


@dataclass(frozen=True)
class TrialReported:
    """A running trial reached a rung."""

    number: int
    step: int
    quality: float
    cost: float
    goes_on: bool


@dataclass(frozen=True)
class TrialFinished:
    """A trial ended; `reason` says why where it was stopped or failed."""

    number: int
    method: str
    state: State
    quality: float | None
    cost: float | None
    feasible: bool
    reason: str | None


@dataclass(frozen=True)
class TrialPutBack:
    """A trial will be run again, in place, because its process died (or the search ends)."""

    number: int
    reason: str


@dataclass(frozen=True)
class SearchEnded:
    """The search ended; what the study holds now."""

    reason: EndReason
    complete: int
    pruned: int
    failed: int
    waiting: int


Event = Noted | SearchStarted | TrialStarted | TrialReported | TrialFinished | TrialPutBack | SearchEnded
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """A listener that does nothing."""
