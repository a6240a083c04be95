"""Which method gets the next trial: equally at first, then by the hypervolume gained, never less than a tenth."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from . import pareto
from .ledger import TrialRecord

EQUAL_ROUNDS = 4  # trials a method gets before gains are compared
RECENT = 10  # trials of a method that its gain is averaged over
FLOOR = 0.1
LADDER = "ladder:"


def sampled(records: Sequence[TrialRecord], method: str) -> list[TrialRecord]:
    """A method's trials that a sampler chose: all but the ladder's."""
    return [r for r in records if r.new.method == method and not r.new.origin.startswith(LADDER)]


def gains(records: Sequence[TrialRecord], methods: Sequence[str]) -> dict[str, float]:
    """What each method's recent trials added to the front, on average.

    Args:
        records: The study's trials by number.
        methods: The methods' names.

    Returns:
        By method, the mean hypervolume that its last 10 finished, sampled trials added when they are put in one
        after the other; objectives by their range over the study. Trials off the front add 0.
    """
    recent = {m: [r for r in sampled(records, m) if r.finished][-RECENT:] for m in methods}
    first = min((r.number for trials in recent.values() for r in trials), default=len(records))
    scored = [r for r in records if r.scored]
    points_N2 = np.array([(r.quality, r.cost) for r in scored], dtype=float).reshape(-1, 2)
    added: dict[int, float] = {}
    if len(scored) > 1:
        low, span = points_N2.min(axis=0), np.ptp(points_N2, axis=0)
        unit_N2 = (points_N2 - low) / np.where(span > 0, span, 1.0)
        # only what the recent trials added is asked for: what came before them is one front
        start = sum(r.number < first for r in scored)
        front = unit_N2[:start][pareto.non_dominated(unit_N2[:start])]
        volume = pareto.hypervolume(front, (1.1, 1.1))
        for record, point in zip(scored[start:], unit_N2[start:], strict=True):
            front = np.vstack([front, point])
            front = front[pareto.non_dominated(front)]
            grown = pareto.hypervolume(front, (1.1, 1.1))
            added[record.number], volume = grown - volume, grown
    return {m: sum(added.get(r.number, 0.0) for r in rs) / len(rs) if rs else 0.0 for m, rs in recent.items()}


def fixed_shares(methods: Sequence[str], given: Mapping[str, float]) -> dict[str, float]:
    """The shares that the user set, to sum 1; methods not named share what is left.

    Raises:
        ValueError: a name is no method, a share is negative, or they sum to more than 1 (or to 0).
    """
    unknown = sorted(set(given) - set(methods))
    if unknown:
        raise ValueError(f"--share names {unknown[0]!r}, which is not searched; methods: {', '.join(methods)}")
    total = sum(given.values())
    others = [method for method in methods if method not in given]
    if (
        any(not (math.isfinite(s) and s >= 0) for s in given.values())
        or total > 1 + 1e-9
        or (total <= 0 and not others)
    ):
        raise ValueError(f"--share gives each method a part, 0 to 1, together at most 1; got {dict(given)}")
    rest = max(0.0, 1 - total) / len(others) if others else 0.0
    shares = {method: given.get(method, rest) for method in methods}
    return {method: share / sum(shares.values()) for method, share in shares.items()}


def choose_method(
    records: Sequence[TrialRecord], methods: Sequence[str], given: Mapping[str, float], draw: float
) -> str:
    """The method of the next sampled trial.

    Args:
        records: The study's trials by number.
        methods: The methods, in the user's order.
        given: The user's shares; with any, they alone decide.
        draw: A number in [0, 1) from the trial's seed.

    Returns:
        Its name: with shares given, the method furthest behind its share; else the one with the fewest trials
        until each has 4 (the ladder's count for the method that made them), then one that is behind a tenth of all,
        then one drawn by hypervolume gained.
    """
    counts = {method: len(sampled(records, method)) for method in methods}
    total = sum(counts.values())
    if given:
        shares = fixed_shares(methods, given)
        return max(methods, key=lambda method: shares[method] * (total + 1) - counts[method])
    floor = min(FLOOR, 1 / len(methods))
    tried = {method: sum(record.new.method == method for record in records) for method in methods}
    newest = min(methods, key=lambda method: tried[method])
    if tried[newest] < EQUAL_ROUNDS:
        return newest
    fewest = min(methods, key=lambda method: counts[method])
    if counts[fewest] < floor * total:
        return fewest
    gained = gains(records, methods)
    all_gained = sum(gained.values())
    free = 1 - floor * len(methods)
    edge = 0.0
    for method in methods:
        edge += floor + free * (gained[method] / all_gained if all_gained > 0 else 1 / len(methods))
        if draw < edge:
            return method
    return methods[-1]
