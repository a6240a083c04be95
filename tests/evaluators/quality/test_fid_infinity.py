"""The distance at infinitely many images."""

import pytest
import torch
from ganprune.evaluators.features.sample import sample_of
from ganprune.evaluators.quality.fid_infinity import MIN_IMAGES, extrapolated_frechet
from ganprune.evaluators.quality.frechet import frechet_distance

from ...fakes.features import statistics_of


def normal(n, d, seed, shift=0.0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def test_the_bias_is_taken_off():
    """Mean over 30 draws of a distance whose truth is known: far off as it is, near the truth extrapolated."""
    d, shift = 8, 0.25
    truth = d * shift**2
    plain, extrapolated = [], []
    for seed in range(30):
        a, b = normal(240, d, 2 * seed), normal(240, d, 2 * seed + 1, shift)
        plain.append(frechet_distance(a, b))
        extrapolated.append(extrapolated_frechet(a, b, n_groups=2).value)
    bias = sum(plain) / 30 - truth
    assert bias > 0.15
    assert abs(sum(extrapolated) / 30 - truth) < 0.2 * bias


def test_interval_and_statistics_side():
    """The interval holds the value; with a real side of statistics only the generated side is extrapolated."""
    a, b = normal(80, 4, 1), normal(90, 4, 2, 0.5)
    both = extrapolated_frechet(a, b)
    assert both.low < both.value < both.high
    assert both.value < frechet_distance(a, b)
    one = extrapolated_frechet(a, statistics_of([b]))
    assert both.value < one.value < frechet_distance(a, b)


def test_what_cannot_be_extrapolated_is_refused():
    """Too few images for a line, or features that are not all kept."""
    a = normal(80, 4, 1)
    with pytest.raises(ValueError, match=f"at least {MIN_IMAGES} generated"):
        extrapolated_frechet(a[: MIN_IMAGES - 1], a)
    with pytest.raises(ValueError, match="all features in memory"):
        extrapolated_frechet(sample_of([a], kept=40), a)
