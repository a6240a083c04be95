"""Ended trials in memory: what a search compares them by stays, the rest is read back when somebody asks for it.

A trial of 60 groups is 60 parameters, 60 widths and as much again in what was measured: 16 KB. Samplers look at 300
trials (`search/strategy/history.py`), so that nearly all of it would never be looked at again.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from operator import attrgetter
from typing import Any, cast

from optuna.distributions import BaseDistribution

from ...gan_models.pruning.proposal import Proposal
from ...search.records.ledger import TrialRecord
from ...search.records.messages import TrialOutcome

NOTHING: Mapping[str, Any] = {}  # one for all
AT_HAND = 64  # whole records that are kept: the next ask looks at what has just ended


class Ended:
    """The records of ended trials.

    Args:
        read: A trial's whole record, from the database, by number.
    """

    def __init__(self, read: Callable[[int], TrialRecord]):
        self._read = read
        self._at_hand: dict[int, TrialRecord] = {}
        self._spaces: dict[str, Mapping[str, BaseDistribution]] = {}

    def settled(self, record: TrialRecord) -> TrialRecord:
        """Return the record of a trial that has ended, to be kept: what is large is read back when it is asked for.

        Its constraints and its quality by rung stay: each trial at a rung is compared with all that reached it.

        Args:
            record: The record; without an outcome if that was not read yet.
        """
        number, space = record.number, record.new.distributions
        if record.outcome is not None:
            self._keep(record)
        if self._spaces.get(record.new.method) != space:
            self._spaces[record.new.method] = space
        new = replace(
            record.new,
            proposal=self._settled(record),
            params=Part(self, number, "new.params"),
            distributions=self._spaces[record.new.method],
            sampler_state=Part(self, number, "new.sampler_state") if record.new.sampler_state else NOTHING,
        )
        constraints = record.constraints or NOTHING
        outcome = cast(TrialOutcome, Later(self, number, "outcome"))
        return replace(record, new=new, constraints=constraints, outcome=outcome)

    def _settled(self, record: TrialRecord) -> Proposal:
        """Return a trial's proposal with its numbers in memory; settings and widths are read back."""
        proposal, number = record.new.proposal, record.number
        widths = None if proposal.widths is None else Part(self, number, "new.proposal.widths")
        kind = Part if isinstance(proposal.settings, Mapping) else Later
        return replace(proposal, settings=kind(self, number, "new.proposal.settings"), widths=widths)

    def whole(self, number: int) -> TrialRecord:
        """A trial's record with all of its mappings in memory."""
        if number not in self._at_hand:
            self._keep(self._read(number))
        return self._at_hand[number]

    def _keep(self, record: TrialRecord) -> None:
        self._at_hand[record.number] = record
        while len(self._at_hand) > AT_HAND:
            del self._at_hand[next(iter(self._at_hand))]


class Later:
    """A value of an ended trial's record: equal to what it was, and read back when something of it is asked for."""

    __slots__ = ("_ended", "_name", "_number")

    def __init__(self, ended: Ended, number: int, name: str):
        self._ended, self._number, self._name = ended, number, name

    def _value(self) -> Any:
        return attrgetter(self._name)(self._ended.whole(self._number))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._value(), name)

    def __eq__(self, other: object) -> bool:
        return self._value() == (other._value() if isinstance(other, Later) else other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._value())


class Part(Later, Mapping[str, Any]):
    """A `Later` of a mapping."""

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        return self._value()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._value())

    def __len__(self) -> int:
        return len(self._value())
