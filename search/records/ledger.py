"""The record that the engine writes to: a protocol, implemented over Optuna's tables in `studies/database/store.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from optuna.distributions import BaseDistribution

from ...gan_models.files.texts.number_text import percent
from ...gan_models.pruning.proposal import Proposal
from .messages import FINISHED_STATES, TrialOutcome, TrialReport
from .plan_score import PlanErrors

SET_ASIDE_REASONS = (
    "other real images"  # name of a constraint: the trial was measured against real images that have since changed
)
State = Literal["WAITING", "RUNNING", "COMPLETE", "PRUNED", "FAIL"]


@dataclass(frozen=True, slots=True)
class NewTrial:
    """A trial to record: the choice, before anything runs.

    Attributes:
        proposal: The proposal to build.
        params: The point as built, by parameter name.
        distributions: The sub-space, by parameter name (same names).
        origin: Origin of the choice: `ladder:<i>`, or a sampler's name.
        identity: Text that is equal for trials of the same network and training; empty if unknown.
        sampler_state: State of the sampler, stored with this trial (NSGA-II's generation).
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
        """The target cost."""
        return self.proposal.target


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial in the record.

    Quality, cost, constraints, rungs, `zero_shot` and `stopped` are the trial's values so far, in any state. A search
    compares trials by these, and keeps them in memory; all other values are read when needed.

    Attributes:
        number: From 0, without gaps.
        state: WAITING (to be run, or run again), RUNNING, COMPLETE, PRUNED or FAIL.
        new: The choice, written when the trial was created.
        attempt: Number of starts of its training.
        quality: Last measured quality (lower is better); None if there is none.
        cost: Measured cost; None if not yet measured.
        constraints: Constraints by name; a value above 0 means a violation.
        rungs: Quality by rung.
        zero_shot: Errors of the plan's network before any training, of a trial that ended; None if it was not scored.
        stopped: Reason that it ended early or failed.
        lost: Reason that it was last put back; empty if it never was.
        report: The last report of a trial that has not ended; None before the first.
        outcome: The outcome; None before the end.
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
        """The violated constraints, as text."""
        return tuple(
            "measured against other real images"
            if name == SET_ASIDE_REASONS
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
        """Return True if the trial may be on the front: complete, feasible, both values known."""
        return self.state == "COMPLETE" and self.feasible and self.quality is not None and self.cost is not None

    @property
    def widths(self) -> Mapping[str, int]:
        """Channels per group: of the cut network, else of the proposal; empty while unknown."""
        known = self.outcome or self.report
        return (known.widths if known is not None else {}) or self.new.proposal.widths or {}

    def ended(self) -> TrialOutcome:
        """Return the outcome of the trial.

        Raises:
            ValueError: It has not ended.
        """
        if self.outcome is None:
            raise ValueError(f"trial {self.number} is {self.state}; expected a trial that has ended")
        return self.outcome

    def for_twin(self) -> TrialOutcome:
        """Return the outcome of a COMPLETE trial, for a trial that would only repeat it.

        Raises:
            ValueError: The trial is not COMPLETE.
        """
        if self.state != "COMPLETE":
            raise ValueError(
                f"trial {self.number} is {self.state}; expected a COMPLETE trial, whose result can be used again"
            )
        return self.ended().of_twin(self.number)


class Ledger(Protocol):
    """The only source of truth for a study's trials. One writer holds the study's lock; every call is durable."""

    def records(self) -> Sequence[TrialRecord]:
        """Return all trials by number."""
        ...

    def create_trial(self, new: NewTrial) -> TrialRecord:
        """Write a trial in one transaction; it is RUNNING."""
        ...

    def claim(self) -> TrialRecord | None:
        """Take the first WAITING trial to run it again, with the same number and parameters; None if there is none.

        A trial whose result is already on disk is completed from it, and one that was started too often fails; both are
        skipped.
        """
        ...

    def started(self, number: int) -> int:
        """Count an attempt; return the number of attempts so far."""
        ...

    def report(self, number: int, report: TrialReport) -> None:
        """Store a running trial's report with its whole curve, which compensates for lost reports."""
        ...

    def finish(self, number: int, outcome: TrialOutcome) -> TrialRecord:
        """Record a trial's outcome, idempotently; return the record as stored.

        COMPLETE needs a finite quality and a finite cost; anything else is stored as FAIL with the reason.
        """
        ...

    def requeue(self, number: int, reason: str = "") -> TrialRecord:
        """Put a RUNNING trial back as WAITING, or complete it from its result on disk if there is one.

        `reason` is the reason that it did not end, and is part of the message if the trial is given up.
        """
        ...

    def release(self) -> int:
        """Call `requeue` on all RUNNING trials without counting their attempts; return their number."""
        ...
