"""Standard errors and intervals by the delete-a-group jackknife, for statistics that are biased at small n.

Resampling with replacement repeats images, which increases a Fréchet distance: at n = 120 a bootstrap interval excludes
its own estimate. Leaving groups out repeats no image; its bias is nearly the same for every group and cancels in the
variance. By the Efron-Stein inequality the variance is too large rather than too small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from scipy import stats
from torch import Tensor

from ...gan_models.files.errors import UserError
from ..features.sample import FeatureSample, as_sample
from ..features.statistics import FeatureStatistics
from .frechet import frechet_between

Features = Tensor | FeatureSample
Side = Tensor | FeatureStatistics
Tied = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error and interval.

    Attributes:
        value: The statistic on all data.
        standard_error: Standard error of the value around its expectation at this sample size.
        low: Lower end of the interval.
        high: Upper end.
        degrees: Degrees of freedom of Student's t behind the interval.
    """

    value: float
    standard_error: float
    low: float
    high: float
    degrees: int


@dataclass(frozen=True)
class Comparison:
    """A comparison of generator A with B.

    Attributes:
        difference: Distance of A minus distance of B; negative means that A is better.
        p: Two-sided p-value of "no difference".
        verdict: `A better (p=0.003)`, `B better (p=...)` or `cannot tell A from B at n=120 (p=0.4)`.
    """

    difference: Estimate
    p: float
    verdict: str


def group_jackknife(
    statistic: Callable[..., float],
    samples: Sequence[Features],
    tied: Tied | None = None,
    n_groups: int = 20,
    confidence: float = 0.9,
) -> Estimate:
    """Return the standard error and interval of `statistic(*samples)` by leaving out one group of images at a time.

    Delete-a-group jackknife (Shao and Tu 1995, section 2.3), the variances of independent sets added.

    Args:
        statistic: Function of the sets that returns a number. A set is passed as features (n, d), or as
            `FeatureStatistics` if its features are not all stored.
        samples: Sets of features, each (n_i, d), or samples of them.
        tied: Sets that are left out together: `((0, 1),)` if image i of both comes from the same scene; `((0,), (1,))`
            (default) if the sets are independent. A set in no tuple is fixed: the interval does not count its sampling
            error.
        n_groups: At least 2; image i belongs to group i modulo n_groups. A sample whose features are not all stored has
            its own groups.
        confidence: Confidence of the interval, in (0, 1).

    Raises:
        ValueError: There are too few images for the groups, tied sets have different sizes, or the confidence is out of
            range.
    """
    tied = tuple((i,) for i in range(len(samples))) if tied is None else tied
    if not 0 < confidence < 1 or n_groups < 2:
        raise ValueError(
            f"confidence or number of groups is out of range: got {confidence} and {n_groups}; expected (0, 1) and >= 2"
        )
    sides = [as_sample(sample) for sample in samples]
    whole = [side.side() for side in sides]
    value, variance, degrees = statistic(*whole), 0.0, 0
    for together in tied:
        sizes = {sides[i].n for i in together}
        if len(sizes) != 1:
            raise ValueError(f"sets that are left out together differ in size: got {sorted(sizes)}; expected one size")
        size = sizes.pop()
        groups = max(len(sides[i].groups) for i in together) or min(n_groups, size)
        if size < 4:
            raise ValueError(f"an interval needs more images: got {size}; expected at least 4 per set")
        replicates = []
        for g in range(groups):
            left = [s.without(g, groups) if i in together else whole[i] for i, s in enumerate(sides)]
            replicates.append(statistic(*left))
        spread = torch.tensor(replicates, dtype=torch.float64)
        variance += (groups - 1) / groups * float(((spread - spread.mean()) ** 2).sum())
        degrees += groups - 1
    if not degrees:
        raise ValueError("no set varies: got an empty `tied`; expected at least one set in it")
    error = variance**0.5
    reach = float(stats.t.ppf(0.5 + confidence / 2, degrees)) * error
    return Estimate(value, error, value - reach, value + reach, degrees)


def compare_frechet(
    a_ND: Features,
    b_ND: Features,
    real_MD: Features | FeatureStatistics,
    paired: bool,
    level: float = 0.05,
    n_groups: int = 20,
    matched: bool = True,
) -> Comparison:
    """Return which of two generators is closer to the real images, or that the data cannot tell.

    Args:
        a_ND: Features of A's outputs (n, d).
        b_ND: Features of B's outputs (n, d).
        real_MD: Features of the real images (m, d), or their statistics, whose sampling error is then not counted.
        paired: True if real image i belongs to input i (then m = n and all three are left out together).
        level: p-value below which a difference is called one.
        n_groups: Groups of the jackknife.
        matched: True if A and B took the same inputs in the same order, so that image i of both is left out together.

    Raises:
        ValueError: A and B have different numbers of images: distances are biased by n.
    """
    a, b = as_sample(a_ND), as_sample(b_ND)
    if a.n != b.n:
        raise UserError(
            f"distances at different n cannot be compared: got {a.n} images of A and {b.n} of B; expected equal numbers"
        )
    own = ((0, 1),) if matched else ((0,), (1,))
    if isinstance(real_MD, FeatureStatistics):
        samples, tied = (a, b), own
    else:
        samples, tied = (a, b, as_sample(real_MD)), ((0, 1, 2),) if paired and matched else (*own, (2,))

    def difference_of(one: Side, two: Side, *rest: Side) -> float:
        real = rest[0] if rest else real_MD
        assert not isinstance(real, FeatureSample)
        return frechet_between(one, real) - frechet_between(two, real)

    difference = group_jackknife(difference_of, samples, tied, n_groups)
    if difference.standard_error > 0:
        p = 2 * float(stats.t.sf(abs(difference.value) / difference.standard_error, difference.degrees))
    else:
        p = 1.0 if difference.value == 0 else 0.0
    if p < level:
        verdict = f"{'A' if difference.value < 0 else 'B'} better (p={p:.2g})"
    else:
        verdict = f"cannot tell A from B at n={a.n} (p={p:.2g})"
    return Comparison(difference, p, verdict)
