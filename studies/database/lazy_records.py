"""Finished trials in memory: values that a search compares are kept, the others are read when needed.

A trial of 60 groups has 60 parameters, 60 widths and as many measured values: 16 KB. Samplers use 300 trials
(`search/strategy/history.py`), so nearly all of this is never read again.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from operator import attrgetter
from typing import Any, cast

from optuna.distributions import BaseDistribution

from ...gan_models.pruning.proposal import Proposal
from ...search.records.ledger import TrialRecord
from ...search.records.messages import TrialOutcome

EMPTY: Mapping[str, Any] = {}  # one empty mapping for all
MAX_RECORDS_IN_MEMORY = 64  # number of whole records in memory, because the next request reads the latest


class Ended:
    """The records of finished trials.

    Args:
        read: Function that reads a trial's whole record from the database, by number.
    """

    def __init__(self, read: Callable[[int], TrialRecord]):
        self._read = read
        self._at_hand: dict[int, TrialRecord] = {}
        self._spaces: dict[str, Mapping[str, BaseDistribution]] = {}

    def settled(self, record: TrialRecord) -> TrialRecord:
        """Return a compact record of a finished trial, whose large values are read when needed.

        Its constraints and its quality by rung stay in memory, because each trial at a rung is compared with all that
        reached it.

        Args:
            record: The record, possibly without its outcome.
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
            sampler_state=Part(self, number, "new.sampler_state") if record.new.sampler_state else EMPTY,
        )
        constraints = record.constraints or EMPTY
        outcome = cast(TrialOutcome, Later(self, number, "outcome"))
        return replace(record, new=new, constraints=constraints, outcome=outcome)

    def _settled(self, record: TrialRecord) -> Proposal:
        """Return a trial's proposal with its numbers in memory; settings and widths are read when needed."""
        proposal, number = record.new.proposal, record.number
        widths = None if proposal.widths is None else Part(self, number, "new.proposal.widths")
        kind = Part if isinstance(proposal.settings, Mapping) else Later
        return replace(proposal, settings=kind(self, number, "new.proposal.settings"), widths=widths)

    def whole(self, number: int) -> TrialRecord:
        """Return a trial's record with all of its mappings in memory."""
        if number not in self._at_hand:
            self._keep(self._read(number))
        return self._at_hand[number]

    def _keep(self, record: TrialRecord) -> None:
        self._at_hand[record.number] = record
        while len(self._at_hand) > MAX_RECORDS_IN_MEMORY:
            del self._at_hand[next(iter(self._at_hand))]


class Later:
    """A proxy of a value in a finished trial's record, equal to the value and read at first use."""

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
    """A proxy (`Later`) of a mapping."""

    __slots__ = ()

    def __getitem__(self, key: str) -> Any:
        return self._value()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._value())

    def __len__(self) -> int:
        return len(self._value())
