"""Early stopping of running trials: two-objective, asynchronous successive halving, as a pure rule.

At each rung a trial is compared with all that reached it, by non-dominated rank and then crowding distance on (quality
at the rung, cost). The best 1/reduction continue, and so do non-dominated trials. Original to ganprune, after ASHA (Li
et al. 2020) and NSGA-II's order (Deb et al. 2002). The rung table is read from the record each time, so a resumed study
has it at once.

Without the exception for non-dominated trials, crowding stops trials in the gaps of a long front: a study that starts
with a ladder then ends with its ladder. In benchmarks/which_stopping.py, hypervolume is 0.727 without the exception,
0.738 without stopping, and 0.739 with this rule, at a compute of 25 trials.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...gan_models.files.errors import UserError
from ..records.ledger import TrialRecord
from . import pareto

MIN_TRIALS = 8  # number of trials of a study below which the few trials are the front


def default_reduction(trials: int) -> int:
    """Return the default `reduction`: 3, or 0 (off) for a study of few trials."""
    return 3 if trials >= MIN_TRIALS else 0


@dataclass(frozen=True)
class StoppingRule:
    """The settings and the decision of early stopping.

    Attributes:
        rungs: Steps at which a trial may be stopped, ascending; without the last step of a trial.
        reduction: Continue the best 1/reduction of the trials at each rung.
    """

    rungs: tuple[int, ...]
    reduction: float = 3.0

    def __post_init__(self):
        if not self.rungs or list(self.rungs) != sorted(set(self.rungs)) or self.rungs[0] < 1:
            raise UserError(f"invalid rungs: got {list(self.rungs)}; expected ascending numbers of steps, 1 or more")
        if not self.reduction > 1:
            raise UserError(
                f"invalid reduction: got {self.reduction}; expected above 1 (the best 1/reduction of the trials "
                f"continue)"
            )

    def goes_on(self, newcomer: tuple[float, float], rivals: Sequence[tuple[float, float]]) -> bool:
        """Return True if a trial continues after a rung.

        Args:
            newcomer: The trial's (quality, cost) at the rung, both minimized.
            rivals: The (quality, cost) of all others that reached the rung, before it.

        Returns:
            True for the best 1/reduction, for a non-dominated trial, and while there are fewer than `reduction` rivals;
            False if the quality is not finite.
        """
        if not all(map(math.isfinite, newcomer)):
            return False
        finite = [rival for rival in rivals if all(map(math.isfinite, rival))]
        if len(finite) < self.reduction:
            return True
        points_N2 = np.array([newcomer, *finite])
        if pareto.non_dominated(points_N2)[0]:
            return True
        return 0 in pareto.best(points_N2, math.ceil(len(points_N2) / self.reduction))


def rivals_at(records: Sequence[TrialRecord], step: int, number: int) -> list[tuple[float, float]]:
    """Return (quality, cost) of the trials that reached a rung, without `number`, failed and infeasible ones."""
    return [
        (record.rungs[step], record.cost)
        for record in records
        if record.number != number and record.state != "FAIL" and record.feasible
        if record.cost is not None and step in record.rungs
    ]


def extrapolated(records: Sequence[TrialRecord]) -> dict[int, float]:
    """Return the expected final quality of each stopped trial: that of its last rung, minus the remaining improvement.

    The remaining improvement is the median, from that rung to the end, over the trials that reached the end. In
    simulation, this is a better value for the sampler than the rung's own value, or none.

    Args:
        records: The study's trials.

    Returns:
        Quality by trial number; stopped trials without a rung of finite quality are omitted.
    """
    to_come: dict[int, list[float]] = {}
    for record in records:
        if record.state == "COMPLETE" and record.quality is not None:
            for step, quality in record.rungs.items():
                if math.isfinite(quality):
                    to_come.setdefault(step, []).append(quality - record.quality)
    median = {step: float(np.median(gaps)) for step, gaps in to_come.items()}
    result = {}
    for record in records:
        finite = [step for step, quality in record.rungs.items() if math.isfinite(quality)]
        if record.state == "PRUNED" and finite:
            last = max(finite)
            result[record.number] = record.rungs[last] - median.get(last, 0.0)
    return result


@dataclass(frozen=True)
class Agreement:
    """The agreement of a rung with the end of training.

    Attributes:
        step: The rung's step.
        rank_correlation: Spearman's correlation between quality at the rung and at the end; 1 is the same order.
        trials: Number of trials, those that ended COMPLETE. Stopped ones have no final quality, so the worst are
            missing, and the correlation is too low rather than too high.
    """

    step: int
    rank_correlation: float
    trials: int

    def line(self) -> str:
        """One line of text."""
        return f"step {self.step}: {self.rank_correlation:.2f} (n={self.trials})"


def agreements(records: Sequence[TrialRecord]) -> list[Agreement]:
    """Return the rank correlation of each rung with the end, without rungs of fewer than 3 complete trials."""
    pairs: dict[int, list[tuple[float, float]]] = {}
    for record in records:
        if record.state == "COMPLETE" and record.quality is not None and record.rungs:
            for step, quality in record.rungs.items():
                if step < max(record.rungs) and math.isfinite(quality):
                    pairs.setdefault(step, []).append((quality, record.quality))
    found = []
    for step, values in sorted(pairs.items()):
        ranks_2N = [_ranks(column) for column in zip(*values, strict=True)]
        if len(values) >= 3 and all(np.ptp(ranks_N) > 0 for ranks_N in ranks_2N):
            found.append(Agreement(step, float(np.corrcoef(np.array(ranks_2N))[0, 1]), len(values)))
    return found


def _ranks(values: Sequence[float]) -> np.ndarray:
    """Return ranks from 1; equal values share their mean rank.

    `scipy.stats` provides this, but takes 0.6 s to import, as long as the rest of `ganprune show`.
    """
    _, inverse_N, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse_N]
