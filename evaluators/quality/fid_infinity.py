"""The Fréchet distance at infinitely many images, from distances at several sizes (Chong and Forsyth 2020).

Its bias is close to proportional to 1/n on each side, so distances of 1/j of all images lie on a line in j; the
distance at infinite n is where the line meets j = 0. Subsets are disjoint, never drawn with replacement.
Shapes: n and m images, d features.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...gan_models.files.errors import UserError
from ..features.sample import FeatureSample, as_sample
from ..features.statistics import FeatureStatistics
from .frechet import frechet_between
from .jackknife import Estimate, group_jackknife

SAMPLE_QUARTERS = (1, 2, 3, 4)
MIN_IMAGES = 4 * len(SAMPLE_QUARTERS)


def extrapolated_frechet(
    a_ND: Tensor | FeatureSample, real_MD: Tensor | FeatureSample | FeatureStatistics, n_groups: int = 10
) -> Estimate:
    """Return the distance extrapolated to infinite n, with its jackknife interval.

    Args:
        a_ND: Features of the generated images (n, d).
        real_MD: Features of the real ones (m, d). Statistics are accepted, too; then only n goes to infinity.
        n_groups: Groups of the jackknife.

    Raises:
        ValueError: There are too few images for a line, or too many for their features to be stored.
    """
    a = as_sample(a_ND)
    real = None if isinstance(real_MD, FeatureStatistics) else as_sample(real_MD)
    for side in (a, real):
        if side is not None and side.n < MIN_IMAGES:
            raise UserError(
                f"extrapolating needs more images: got {side.n}; "
                f"expected at least {MIN_IMAGES} generated and {MIN_IMAGES} real"
            )
        if side is not None and not side.whole:
            raise UserError(
                f"extrapolating needs all features in memory: got {side.n} images; expected fewer. Try to omit it"
            )
    if isinstance(real_MD, FeatureStatistics):
        return group_jackknife(lambda x: _at_infinity(x, real_MD), (a,), None, n_groups)
    assert real is not None
    return group_jackknife(_at_infinity, (a, real), None, n_groups)


def _at_infinity(a_ND: Tensor, real: Tensor | FeatureStatistics) -> float:
    values = []
    for parts in SAMPLE_QUARTERS:
        pairs = [(a_ND[i::parts], real[i::parts] if isinstance(real, Tensor) else real) for i in range(parts)]
        values.append(sum(frechet_between(x, y) for x, y in pairs) / parts)
    j = torch.tensor(SAMPLE_QUARTERS, dtype=torch.float64)
    y = torch.tensor(values, dtype=torch.float64)
    slope = float(((j - j.mean()) * (y - y.mean())).sum() / ((j - j.mean()) ** 2).sum())
    return float(y.mean()) - slope * float(j.mean())
