"""Contenders compared with one of them: per task and budget, and over all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import exp, isnan
from typing import Literal

import numpy as np

from ....gan_models.files.errors import UserError
from .rows import BenchRow, scored
from .statistics import (
    Floats,
    Interval,
    PairedTest,
    bootstrapped,
    holm,
    interquartile_mean,
    paired_test,
    pooled,
    probability_of_improvement,
)

Verdict = Literal["better", "worse", "cannot tell", "reference", ""]
SIGNIFICANCE_LEVEL = 0.05  # of the adjusted p-value


@dataclass(frozen=True)
class Standing:
    """One contender on one task at one budget.

    Attributes:
        task, budget, contender: Their names.
        runs: Runs with a result.
        distance, deviation: Mean over teachers and seeds, and standard deviation (NaN of one run).
        metric: Name of the distance.
        teacher: The teacher's distance.
        cost: Mean cost as a share of the dense generator's.
        own_cost: Mean cost of the method's own plan as a share of the target; None if it has none.
        compute: MACs spent, as a multiple of the reference's; None if they were not counted.
        steps, seconds: Means.
        zero_shot: Mean before any training; None if it was not measured, or not always in the same metric.
        zero_shot_metric: Its name.
        test: The paired comparison with the reference; None of the reference itself, or without pairs.
        p: The test's p-value, adjusted for the number of contenders.
    """

    task: str
    budget: str
    contender: str
    runs: int
    distance: float
    deviation: float
    metric: str
    teacher: float | None
    cost: float | None
    own_cost: float | None
    compute: float | None
    steps: float
    seconds: float | None
    zero_shot: float | None
    zero_shot_metric: str
    test: PairedTest | None
    p: float | None

    @property
    def verdict(self) -> Verdict:
        """The verdict of the paired comparison."""
        return _verdict(self.test, self.p)


@dataclass(frozen=True)
class Overall:
    """One contender over all tasks and budgets, against the reference.

    Attributes:
        contender: Its name.
        cells: Tasks times budgets with pairs.
        test: The paired comparison over all pairs.
        p: Its p-value, adjusted for the number of contenders.
        iqm: Interquartile mean of the ratios of distances, with the interval of the stratified bootstrap.
        improvement: Probability that a run of the contender is better than one of the reference.
    """

    contender: str
    cells: int
    test: PairedTest
    p: float
    iqm: Interval
    improvement: Interval

    @property
    def verdict(self) -> Verdict:
        """The verdict of the paired comparison."""
        return _verdict(self.test, self.p)


def _verdict(test: PairedTest | None, p: float | None) -> Verdict:
    if test is None or p is None:
        return ""
    if p > SIGNIFICANCE_LEVEL or isnan(p):
        return "cannot tell"
    return "better" if test.ratio < 1 else "worse"


@dataclass(frozen=True)
class Comparison:
    """The results of a benchmark.

    Attributes:
        reference: The contender that the others are compared with.
        standings: By task and budget, the best mean first.
        overall: The worst contender first.
        missing: Cells without a result, for people.
    """

    reference: str
    standings: tuple[Standing, ...]
    overall: tuple[Overall, ...]
    missing: tuple[str, ...]

    @property
    def losses(self) -> tuple[Standing, ...]:
        """Contenders that are worse than the reference in the mean of ratios, the worst first."""
        behind = [one for one in self.standings if one.test is not None and one.test.ratio > 1]
        return tuple(sorted(behind, key=lambda one: -(one.test.ratio if one.test else 0.0)))


def compared(rows: Sequence[BenchRow], against: str = "", missing: Iterable[str] = ()) -> Comparison:
    """Compare contenders.

    Args:
        rows: All trials.
        against: The reference; empty: the first contender of the rows.
        missing: Cells without a result.

    Raises:
        UserError: There is no result of the reference.
    """
    best = scored(rows)
    names = list(dict.fromkeys(row.contender for row in rows))
    against = against or (names[0] if names else "")
    if against not in {row.contender for row in best}:
        got = ", ".join(dict.fromkeys(row.contender for row in best)) or "no result at all"
        raise UserError(
            f"there is no result of {against or 'any contender'!r}: got {got}; expected a contender with results"
        )
    standings: list[Standing] = []
    for task, budget in dict.fromkeys((row.task, row.budget) for row in best):
        standings += _standings([row for row in best if (row.task, row.budget) == (task, budget)], against)
    return Comparison(against, tuple(standings), _overall(best, against), (*missing, *_unpaired(best, rows)))


def _standings(rows: Sequence[BenchRow], against: str) -> list[Standing]:
    """Return the contenders of one task and budget, the best mean first."""
    others = {row.pair: row for row in rows if row.contender == against}
    own = {name: [row for row in rows if row.contender == name] for name in dict.fromkeys(r.contender for r in rows)}
    tests = {
        name: test
        for name, several in own.items()
        if name != against and (test := _paired(several, others)) is not None
    }
    adjusted = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
    found = [_standing(several, others, tests.get(name), adjusted.get(name)) for name, several in own.items()]
    return sorted(found, key=lambda standing: standing.distance)


def _paired(rows: Sequence[BenchRow], others: dict[tuple[int, int], BenchRow]) -> PairedTest | None:
    pairs_P2 = np.array(_pairs(rows, others)).reshape(-1, 2)
    return paired_test(pairs_P2[:, 0], pairs_P2[:, 1]) if len(pairs_P2) else None


def _pairs(rows: Sequence[BenchRow], others: dict[tuple[int, int], BenchRow]) -> list[tuple[float, float]]:
    """Return pairs of distances by teacher and seed, without those of different metrics or below 0."""
    matched = [(row, others[row.pair]) for row in rows if row.pair in others]
    return [
        (row.quality, other.quality)
        for row, other in matched
        if row.quality and other.quality and min(row.quality, other.quality) > 0 and row.metric == other.metric
    ]


def _standing(
    rows: Sequence[BenchRow], others: dict[tuple[int, int], BenchRow], test: PairedTest | None, p: float | None
) -> Standing:
    first = rows[0]
    distances_R = np.array([row.quality for row in rows], dtype=float)
    compute = [
        row.compute_macs / other.compute_macs
        for row in rows
        if (other := others.get(row.pair)) is not None and row.compute_macs and other.compute_macs
    ]
    return Standing(
        first.task,
        first.budget,
        first.contender,
        len(rows),
        float(distances_R.mean()),
        float(distances_R.std(ddof=1)) if len(rows) > 1 else float("nan"),
        first.metric,
        _mean(rows, lambda row: row.teacher),
        _mean(rows, lambda row: row.macs / row.dense if row.macs and row.dense else _share(row)),
        _mean(rows, lambda row: row.own_cost_over_target),
        float(np.mean(compute)) if compute else None,
        float(np.mean([row.steps for row in rows])),
        _mean(rows, _seconds),
        _mean(rows, lambda row: row.zero_shot) if len({row.zero_shot_metric for row in rows}) == 1 else None,
        first.zero_shot_metric,
        test,
        p,
    )


def _share(row: BenchRow) -> float | None:
    return None if row.cost_over_target is None or isnan(row.target) else row.cost_over_target * row.target


def _seconds(row: BenchRow) -> float | None:
    parts = [part for part in (row.prune_seconds, row.finetune_seconds) if part is not None]
    return row.seconds if row.seconds is not None else sum(parts) if parts else None


def _mean(rows: Sequence[BenchRow], value: Callable[[BenchRow], float | None]) -> float | None:
    known = [found for row in rows if (found := value(row)) is not None]
    return float(np.mean(known)) if known else None


def _overall(rows: Sequence[BenchRow], against: str) -> tuple[Overall, ...]:
    """Return each contender over all tasks and budgets in which it has pairs, the worst first."""
    cells = list(dict.fromkeys((row.task, row.budget) for row in rows))
    strata: dict[str, list[Floats]] = {}
    for name in dict.fromkeys(row.contender for row in rows if row.contender != against):
        for cell in cells:
            here = [row for row in rows if (row.task, row.budget) == cell]
            others = {row.pair: row for row in here if row.contender == against}
            if pairs := _pairs([row for row in here if row.contender == name], others):
                strata.setdefault(name, []).append(np.array(pairs))
    tests = {name: paired_test(*pooled(parts).T) for name, parts in strata.items()}
    adjusted = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
    found = [
        Overall(
            name,
            len(parts),
            tests[name],
            adjusted[name],
            bootstrapped(parts, _iqm_of_ratios),
            bootstrapped(parts, _improvement),
        )
        for name, parts in strata.items()
    ]
    return tuple(sorted(found, key=lambda one: -one.test.ratio))


def _iqm_of_ratios(strata: Sequence[Floats]) -> float:
    pairs_P2 = pooled(strata)
    return exp(interquartile_mean(np.log(pairs_P2[:, 0] / pairs_P2[:, 1])))


def _improvement(strata: Sequence[Floats]) -> float:
    return probability_of_improvement([part[:, 0] for part in strata], [part[:, 1] for part in strata])


def _unpaired(best: Sequence[BenchRow], rows: Sequence[BenchRow]) -> list[str]:
    """Return a line for each cell whose trials have ended without a result."""
    there = {(row.task, row.budget, row.contender, row.pair) for row in best}
    found: dict[str, str] = {}
    for row in rows:
        if (row.task, row.budget, row.contender, row.pair) not in there:
            label = f"{row.task} {row.budget} {row.contender} teacher {row.teacher_number} seed {row.seed}"
            found.setdefault(label, row.failed or "no trial within the budget")
    return [f"{label}: {reason}" for label, reason in found.items()]
