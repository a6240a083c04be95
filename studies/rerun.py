"""A trial that is trained again by its seed, and compared with its record."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

from ..evaluators.measurement import Measurement
from ..gan_models.costs.catalog import COSTS
from ..gan_models.files.errors import UserError
from ..search.execution.worker import limit_threads, perform
from ..search.records.ledger import TrialRecord
from ..search.records.messages import TrialOutcome, TrialReport, TrialRequest
from .api import TRIAL, Study
from .bundles.trial_weights import open_recorded
from .results.outcome import Outcome, cost_name, outcome_of
from .results.trial_page import find_trial, seed_of


@dataclass(frozen=True)
class Compared:
    """One number of a trial, as recorded and as it is now.

    Attributes:
        name: Of the number.
        recorded: In the record; None if it has none.
        again: Of the second training; None if it has none.
        inside: The new number is inside the record's interval; None without an interval.
    """

    name: str
    recorded: float | None
    again: float | None
    inside: bool | None = None

    @property
    def equal(self) -> bool:
        """Return True if both are the same number, or neither is one."""
        one, other = self.recorded, self.again
        if one is None or other is None:
            return one is other
        return one == other or (isnan(one) and isnan(other))


@dataclass(frozen=True)
class Rerun:
    """A second training, compared with its record.

    Attributes:
        study, trial: The trial.
        seed: Of the training.
        recorded_state, state: How it ended then, and now.
        reason: Reason of the end now; empty if it ran to its last rung.
        same_network: Both have the same plan; None if one of them is not known.
        numbers: Qualities at rungs, then everything measured, by name.
    """

    study: str
    trial: int
    seed: int
    recorded_state: str
    state: str
    reason: str
    same_network: bool | None
    numbers: tuple[Compared, ...]

    @property
    def equal(self) -> bool:
        """Return True if state, network and every number are those of the record."""
        same = self.recorded_state == self.state and self.same_network is not False
        return same and all(number.equal for number in self.numbers)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        numbers = [
            {"name": n.name, "recorded": n.recorded, "again": n.again, "equal": n.equal, "inside_interval": n.inside}
            for n in self.numbers
        ]
        return {
            "study": self.study, "trial": self.trial, "seed": self.seed, "equal": self.equal,
            "recorded_state": self.recorded_state, "state": self.state, "reason": self.reason,
            "same_network": self.same_network, "numbers": numbers,
        }  # fmt: skip

    def lines(self) -> Iterator[str]:
        """Yield a line per number that differs, below a verdict."""
        different = [number for number in self.numbers if not number.equal]
        name = f"trial {self.trial} of {self.study}, trained again with seed {self.seed}"
        if self.equal:
            yield f"{name}: equal, {len(self.numbers)} numbers"
            return
        yield f"{name}: {len(different)} of {len(self.numbers)} numbers differ"
        if self.state != self.recorded_state:
            yield f"  state: recorded {self.recorded_state}, now {self.state}" + (
                f" ({self.reason})" * bool(self.reason)
            )
        if self.same_network is False:
            yield "  network: another plan was cut"
        for number in different:
            yield f"  {number.name}: {_difference(number)}"


def rerun_trial(study: Study, number: int, folder: Path | None = None, threads: int = 1) -> Rerun:
    """Train a trial again by its seed, and compare it with its record; nothing is written to the study.

    A trial that was stopped at a rung is stopped there again. Results are equal to the last bit on the same machine
    with the same number of threads; elsewhere sums are taken in another order.

    Args:
        study: The trial's study.
        number: The trial's number.
        folder: Where its files go; None: nowhere, they are removed.
        threads: CPU threads of the training.

    Raises:
        UserError: There is no such trial, it has not ended, or the study is simulated.
    """
    outcome = outcome_of(study.record)
    trial = find_trial(outcome, number)
    if outcome.note:
        raise UserError(f"study {study.record.name!r} is simulated: got no trained network; expected a real study")
    if trial.outcome is None:
        raise UserError(
            f"trial {number} cannot be compared: got state {trial.state}; expected one that ended. Try `ganprune "
            f"resume {study.record.name}`"
        )
    study.at_hand()
    if folder is not None:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f"--out {folder} is in use; expected a new folder. Try another name")
        return _compared(outcome, trial, _trained(study, outcome, trial, folder, threads))
    with tempfile.TemporaryDirectory(prefix="ganprune-rerun-") as workspace:
        return _compared(outcome, trial, _trained(study, outcome, trial, Path(workspace), threads))


def _trained(study: Study, outcome: Outcome, trial: TrialRecord, folder: Path, threads: int) -> TrialOutcome:
    """Return the outcome of the training, run in this process."""
    opened = open_recorded(outcome, study.folder)
    last = max(trial.rungs, default=None) if trial.state == "PRUNED" else None
    limit_threads(threads)

    def report(told: TrialReport) -> bool:
        return last is None or told.step < last

    request = TrialRequest(
        number=trial.number,
        attempt=1,
        proposal=trial.new.proposal,
        seed=seed_of(outcome, trial),
        workspace=str(folder.absolute()),
        study=opened.resolved,
        prepared=opened.prepared,
    )
    return perform(TRIAL, request, report)


def _compared(outcome: Outcome, trial: TrialRecord, again: TrialOutcome) -> Rerun:
    recorded = trial.ended()
    steps = sorted({*trial.rungs, *again.rungs})
    rungs = [Compared(f"quality at step {step}", trial.rungs.get(step), again.rungs.get(step)) for step in steps]
    before, now = _by_name(recorded.measurements), _by_name(again.measurements)
    known = bool(recorded.architecture and again.architecture)
    return Rerun(
        outcome.study.name,
        trial.number,
        seed_of(outcome, trial),
        trial.state,
        again.state,
        again.stopped or "",
        recorded.architecture == again.architecture if known else None,
        (*rungs, *(_number(name, before.get(name), now.get(name)) for name in dict.fromkeys([*before, *now]))),
    )


def _by_name(measured: tuple[Measurement, ...]) -> Mapping[str, Measurement]:
    """Return measurements by name, without profiled costs, which are measured on a clock."""
    profiled = {name for name, row in COSTS.own.items() if not row.exact}
    return {m.name: m for m in measured if cost_name(m) not in profiled}


def _number(name: str, before: Measurement | None, now: Measurement | None) -> Compared:
    one = None if before is None or before.reason is not None else before.value
    other = None if now is None or now.reason is not None else now.value
    inside = None
    if before is not None and before.low is not None and before.high is not None and other is not None:
        inside = before.low <= other <= before.high
    return Compared(name, one, other, inside)


def _difference(number: Compared) -> str:
    """Return by how much a number differs."""
    if number.recorded is None or number.again is None:
        return f"recorded {number.recorded}, now {number.again}"
    by = number.again - number.recorded
    share = f" ({100 * by / abs(number.recorded):+.3g} %)" if number.recorded else ""
    inside = {True: ", inside the recorded interval", False: ", outside the recorded interval", None: ""}[number.inside]
    return f"recorded {number.recorded:.6g}, now {number.again:.6g}, {by:+.3g}{share}{inside}"
