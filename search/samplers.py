"""What to try next: the uniform ladder first, then one sampler a method on an in-memory mirror of the record.

The same history, seed and trial number give the same proposal, whatever happened to the process in between:
nothing is kept here but a cache.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from optuna.distributions import BaseDistribution

from .early_stopping import extrapolated
from .ledger import NewTrial, TrialRecord
from .mirror import SAMPLERS, Seen, suggest
from .shares import LADDER, choose_method, fixed_shares, sampled

START = "start"  # origin of a method's own first points
REDRAWS = 10  # times that a proposal which repeats an earlier trial is drawn again
Mode = Literal["pareto", "target"]


@dataclass(frozen=True)
class Decoded:
    """A point of a sub-space as it will be built.

    Attributes:
        params: The point as really built: same names, values inside their distributions.
        settings: The method's settings, as the method takes them.
        target: The cost aimed at, at or under the budget.
        cost: The name of that cost (`macs`, ...).
        widths: Channels by group for methods that are given widths, else None.
        bits: Of weights and activations; 32 is float32.
        identity: Equal for points that would train the same network the same way; empty where that is not known.
    """

    params: Mapping[str, Any]
    settings: Mapping[str, Any]
    target: float
    cost: str
    widths: Mapping[str, int] | None = None
    bits: int = 32
    identity: str = ""


class Proposals(Protocol):
    """What may be searched: a sub-space a method."""

    @property
    def methods(self) -> Sequence[str]:
        """The methods, in the user's order."""
        ...

    def distributions(self, method: str) -> Mapping[str, BaseDistribution]:
        """A method's dimensions by parameter name; the same name in two methods has the same distribution."""
        ...

    def decode(self, method: str, params: Mapping[str, Any], seed: int) -> Decoded:
        """A point as it will be built, at or under the budget. A pure function of its arguments."""
        ...

    def ladder(self) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """The first trials: (method, params) of uniform plans inside the budget, from large to small."""
        ...

    def starts(self, method: str) -> Sequence[Mapping[str, Any]]:
        """A method's own first points, before its sampler decides: sound settings at targets spread over the range."""
        ...

    def translate(self, widths: Mapping[str, int], target: float, bits: int, to: str) -> Mapping[str, Any] | None:
        """A plan that some method built, as a point of another method's sub-space; None where there is none."""
        ...


@dataclass(frozen=True)
class Choice:
    """How trials are chosen.

    Attributes:
        sampler: `tpe`, `nsga2`, `gp`, `random` or `qmc`.
        seed: The study's seed.
        mode: `pareto` (quality and cost) or `target` (quality alone).
        shares: Parts of the trials by method, set by the user; empty lets the gains decide.
    """

    sampler: str = "tpe"
    seed: int = 0
    mode: Mode = "pareto"
    shares: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self):
        if self.sampler not in SAMPLERS:
            raise ValueError(f"sampler must be one of {', '.join(SAMPLERS)}; got {self.sampler!r}")
        if self.mode not in ("pareto", "target"):
            raise ValueError(f"mode must be pareto or target; got {self.mode!r}")


def derived_seed(seed: int, number: int, purpose: str = "") -> int:
    """A seed of 32 bits for one purpose of one trial, from the study's seed."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{number}:{purpose}".encode()).digest()[:4], "big")


class Chooser:
    """Chooses trials for one study.

    Args:
        proposals: What may be searched.
        choice: How.

    Raises:
        ValueError: there is no method, or the shares do not fit the methods.
    """

    def __init__(self, proposals: Proposals, choice: Choice):
        if not proposals.methods:
            raise ValueError("a search needs at least one method")
        if choice.shares:
            fixed_shares(proposals.methods, choice.shares)
        self.proposals, self.choice = proposals, choice

    def next(self, records: Sequence[TrialRecord], number: int) -> NewTrial:
        """The trial to make as `number`, given what is known.

        Args:
            records: The trials it may know of, by number.
            number: Its own number.

        Returns:
            The trial, decoded. Its `identity` may equal an earlier trial's when drawing again did not help.
        """
        known = {record.new.identity for record in records if record.state != "FAIL"} - {""}
        return self._rung_of_ladder(records, number, known) or self._sampled(records, number, known)

    def _rung_of_ladder(self, records: Sequence[TrialRecord], number: int, known: set[str]) -> NewTrial | None:
        used = [r.new.origin.removeprefix(LADDER) for r in records if r.new.origin.startswith(LADDER)]
        first = 1 + max(map(int, used), default=-1)
        for index, (method, params) in list(enumerate(self.proposals.ladder()))[first:]:
            new = self._decoded(method, params, number, f"{LADDER}{index}", {})
            if new.identity not in known:  # coarse channels can make two rungs of the ladder the same network
                return new
        return None

    def _sampled(self, records: Sequence[TrialRecord], number: int, known: set[str]) -> NewTrial:
        choice, seed = self.choice, self._seed(number, "sampler")
        draw = self._seed(number, "method") / 2**32
        method = choose_method(records, self.proposals.methods, choice.shares, draw)
        space = self.proposals.distributions(method)
        history = self._seen(records, method, space)
        index = len(sampled(records, method))
        starts = self.proposals.starts(method)
        if index < len(starts):
            return self._decoded(method, starts[index], number, START, {})
        params, state = suggest(choice.sampler, history, space, seed, choice.seed, index, choice.mode == "pareto")
        new = self._decoded(method, params, number, choice.sampler, state)
        for again in range(REDRAWS):
            if new.identity not in known:
                break
            seed = self._seed(number, f"again {again}")
            params, _ = suggest("random", [], space, seed, choice.seed, index, choice.mode == "pareto")
            new = self._decoded(method, params, number, "random", {})
        return new

    def _seed(self, number: int, purpose: str) -> int:
        return derived_seed(self.choice.seed, number, purpose)

    def _decoded(
        self, method: str, params: Mapping[str, Any], number: int, origin: str, state: Mapping[str, Any]
    ) -> NewTrial:
        decoded = self.proposals.decode(method, params, self._seed(number, "decode"))
        space = self.proposals.distributions(method)
        if set(decoded.params) != set(space):
            raise ValueError(f"{method}: decode gave {sorted(decoded.params)}, the sub-space has {sorted(space)}")
        return NewTrial(
            method=method,
            params=decoded.params,
            distributions=space,
            target=decoded.target,
            origin=origin,
            request={
                "settings": decoded.settings,
                "cost": decoded.cost,
                "widths": decoded.widths,
                "bits": decoded.bits,
            },
            identity=decoded.identity,
            sampler_state=state,
        )

    def _seen(self, records: Sequence[TrialRecord], method: str, space: Mapping[str, BaseDistribution]) -> list[Seen]:
        """The record as a method's sampler sees it: failed trials left out, running ones without values."""
        seen, stopped = [], extrapolated(records)
        # Optuna's GP wants the same constraints for every trial; stopped trials have none
        names = sorted({name for record in records for name in record.constraints})
        for record in records:
            new, params = record.new, record.new.params
            if new.method != method:
                # Widths that another method was given or has learned are worth knowing wherever widths are searched.
                widths = new.request.get("widths") or record.attributes.get("plan")
                bits = new.request.get("bits", 32)
                translated = self.proposals.translate(widths, new.target, bits, method) if widths else None
                if translated is None:
                    continue
                params = translated
            if record.state == "FAIL" or set(params) != set(space):
                continue
            quality = stopped.get(record.number) if record.state == "PRUNED" else record.quality
            values = None
            if record.finished:
                if quality is None or record.cost is None or not math.isfinite(quality):
                    continue
                values = (quality, record.cost)
            state = new.sampler_state if new.method == method else {}
            constraints = {name: record.constraints.get(name, 0.0) for name in names} if values else {}
            seen.append(Seen(record.number, params, values, constraints, state))
        return seen
