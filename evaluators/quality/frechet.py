"""The Fréchet distance between two sets of features, to rounding error and without a matrix square root.

    D = |mu1 - mu2|^2 + Tr S1 + Tr S2 - 2 Tr (S1 S2)^(1/2)          (Dowson and Landau 1982; FID: Heusel et al. 2017)

The last trace is the nuclear norm (sum of singular values) of F1^T F2 for any factors S = F F^T:
  * features on both sides: F = centered features / sqrt(n - 1), so the norm of an n x m matrix;
  * features on one side, (mu, S) on the other: square roots of the eigenvalues of A S A^T, n x n;
  * (mu, S) on both: of L^T S1 L with S2 = L L^T (Cholesky), d x d.
Eigenvalues are quicker than singular values, but the square root of one near zero loses half the digits; if their
worst-case error would matter, singular values of factors are taken instead.

Everything is float64 on the CPU. Shapes: n and m images, d features, A and B centered and scaled features.

torch-fidelity and torchmetrics have it, too: theirs take a d x d matrix square root, give no interval, and fix the
encoder. So it is implemented here. Values agree with pytorch-fid's (tests/evaluators/test_frechet.py,
tests/evaluators/test_inception.py).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...gan_models.files.errors import UserError
from ..features.statistics import FeatureStatistics

# Error of the trace, relative to Tr S1 + Tr S2, above which eigenvalues are not good enough.
_TOLERANCE = 2e-9
_EPSILON = torch.finfo(torch.float64).eps


def frechet_distance(a_ND: Tensor, b_MD: Tensor) -> float:
    """Return the Fréchet distance between the Gaussians fitted to two sets of features (covariances divided by n - 1).

    Args:
        a_ND: features (n, d), n at least 2.
        b_MD: features (m, d), m at least 2.

    Returns:
        The squared distance, as FID is: at least 0, in squared units of the features.

    Raises:
        ValueError: Shapes do not fit, there are fewer than 2 images, or values are not finite.
    """
    mean_a, a = _centered(a_ND)
    mean_b, b = _centered(b_MD)
    _same_dimension(mean_a, mean_b)
    traces = _trace_of(a) + _trace_of(b)
    n, m, d = len(a), len(b), a.shape[1]
    if n > d and m > d:
        root = _root_of_covariances(a.T @ a, b.T @ b, traces)
    else:
        cross = a @ b.T if n < m else b @ a.T
        # Centered rows add up to zero, so one eigenvalue is exactly 0; rounding must not make it 1e-16.
        root = _root_of_eigenvalues(cross @ cross.T, min(min(n, m) - 1, d), traces)
        root = _nuclear(cross) if root is None else root
    return _distance(mean_a, mean_b, traces, root)


def frechet_to_statistics(a_ND: Tensor, other: FeatureStatistics) -> float:
    """Return `frechet_distance` with the second set known by its statistics only."""
    mean, a = _centered(a_ND)
    _same_dimension(mean, other.mean)
    covariance = (other.covariance + other.covariance.T) / 2
    traces = _trace_of(a) + float(covariance.trace())
    if len(a) > a.shape[1]:
        root = _root_of_covariances(a.T @ a, covariance, traces)
    else:
        root = _root_of_eigenvalues(a @ covariance @ a.T, min(len(a) - 1, a.shape[1]), traces)
        root = _nuclear(a @ _factor(covariance)) if root is None else root
    return _distance(mean, other.mean, traces, root)


def frechet_from_statistics(mu1: Tensor, sigma1: Tensor, mu2: Tensor, sigma2: Tensor) -> float:
    """Return `frechet_distance` from means (d,) and covariances (d, d); covariances may be singular."""
    first, second = FeatureStatistics(mu1, sigma1), FeatureStatistics(mu2, sigma2)
    _same_dimension(first.mean, second.mean)
    one, two = ((s.covariance + s.covariance.T) / 2 for s in (first, second))
    traces = float(one.trace() + two.trace())
    return _distance(first.mean, second.mean, traces, _root_of_covariances(one, two, traces))


def frechet_between(a: Tensor | FeatureStatistics, b: Tensor | FeatureStatistics) -> float:
    """Return the distance of two sets, each given as features (n, d) or statistics."""
    if isinstance(a, Tensor):
        return frechet_distance(a, b) if isinstance(b, Tensor) else frechet_to_statistics(a, b)
    if isinstance(b, Tensor):
        return frechet_to_statistics(b, a)
    return frechet_from_statistics(a.mean, a.covariance, b.mean, b.covariance)


def _centered(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (d,) and A (n, d) with A^T A the covariance."""
    if features.dim() != 2 or len(features) < 2:
        raise UserError(
            f"a Fréchet distance needs other features: got {tuple(features.shape)}; expected (n, d) of n >= 2 images"
        )
    values = features.detach().double().cpu()
    if not bool(torch.isfinite(values).all()):
        raise ValueError("features are not finite (NaN or infinity): no distance can be taken")
    mean = values.mean(0)
    return mean, (values - mean) / (len(values) - 1) ** 0.5


def _same_dimension(mean_a: Tensor, mean_b: Tensor) -> None:
    if mean_a.shape != mean_b.shape:
        raise UserError(
            f"features of different dimensions cannot be compared: got {mean_a.numel()} and {mean_b.numel()}; "
            f"expected the same encoder for both"
        )


def _trace_of(a: Tensor) -> float:
    return float((a * a).sum())


def _distance(mean_a: Tensor, mean_b: Tensor, traces: float, root: float) -> float:
    shift = float(((mean_a - mean_b) ** 2).sum())
    return max(shift + traces - 2 * root, 0.0)


def _nuclear(matrix: Tensor) -> float:
    return float(torch.linalg.svdvals(matrix).sum())


def _root_of_covariances(one: Tensor, two: Tensor, traces: float) -> float:
    """Return Tr (S1 S2)^(1/2) of symmetric d x d matrices, full rank or not."""
    lower, failed = torch.linalg.cholesky_ex(two)
    if not int(failed):
        root = _root_of_eigenvalues(lower.T @ one @ lower, len(one), traces)
        if root is not None:
            return root
    return _nuclear(_factor(one).T @ _factor(two))


def _root_of_eigenvalues(matrix: Tensor, rank: int, traces: float) -> float | None:
    """Return the sum of the square roots of a semi-definite matrix's `rank` largest eigenvalues; None if too inexact.

    An eigenvalue is known to within `slack`, about eps times the largest one; its root to within
    slack / (2 root), or sqrt(slack) near zero.
    """
    values = torch.linalg.eigvalsh((matrix + matrix.T) / 2)[len(matrix) - rank :].clamp(min=0)
    slack = 4 * _EPSILON * float(values[-1]) if rank else 0.0
    roots = values.sqrt()
    if slack > 0:
        error = float((slack / (2 * roots).clamp(min=slack**0.5)).sum())
        if error > _TOLERANCE * traces:
            return None
    return float(roots.sum())


def _factor(covariance: Tensor) -> Tensor:
    """Return F (d, r) with F F^T = S, truncated to S's numerical rank r."""
    values, vectors = torch.linalg.eigh(covariance)
    kept = values > len(values) * _EPSILON * float(values[-1])
    return vectors[:, kept] * values[kept].sqrt()
