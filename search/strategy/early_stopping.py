"""When a running trial is stopped: two-objective successive halving, asynchronous, as a pure rule.

At each rung a trial is compared with all that reached it, by non-dominated rank and then crowding distance on
(quality at the rung, cost); the best 1/reduction go on, and whoever none of the others dominates. Our reconstruction
after ASHA (Li et al. 2020) and NSGA-II's order (Deb et al. 2002). The rung table is read from the record each time, so
a resumed study has it at once.

Without the last clause crowding stops what fills the gaps of a front that is longer than the cut: a study that begins
with a ladder then ends with its ladder (benchmarks/which_stopping.py: 0.727 of hypervolume where no stopping has 0.738
and this rule 0.739, at a compute of 25 trials).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...gan_models.files.errors import UserError
from ..records.ledger import TrialRecord
from . import pareto

LEAST_TRIALS = 8  # of a study: below, the few trials are the front


def default_reduction(trials: int) -> int:
    """`reduction` where the user gave none: 3, or 0 (off) for a study of few trials."""
    return 3 if trials >= LEAST_TRIALS else 0


@dataclass(frozen=True)
class StoppingRule:
    """Early stopping's settings and its decision.

    Attributes:
        rungs: Steps at which a trial may be stopped, rising; the last step of a trial is not one of them.
        reduction: One in this many goes on at each rung.
    """

    rungs: tuple[int, ...]
    reduction: float = 3.0

    def __post_init__(self):
        if not self.rungs or list(self.rungs) != sorted(set(self.rungs)) or self.rungs[0] < 1:
            raise UserError(f"rungs are rising numbers of steps, 1 or more; got {list(self.rungs)}")
        if not self.reduction > 1:
            raise UserError(f"reduction must be above 1 (1 in `reduction` trials goes on); got {self.reduction}")

    def goes_on(self, newcomer: tuple[float, float], rivals: Sequence[tuple[float, float]]) -> bool:
        """Whether a trial goes on after a rung.

        Args:
            newcomer: Its (quality, cost) there, both minimized.
            rivals: The (quality, cost) of all others that reached the rung, before it.

        Returns:
            True for the best 1/reduction, for one that no rival dominates, and while there are fewer than
            `reduction` rivals; never for one whose quality is not finite.
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
    """The (quality, cost) of the trials that reached a rung; `number` itself, failed and infeasible ones left out."""
    return [
        (record.rungs[step], record.cost)
        for record in records
        if record.number != number and record.state != "FAIL" and record.feasible
        if record.cost is not None and step in record.rungs
    ]


def extrapolated(records: Sequence[TrialRecord]) -> dict[int, float]:
    """The final quality that each stopped trial would be given: its last rung's, less what is still to come.

    What is still to come is the median improvement, from that rung to the end, of the trials that got there.
    Shown to the sampler, this beats telling it the rung's own value, or nothing (measured by simulation).

    Args:
        records: The study's trials.

    Returns:
        Quality by trial number; a stopped trial that reached no rung with a finite quality is left out.
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
    """How well a rung foretold the end.

    Attributes:
        step: The rung.
        rank_correlation: Spearman's, between quality there and at the end; 1 is the same order.
        trials: How many it is taken over: those that ended COMPLETE. Stopped ones have no end, so where trials are
            stopped the worst are missing, and the number is too low rather than too high.
    """

    step: int
    rank_correlation: float
    trials: int

    def line(self) -> str:
        """For people."""
        return f"step {self.step}: {self.rank_correlation:.2f} (n={self.trials})"


def agreements(records: Sequence[TrialRecord]) -> list[Agreement]:
    """Rank correlation of each rung with the end, rungs that fewer than 3 complete trials have left out."""
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

    `scipy.stats` has this too, and takes 0.6 s to import: as long as the rest of `ganprune show`.
    """
    _, inverse_N, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse_N]
