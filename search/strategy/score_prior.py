"""Zero-shot scores as a prior on the importance of groups, weighted by their agreement with this study's trials.

The prior mean has three factors: the slopes of log error in the groups' log ratios, over scored and trained plans; the
ratio of the standard deviations of log quality and log error; and max(0, tau). If tau is near the correlation, the
product is the expectation by a regression of quality on error. Original to ganprune.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..records.ledger import TrialRecord
from ..records.plan_score import PlanErrors, PlanScore
from ..samplers.width_model import slopes
from .score_agreement import by_features, compared, near, trust

Floats = NDArray[np.float64]
MIN_PLANS = 8  # minimum number of scored plans before their slopes are used
Point = Callable[[Mapping[str, int], float], Mapping[str, Any] | None]


def expected_slopes(
    records: Sequence[TrialRecord],
    scored: Sequence[PlanScore],
    point: Point,
    ratios: Sequence[str],
    target: float,
) -> Floats | None:
    """Return the prior mean of the groups' slopes near a cost; None if scores have no weight there.

    Args:
        records: The study's trials.
        scored: The study's plans that were scored and not trained.
        point: Converts widths at a cost to a point of the method's sub-space; returns None if there is none.
        ratios: Names of the ratios in a point, in the model's order.
        target: The cost.
    """
    found_N3 = compared(records)
    weight = trust(found_N3, target)
    features = by_features(records)
    plans = [(plan.widths, plan.cost, _error(plan.errors, features)) for plan in scored if plan.parent is None]
    plans = [plan for plan in plans if plan[2]]
    if weight <= 0 or len(plans) < MIN_PLANS:
        return None
    plans += [(r.widths, r.cost or 0.0, _error(r.zero_shot, features)) for r in records if r.state == "COMPLETE"]
    points = [(point(widths, cost), cost, error) for widths, cost, error in plans if widths and cost > 0 and error]
    known = [(at, cost, error) for at, cost, error in points if at is not None]
    if len(known) < MIN_PLANS:
        return None
    ratios_NG = np.log([[at[name] for name in ratios] for at, _, _ in known])
    costs_N = np.array([cost for _, cost, _ in known])
    errors_N = np.array([float(error or 0.0) for _, _, error in known])
    spread = np.log(np.maximum(near(found_N3, target)[:, :2], 1e-12)).std(axis=0)
    scale = float(spread[1] / spread[0]) if spread[0] > 0 else 0.0
    return weight * min(scale, 2.0) * slopes(ratios_NG, costs_N, errors_N, target)


def _error(errors: PlanErrors | None, features: bool) -> float | None:
    return None if errors is None else errors.by(features)
