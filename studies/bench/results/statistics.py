"""Statistics of paired runs: estimates, intervals and tests for two contenders.

After Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (interquartile mean,
stratified bootstrap, probability of improvement) and Holm 1979. Implemented here on
scipy, because rliable is archived. Lower values are better everywhere, as distances are.

Shape suffixes: S strata, R runs of a stratum, P pairs, B bootstrap samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
CONFIDENCE_LEVEL = 0.95
SAMPLES = 2000
TRIMMED_SHARE = 0.25  # share of the runs at each end
NO_SPREAD = 1e-9  # tolerance of logarithms: smaller differences are rounding errors


@dataclass(frozen=True)
class Interval:
    """A statistic with its interval.

    Attributes:
        value: The statistic of the runs.
        low, high: The 95 % interval; both NaN if there are too few runs.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class PairedTest:
    """A paired comparison on logarithms.

    Attributes:
        pairs: Number of pairs.
        ratio: Geometric mean of the ratios; below 1: the first is better.
        low, high: 95 % interval of it by Student's t; NaN with fewer than two pairs.
        p: Two-sided, of a ratio of 1; 1 with fewer than two pairs.
    """

    pairs: int
    ratio: float
    low: float
    high: float
    p: float


def interquartile_mean(values: npt.ArrayLike) -> float:
    """Return the mean of the middle half of the values.

    Args:
        values: (R,), any number of runs; with fewer than four it is their mean.
    """
    return float(stats.trim_mean(np.asarray(values, dtype=float), TRIMMED_SHARE))


def paired_test(first: npt.ArrayLike, second: npt.ArrayLike) -> PairedTest:
    """Compare pairs by the logarithm of their ratio.

    Args:
        first: (P,) positive values.
        second: (P,) likewise; entry i of both is a pair.

    Raises:
        ValueError: There is no pair, or a value is not positive.
    """
    first_P, second_P = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if not len(first_P) or first_P.shape != second_P.shape or (first_P <= 0).any() or (second_P <= 0).any():
        raise ValueError(f"pairs are of positive values, one or more; got {first_P} and {second_P}")
    logs_P = np.log(first_P) - np.log(second_P)
    mean, count = float(logs_P.mean()), len(logs_P)
    spread = float(logs_P.std(ddof=1)) if count > 1 else float("nan")
    ratio = float(np.exp(mean))
    if count < 2:
        return PairedTest(count, ratio, float("nan"), float("nan"), 1.0)
    if spread < NO_SPREAD:
        return PairedTest(count, ratio, ratio, ratio, 1.0 if abs(mean) < NO_SPREAD else 0.0)
    error = spread / count**0.5
    half = float(stats.t.ppf(0.5 + CONFIDENCE_LEVEL / 2, count - 1)) * error
    p = 2 * float(stats.t.sf(abs(mean) / error, count - 1))
    return PairedTest(count, ratio, float(np.exp(mean - half)), float(np.exp(mean + half)), p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number, in the same order (Holm's step-down procedure).

    Args:
        p_values: P-values of one family of tests.
    """
    order = np.argsort(p_values, kind="stable")
    adjusted, highest = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def probability_of_improvement(first: Sequence[npt.ArrayLike], second: Sequence[npt.ArrayLike]) -> float:
    """Return the probability that a run of the first is better (lower) than one of the second, ties counted as half.

    Args:
        first: S strata of (R,) runs each; the mean over the strata is taken.
        second: Likewise.
    """
    parts = []
    for own, other in zip(first, second, strict=True):
        own_R, other_R = np.asarray(own, dtype=float), np.asarray(other, dtype=float)
        less = (own_R[:, None] < other_R).mean() + 0.5 * (own_R[:, None] == other_R).mean()
        parts.append(float(less))
    return float(np.mean(parts))


def bootstrapped(
    strata: Sequence[npt.ArrayLike],
    statistic: Callable[[Sequence[Floats]], float],
    seed: int = 0,
    samples: int = SAMPLES,
) -> Interval:
    """Return a statistic with its percentile interval by the stratified bootstrap: runs are drawn within each stratum.

    Args:
        strata: S arrays of runs, (R,) or (R, columns); rows are drawn whole, so that pairs stay pairs.
        statistic: Function of such strata.
        seed: Seed of the draws.
        samples: Number of samples B.
    """
    runs = [np.asarray(stratum, dtype=float) for stratum in strata]
    value = statistic(runs)
    if not any(len(stratum) > 1 for stratum in runs):
        return Interval(value, float("nan"), float("nan"))
    random = np.random.default_rng(seed)
    drawn_B = [
        statistic([stratum[random.integers(len(stratum), size=len(stratum))] for stratum in runs])
        for _ in range(samples)
    ]
    low, high = np.quantile(drawn_B, [0.5 - CONFIDENCE_LEVEL / 2, 0.5 + CONFIDENCE_LEVEL / 2])
    return Interval(value, float(low), float(high))


def pooled(strata: Sequence[Floats]) -> Floats:
    """Return the runs of all strata as one array."""
    return np.concatenate(list(strata))
