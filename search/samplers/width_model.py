"""The model of the width search: the importance of each group, learned from all trained plans.

log quality ~ a curve in log cost + w . x + curvature / 2 |x|^2, x the log ratios of a plan: near the uniform plan any
smooth response has this form, with one number per group, which all trials at all costs determine together. A draw from
its posterior (Thompson 1933) is minimized: uncertain groups are explored, known ones exploited. Original to ganprune;
in simulation it finds in 100 trials what a density model in as many dimensions does not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NOISE = 0.06  # std of the unexplained log quality: training seeds and nonlinearity
SLOPE = 2.0  # prior std of the sum of the groups' slopes; one of G groups has 1/G of it
CURVATURE = 24.0  # prior mean of the sum of the groups' curvatures, and twice its std
CURVE = (10.0, 3.0, 0.5)  # prior std of level, slope and bend in log cost
MAX_LOG_DISTANCE = 0.4  # maximum root mean square of a proposal's log ratios
JITTER = 0.03  # std of noise on each log ratio, so that no two proposals are equal


def propose(
    ratios_NG: Floats,
    costs_N: Floats,
    qualities_N: Floats,
    target: float,
    generator: np.random.Generator,
    expected_G: Floats | None = None,
) -> Floats:
    """Return the log ratios [G] of the plan to try next.

    Args:
        ratios_NG: Log ratios of the plans that were trained [N, G], relative to each plan's mean.
        costs_N: Their costs [N], above 0.
        qualities_N: Their qualities [N], lower is better.
        target: The cost that the proposal is for.
        generator: Random numbers for draws from the posterior.
        expected_G: Prior mean of the groups' slopes [G]; None: zero.
    """
    groups = ratios_NG.shape[1]
    middle_F, lower_FF = _posterior(ratios_NG, costs_N, qualities_N, target, expected_G)
    drawn_F = middle_F + np.linalg.solve(lower_FF.T, generator.standard_normal(len(middle_F)))
    slopes_G = drawn_F[3:-1] - drawn_F[3:-1].mean()
    found_G = -slopes_G / max(float(drawn_F[-1]), 0.25 * CURVATURE / groups)
    found_G *= min(1.0, MAX_LOG_DISTANCE / max(float(np.sqrt(np.mean(found_G**2))), 1e-12))
    return found_G + JITTER * generator.standard_normal(groups)


def slopes(ratios_NG: Floats, costs_N: Floats, values_N: Floats, target: float) -> Floats:
    """Return the slopes [G] of the logarithm of a value in the groups' log ratios, as the model expects them.

    Args:
        ratios_NG: Log ratios of plans, as for `propose`.
        costs_N: Their costs.
        values_N: Values of the plans.
        target: The cost of the slopes.
    """
    return _posterior(ratios_NG, costs_N, values_N, target, None)[0][3:-1]


def _posterior(
    ratios_NG: Floats, costs_N: Floats, qualities_N: Floats, target: float, expected_G: Floats | None
) -> tuple[Floats, Floats]:
    """Return mean [F] and the precision's Cholesky factor [F, F] of level, slope, bend, groups' slopes, curvature."""
    groups = ratios_NG.shape[1]
    slope = SLOPE / groups
    away_N = np.log(costs_N / target)
    shift = max(0.0, 1e-3 * float(np.ptp(qualities_N)) - float(qualities_N.min())) if len(qualities_N) else 0.0
    log_N = np.log(np.maximum(qualities_N + shift, 1e-12))
    bent_N = 0.5 * (ratios_NG**2).sum(axis=1)
    known_NF = np.column_stack([np.ones_like(away_N), away_N, away_N**2, ratios_NG, bent_N])
    prior_F = np.array([*CURVE, *[slope] * groups, 0.5 * CURVATURE / groups])
    expected = np.zeros(groups) if expected_G is None else expected_G
    mean_F = np.array([float(np.mean(log_N)) if len(log_N) else 0.0, 0.0, 0.0, *expected, CURVATURE / groups])
    precision_FF = known_NF.T @ known_NF / NOISE**2 + np.diag(prior_F**-2)
    lower_FF = np.linalg.cholesky(precision_FF)
    pull_F = known_NF.T @ (log_N - known_NF @ mean_F) / NOISE**2
    mean_F = mean_F + np.linalg.solve(precision_FF, pull_F)
    return mean_F.astype(np.float64), lower_FF.astype(np.float64)
