"""Standard errors and intervals by the delete-a-group jackknife, for statistics that are biased at small n.

Resampling with replacement repeats images, which moves a Fréchet distance up: at n = 120 a bootstrap interval
leaves out its own estimate. Leaving groups out does not repeat any; its shift is nearly the same for every
group and cancels in the spread. By the Efron-Stein inequality the spread is too large rather than too small.
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
        value: the statistic on all data.
        standard_error: of the value around its expectation at this sample size.
        low: lower end of the interval.
        high: upper end.
        degrees: degrees of freedom of Student's t behind the interval.
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
        difference: distance of A minus distance of B; negative means that A is better.
        p: two-sided p-value of "no difference".
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
    """Standard error and interval of `statistic(*samples)` by leaving out one group of images at a time.

    Delete-a-group jackknife (Shao and Tu 1995, section 2.3), the variances of independent sets added.

    Args:
        statistic: takes the sets, returns a number. It gets features (n, d), or `FeatureStatistics` of a sample
            whose features are not all kept.
        samples: sets of features, each (n_i, d), or samples of them.
        tied: which sets go together: `((0, 1),)` when image i of both comes from the same scene, so that they
            are left out together; `((0,), (1,))` (default) when the sets are independent. A set in no tuple
            is taken as fixed: the interval then does not count its chance.
        n_groups: at least 2; image i belongs to group i modulo n_groups. A sample whose features are not all kept
            has its own groups.
        confidence: of the interval, in (0, 1).

    Raises:
        ValueError: fewer images than groups allow, tied sets of different sizes, a confidence out of range.
    """
    tied = tuple((i,) for i in range(len(samples))) if tied is None else tied
    if not 0 < confidence < 1 or n_groups < 2:
        raise ValueError(f"confidence must lie in (0, 1) and groups be >= 2, got {confidence} and {n_groups}")
    sides = [as_sample(sample) for sample in samples]
    whole = [side.side() for side in sides]
    value, variance, degrees = statistic(*whole), 0.0, 0
    for together in tied:
        sizes = {sides[i].n for i in together}
        if len(sizes) != 1:
            raise ValueError(f"sets left out together must have one size, got {sorted(sizes)}")
        size = sizes.pop()
        groups = max(len(sides[i].groups) for i in together) or min(n_groups, size)
        if size < 4:
            raise ValueError(f"an interval needs at least 4 images a set, got {size}")
        replicates = []
        for g in range(groups):
            left = [s.without(g, groups) if i in together else whole[i] for i, s in enumerate(sides)]
            replicates.append(statistic(*left))
        spread = torch.tensor(replicates, dtype=torch.float64)
        variance += (groups - 1) / groups * float(((spread - spread.mean()) ** 2).sum())
        degrees += groups - 1
    if not degrees:
        raise ValueError("no set is left to vary: name at least one in `tied`")
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
    """Return which of two generators is closer to the real images, or that nobody can tell.

    Args:
        a_ND: features of A's outputs (n, d).
        b_ND: features of B's outputs (n, d).
        real_MD: features of the real images (m, d); or their statistics, whose chance is then not counted.
        paired: real image i belongs to input i (then m = n and all three are left out together).
        level: p-value below which a difference is called one.
        n_groups: groups of the jackknife.
        matched: A and B were fed the same inputs in the same order, so that image i of both is left out together.

    Raises:
        ValueError: A and B have different numbers of images: distances are biased by n.
    """
    a, b = as_sample(a_ND), as_sample(b_ND)
    if a.n != b.n:
        raise UserError(f"compare at equal n, a distance depends on it: A has {a.n} images, B has {b.n}")
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
