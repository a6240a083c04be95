"""The distance between a quality on the images that trials are chosen by, and the same on the test split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from statistics import mean

from ...evaluators.measurement import Measurement
from ...gan_models.files.texts.number_text import counted
from ...search.records.ledger import TrialRecord
from .outcome import Outcome, measurements_of


@dataclass(frozen=True)
class Gap:
    """One quality on both splits, each measured by the same metric.

    Attributes:
        name: Name of the generator or input, for messages.
        selection: Quality on the selection split.
        test: Quality on the test split.
    """

    name: str
    selection: Measurement
    test: Measurement

    @property
    def difference(self) -> float:
        """Test minus selection: if lower is better, the selection was optimistic above 0."""
        return self.test.value - self.selection.value

    @property
    def share(self) -> float:
        """The difference as a share of the quality on the selection split."""
        return self.difference / self.selection.value if self.selection.value else 0.0

    @property
    def intervals(self) -> float | None:
        """The difference in units of the half interval of a difference; above 1 it is not chance."""
        halves = [(m.high - m.low) / 2 for m in (self.selection, self.test) if m.low is not None and m.high is not None]
        whole = hypot(*halves)
        return self.difference / whole if len(halves) == 2 and whole else None


def gap_of(name: str, selection: Sequence[Measurement], test: Sequence[Measurement]) -> Gap | None:
    """Return the gap of two lists of measurements, the quality first; None unless both are there, of one metric."""
    if not selection or not test or selection[0].reason is not None or test[0].reason is not None:
        return None
    same = selection[0].name.partition(",n=")[0] == test[0].name.partition(",n=")[0]
    return Gap(name, selection[0], test[0]) if same else None


def trial_gap(outcome: Outcome, trial: TrialRecord) -> Gap | None:
    """Return the gap of a trial; None if it was not measured on the test split."""
    return gap_of(f"trial {trial.number}", measurements_of(trial), outcome.tested(trial.number))


def teacher_gap(outcome: Outcome) -> Gap | None:
    """Return the gap of the dense teacher, which was not chosen by the selection split."""
    return gap_of("dense teacher", outcome.teacher, outcome.teacher_tested)


def input_gap(outcome: Outcome) -> Gap | None:
    """Return the gap of the untouched inputs."""
    return gap_of("input", outcome.inputs, outcome.inputs_tested)


def front_gaps(outcome: Outcome) -> list[Gap]:
    """Return the gap of each trial of the front that was measured on the test split, by ascending cost."""
    found = (trial_gap(outcome, trial) for trial in outcome.front)
    return [gap for gap in found if gap is not None]


def gap_line(outcome: Outcome) -> str:
    """Return a line on the gap between selection and test over the front; empty if trials are compared on the test."""
    gaps = front_gaps(outcome)
    if not gaps:
        waiting = outcome.selects and outcome.front
        return "selection and test: the front is not measured on the test split yet; a resume does" if waiting else ""
    n, first = len(gaps), gaps[0]
    sign = outcome.config.sign
    share = sign * mean(gap.share for gap in gaps)
    said = f"on the test split the front is {_amount(share)} on average ({counted(n, 'trial')}"
    known = [gap.intervals for gap in gaps if gap.intervals is not None]
    if known:
        beyond = sum(abs(value) > 1 for value in known)
        said += f", mean {mean(known):+.1f} intervals, {beyond} beyond one"
    said += ")"
    teacher = teacher_gap(outcome)
    if teacher is not None:
        said += f"; the dense teacher, which was not chosen by it, {_amount(sign * teacher.share)}"
    if first.selection.n != first.test.n:
        said += f"; n is {first.selection.n} and {first.test.n}, and distances depend on n"
    return f"selection and test: {said}"


def gap_json(outcome: Outcome) -> dict[str, float] | None:
    """Return the numbers of the line as JSON; None if unknown."""
    gaps, teacher = front_gaps(outcome), teacher_gap(outcome)
    if not gaps:
        return None
    found = {"trials": len(gaps), "mean_share": mean(gap.share for gap in gaps)}
    known = [gap.intervals for gap in gaps if gap.intervals is not None]
    found |= {"mean_intervals": mean(known)} if known else {}
    return found | ({"teacher_share": teacher.share} if teacher is not None else {})


def _amount(share: float) -> str:
    """Return the relative change of a distance on the test split, as text."""
    return f"{100 * abs(share):.1f} % {'worse' if share > 0 else 'better'}"
