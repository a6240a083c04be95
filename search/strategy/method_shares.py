"""The method of the next trial: equal shares at first, then by gain of hypervolume, with at least a tenth each."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ...gan_models.files.errors import UserError
from ..records.ledger import TrialRecord
from . import pareto

N_EQUAL_ROUNDS = 3  # number of trials of a method before gains are compared
FLOOR = 0.1
LADDER = "ladder:"


def sampled(records: Sequence[TrialRecord], method: str) -> list[TrialRecord]:
    """Return a method's trials that a sampler chose: all but the ladder's."""
    return [r for r in records if r.new.method == method and not r.new.origin.startswith(LADDER)]


def gains(records: Sequence[TrialRecord], methods: Sequence[str]) -> dict[str, float]:
    """Return the hypervolume lost per trial if a method's trials were removed.

    Args:
        records: The study's trials by number.
        methods: The methods' names.

    Returns:
        By method, the hypervolume lost without the trials that its sampler chose, over their number; objectives are
        relative to their range in the study. The gain at the time of a trial is unsuitable: while the front is coarse,
        every trial adds something, regardless of its method.
    """
    scored = [r for r in records if r.scored]
    if len(scored) < 2:
        return dict.fromkeys(methods, 0.0)
    points_N2 = np.array([(r.quality, r.cost) for r in scored], dtype=float)
    low, span = points_N2.min(axis=0), np.ptp(points_N2, axis=0)
    unit_N2 = (points_N2 - low) / np.where(span > 0, span, 1.0)

    def volume(kept_N: np.ndarray) -> float:
        left_N2 = unit_N2[kept_N]
        return pareto.hypervolume(left_N2[pareto.non_dominated(left_N2)], (1.1, 1.1)) if len(left_N2) else 0.0

    whole, found = volume(np.ones(len(scored), dtype=bool)), {}
    for method in methods:
        own = {r.number for r in sampled(records, method) if r.finished}
        without = volume(np.array([r.number not in own for r in scored]))
        found[method] = (whole - without) / len(own) if own else 0.0
    return found


def fixed_shares(methods: Sequence[str], given: Mapping[str, float]) -> dict[str, float]:
    """Return the shares that the user set, with sum 1; other methods share the rest equally.

    Raises:
        ValueError: A name is not a method, a share is negative, or shares sum to more than 1 (or to 0).
    """
    unknown = sorted(set(given) - set(methods))
    if unknown:
        raise UserError(
            f"--share names a method that is not searched: got {unknown[0]!r}; expected one of {', '.join(methods)}"
        )
    total = sum(given.values())
    others = [method for method in methods if method not in given]
    if (
        any(not (math.isfinite(s) and s >= 0) for s in given.values())
        or total > 1 + 1e-9
        or (total <= 0 and not others)
    ):
        raise UserError(f"invalid --share: got {dict(given)}; expected 0 to 1 per method, with a sum of at most 1")
    rest = max(0.0, 1 - total) / len(others) if others else 0.0
    shares = {method: given.get(method, rest) for method in methods}
    return {method: share / sum(shares.values()) for method, share in shares.items()}


def untried(methods: Sequence[str], ladder: Sequence[str], given: Mapping[str, float], trials: int) -> list[str]:
    """Return the methods without a trial among a study's first trials, although they have a share.

    Args:
        methods: The methods, in the user's order.
        ladder: The method of each plan of the ladder.
        given: The user's shares.
        trials: Number of the study's trials, including the ladder.
    """
    made, chosen = list(ladder[:trials]), dict.fromkeys(methods, 0)
    shares = fixed_shares(methods, given) if given else {}
    for _ in range(trials - len(made)):
        if given:
            method = _furthest_behind(shares, chosen)
        elif 0 not in (counts := {method: made.count(method) for method in methods}).values():
            break
        else:
            method = min(methods, key=counts.__getitem__)
        chosen[method] += 1
        made.append(method)
    return [method for method in methods if method not in made and shares.get(method, 1.0) > 0]


def _furthest_behind(shares: Mapping[str, float], counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    return max(shares, key=lambda method: shares[method] * (total + 1) - counts[method])


def choose_method(
    records: Sequence[TrialRecord], methods: Sequence[str], given: Mapping[str, float], draw: float
) -> str:
    """Return the method of the next sampled trial.

    Args:
        records: The study's trials by number.
        methods: The methods, in the user's order.
        given: The user's shares; if there are any, only they count.
        draw: A number in [0, 1) from the trial's seed.

    Returns:
        Its name. With shares, it is the method furthest behind its share. Without, it is the one with the fewest trials
        until each has 3; then one with less than a tenth of all (the ladder's trials count for their method); then a
        random one in proportion to its gain of hypervolume.
    """
    counts = {method: len(sampled(records, method)) for method in methods}
    if given:
        return _furthest_behind(fixed_shares(methods, given), counts)
    floor = min(FLOOR, 1 / len(methods))
    tried = {method: sum(record.new.method == method for record in records) for method in methods}
    newest = min(methods, key=lambda method: tried[method])
    if tried[newest] < N_EQUAL_ROUNDS:
        return newest
    if tried[newest] < floor * len(records):
        return newest
    gained = gains(records, methods)
    all_gained = sum(gained.values())
    free = 1 - floor * len(methods)
    edge = 0.0
    for method in methods:
        edge += floor + free * (gained[method] / all_gained if all_gained > 0 else 1 / len(methods))
        if draw < edge:
            return method
    return methods[-1]
