"""The agreement of zero-shot scores with trials' final qualities, which tells how reliable a study's scores are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..records.ledger import TrialRecord

MIN_TRIALS = 3  # minimum number of trials for a comparison
SIMILAR_COST_FACTOR = (
    1.5  # costs within this factor are similar; over other pairs, scores and qualities correlate through cost
)
MIN_NEAR_TRIALS = 6  # minimum number of trials near a cost before scores there have weight
NEAR_COST_FACTOR = 2.0  # factor between a cost and those of the trials that determine the weight of scores there


@dataclass(frozen=True)
class ScoreAgreement:
    """Kendall's tau between the zero-shot error of trials' plans and their quality at the end.

    Attributes:
        features: True if errors are of features in the study's encoder, False if of outputs.
        tau: Kendall's tau over all pairs of trials; 1 is the same order.
        trials: Number of trials.
        low, high: Range of their costs.
        alike: Kendall's tau over pairs of trials of similar cost; None if there are none.
        pairs: Number of such pairs.
    """

    features: bool
    tau: float
    trials: int
    low: float
    high: float
    alike: float | None = None
    pairs: int = 0


def compared(records: Sequence[TrialRecord]) -> NDArray[np.float64]:
    """Return (zero-shot error, quality, cost) [N, 3] of completed trials; `by_features` determines the errors."""
    features = by_features(records)
    found = [
        (record.zero_shot.by(features), record.quality, record.cost)
        for record in _ended(records)
        if record.zero_shot is not None
    ]
    return np.array(found, dtype=float).reshape(-1, 3)


def by_features(records: Sequence[TrialRecord]) -> bool:
    """Return True if trials are compared by errors of features: all have one, unlike those of earlier versions.

    Args:
        records: The study's trials.
    """
    found = [record.zero_shot for record in _ended(records) if record.zero_shot is not None]
    return bool(found) and all(errors.features is not None for errors in found)


def _ended(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the completed trials with a quality, a cost and a score."""
    return [
        record
        for record in records
        if record.state == "COMPLETE"
        if record.quality is not None and record.cost is not None and record.zero_shot is not None
    ]


def score_agreement(records: Sequence[TrialRecord]) -> ScoreAgreement | None:
    """Return the agreement of scores with the trials' qualities; None below three trials, or if all are equal."""
    found_N3 = compared(records)
    if len(found_N3) < MIN_TRIALS:
        return None
    costs_N = found_N3[:, 2]
    first, second = np.triu_indices(len(found_N3), 1)
    same_cost = np.abs(np.log(costs_N[first] / costs_N[second])) <= np.log(SIMILAR_COST_FACTOR)
    every, alike = kendall(found_N3), kendall(found_N3, same_cost)
    if every is None:
        return None
    pairs = int(same_cost.sum()) if alike is not None else 0
    return ScoreAgreement(
        by_features(records), every, len(found_N3), float(costs_N.min()), float(costs_N.max()), alike, pairs
    )


def kendall(found_N3: NDArray[np.float64], pairs: NDArray[np.bool_] | None = None) -> float | None:
    """Return Kendall's tau-b of the first two columns; None if a column is constant, or there are no pairs.

    `scipy.stats` provides this over all pairs, but takes 0.6 s to import, as long as the rest of `ganprune show`.

    Args:
        found_N3: Rows of score and quality.
        pairs: Mask of the pairs that count, in the order of `numpy.triu_indices`; None: all.
    """
    first, second = np.triu_indices(len(found_N3), 1)
    if pairs is not None:
        first, second = first[pairs], second[pairs]
    score = np.sign(found_N3[first, 0] - found_N3[second, 0])
    quality = np.sign(found_N3[first, 1] - found_N3[second, 1])
    whole = np.sqrt(float((score**2).sum()) * float((quality**2).sum()))
    return float((score * quality).sum() / whole) if whole else None


def near(found_N3: NDArray[np.float64], cost: float) -> NDArray[np.float64]:
    """Return the rows with costs near the given one."""
    return found_N3[np.abs(np.log(found_N3[:, 2] / cost)) <= np.log(NEAR_COST_FACTOR)] if len(found_N3) else found_N3


def trust(found_N3: NDArray[np.float64], cost: float) -> float:
    """Return the weight of zero-shot scores near a cost: max(0, tau) of the trials there, 0 before six of them.

    Args:
        found_N3: Result of `compared`.
        cost: Target cost of the trial that is chosen.
    """
    there_N3 = near(found_N3, cost)
    return 0.0 if len(there_N3) < MIN_NEAR_TRIALS else max(0.0, kendall(there_N3) or 0.0)
