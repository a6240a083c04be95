"""The record that the engine writes to: a protocol, implemented over Optuna's tables in `studies/database/store.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from optuna.distributions import BaseDistribution

from ...gan_models.files.texts.number_text import percent
from ...gan_models.pruning.proposal import Proposal
from .messages import FINISHED_STATES, TrialOutcome, TrialReport
from .plan_score import PlanErrors

SET_ASIDE = "other real images"  # a constraint's name: the trial was measured against images that are no longer there
State = Literal["WAITING", "RUNNING", "COMPLETE", "PRUNED", "FAIL"]


@dataclass(frozen=True, slots=True)
class NewTrial:
    """A trial to write: what was chosen, before anything ran.

    Attributes:
        proposal: What the trial is to build.
        params: The point as really built, by parameter name.
        distributions: The sub-space, by parameter name (same names).
        origin: Who chose it: `ladder:<i>`, or a sampler's name.
        identity: Equal for trials that would train the same network the same way; empty if that is not known.
        sampler_state: What the sampler wants to find again beside this trial (NSGA-II's generation).
    """

    proposal: Proposal
    params: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]
    origin: str
    identity: str = ""
    sampler_state: Mapping[str, Any] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """The pruning method's name."""
        return self.proposal.method

    @property
    def target(self) -> float:
        """The cost aimed at."""
        return self.proposal.target


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial as the record holds it.

    Quality, cost, constraints, rungs, `zero_shot` and `stopped` are the trial's so far, whatever its state: a search
    compares trials by these, and keeps them in memory if everything else is read back when it is asked for.

    Attributes:
        number: From 0, without gaps.
        state: WAITING (to be run, or run again), RUNNING, COMPLETE, PRUNED or FAIL.
        new: What was written when the trial was made.
        attempt: How often its training was started.
        quality: Last quality known (lower is better); None when nothing was measured.
        cost: Cost known; None when not yet measured.
        constraints: By name; a value above 0 means that it is violated.
        rungs: Quality by rung.
        zero_shot: Errors of the plan's network before any training, of a trial that ended; None if it was not scored.
        stopped: Why it ended early or failed.
        lost: Why it was last put back without an end; empty if it never was.
        report: The last report of a trial that has not ended; None before the first.
        outcome: How it ended; None before that.
    """

    number: int
    state: State
    new: NewTrial
    attempt: int = 0
    quality: float | None = None
    cost: float | None = None
    constraints: Mapping[str, float] = field(default_factory=dict)
    rungs: Mapping[int, float] = field(default_factory=dict)
    zero_shot: PlanErrors | None = None
    stopped: str | None = None
    lost: str = ""
    report: TrialReport | None = None
    outcome: TrialOutcome | None = None

    @property
    def finished(self) -> bool:
        """Return True if nothing more will be written to this trial."""
        return self.state in FINISHED_STATES

    @property
    def violated(self) -> tuple[str, ...]:
        """The constraints that are violated, for people."""
        return tuple(
            "measured against other real images"
            if name == SET_ASIDE
            else f"over {'the budget' if name == 'budget' else name} by {percent(value)} %"
            for name, value in self.constraints.items()
            if value > 0
        )

    @property
    def feasible(self) -> bool:
        """Return True if no constraint is violated."""
        return all(value <= 0 for value in self.constraints.values())

    @property
    def scored(self) -> bool:
        """Return True if the trial may stand on a front: complete, inside its constraints, both values known."""
        return self.state == "COMPLETE" and self.feasible and self.quality is not None and self.cost is not None

    @property
    def widths(self) -> Mapping[str, int]:
        """Channels per group: as cut, else as given; empty while they are not known."""
        known = self.outcome or self.report
        return (known.widths if known is not None else {}) or self.new.proposal.widths or {}

    def ended(self) -> TrialOutcome:
        """Return how the trial ended.

        Raises:
            ValueError: It has not ended.
        """
        if self.outcome is None:
            raise ValueError(f"trial {self.number} is {self.state}; only a trial that ended has an outcome")
        return self.outcome

    def for_twin(self) -> TrialOutcome:
        """Return what a COMPLETE trial's record says, for a trial that would only repeat it.

        Raises:
            ValueError: The trial is not COMPLETE.
        """
        if self.state != "COMPLETE":
            raise ValueError(f"trial {self.number} is {self.state}; only a COMPLETE trial has a result to use again")
        return self.ended().of_twin(self.number)


class Ledger(Protocol):
    """The only truth about a study's trials. One writer, which holds the study's lock; every call is durable."""

    def records(self) -> Sequence[TrialRecord]:
        """All trials by number."""
        ...

    def create_trial(self, new: NewTrial) -> TrialRecord:
        """Write a trial, whole, in one transaction; it is RUNNING."""
        ...

    def claim(self) -> TrialRecord | None:
        """Take the first WAITING trial to run it again, same number and parameters; None when there is none.

        A trial whose result is already on disk is told from it, and one that was started too often fails; both
        are passed over.
        """
        ...

    def started(self, number: int) -> int:
        """Count an attempt; returns how many there were, this one included."""
        ...

    def report(self, number: int, report: TrialReport) -> None:
        """Store what a running trial said (all of its curve, so a lost report is made up for)."""
        ...

    def finish(self, number: int, outcome: TrialOutcome) -> TrialRecord:
        """Record how a trial ended; telling twice is harmless. Returns the record as stored.

        COMPLETE needs a finite quality and a finite cost; anything else is stored as FAIL with the reason.
        """
        ...

    def requeue(self, number: int, reason: str = "") -> TrialRecord:
        """Put a RUNNING trial back in place as WAITING, or tell it from its result on disk where there is one.

        `reason` says why it did not end; it is part of the message of a trial that is given up.
        """
        ...

    def release(self) -> int:
        """`requeue` everything that is RUNNING, attempts given back; returns how many."""
        ...
