import pytest
import torch
from ganprune.evaluators.quality.frechet import frechet_distance
from ganprune.evaluators.quality.jackknife import compare_frechet, group_jackknife


def normal(n, d, seed, shift=0.0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def test_jackknife_of_a_mean():
    """For a mean, with one image a group, the jackknife's error is exactly s / sqrt(n)."""
    x = normal(20, 1, 1)
    got = group_jackknife(lambda a: float(a.mean()), (x,), n_groups=20)
    assert got.value == float(x.mean())
    assert got.standard_error == pytest.approx(float(x.std()) / 20**0.5, rel=1e-9)
    # Student's t with 19 degrees, 95th percentile.
    assert got.high - got.value == pytest.approx(1.729133 * got.standard_error, rel=1e-5)
    assert got.value - got.low == pytest.approx(got.high - got.value)


def test_variances_of_independent_sets_add():
    """Two independent sets: the squared errors of each alone add up; a set that is not tied counts as fixed."""
    a, b = normal(60, 3, 1), normal(80, 3, 2, 0.5)
    both = group_jackknife(frechet_distance, (a, b))
    first = group_jackknife(frechet_distance, (a, b), ((0,),))
    second = group_jackknife(frechet_distance, (a, b), ((1,),))
    assert both.standard_error**2 == pytest.approx(first.standard_error**2 + second.standard_error**2)
    assert both.degrees == first.degrees + second.degrees == 38


def test_interval_covers_the_expectation():
    """Nominal 90 % intervals hold E[distance at this n] in 85 to 100 % of 200 repeats, where a bootstrap fails."""
    n, d, repeats = 60, 6, 200

    def draw(seed):
        return normal(n, d, 2 * seed), normal(n, d, 2 * seed + 1, 0.3) * 1.3

    pairs = [draw(seed) for seed in range(repeats)]
    expectation = sum(frechet_distance(*draw(seed)) for seed in range(10_000, 11_000)) / 1000
    estimates = [group_jackknife(frechet_distance, pair, n_groups=10) for pair in pairs]
    share = sum(e.low <= expectation <= e.high for e in estimates) / repeats
    assert 0.85 <= share <= 1
    spread = float(torch.tensor([e.value for e in estimates]).std())
    assert sum(e.high - e.low for e in estimates) / repeats < 2 * 1.65 * spread * 1.6, "covers by being too wide"
    # The kept wrong version: resampling with replacement is biased upwards.
    random = torch.Generator().manual_seed(0)
    covered = 0
    for a, b in pairs[:60]:
        draws = [
            frechet_distance(a[torch.randint(n, (n,), generator=random)], b[torch.randint(n, (n,), generator=random)])
            for _ in range(40)
        ]
        low, high = torch.tensor(draws).quantile(torch.tensor([0.05, 0.95])).tolist()
        covered += low <= expectation <= high
    assert covered / 60 < 0.75


def test_comparison():
    """A clearly better generator is called better, two of a kind cannot be told apart, and A, B swap signs."""
    real = normal(120, 5, 1)
    good, same, bad = normal(120, 5, 2), normal(120, 5, 3), normal(120, 5, 4, 0.7)
    first = compare_frechet(good, bad, real, paired=False)
    assert first.verdict.startswith("A better (p=")
    swapped = compare_frechet(bad, good, real, paired=False)
    assert swapped.verdict.startswith("B better (p=")
    assert swapped.difference.value == pytest.approx(-first.difference.value)
    assert "cannot tell A from B at n=120" in compare_frechet(good, same, real, paired=False).verdict
    assert compare_frechet(good, good, real, paired=True).p == 1


def test_comparison_is_seldom_wrong():
    """Two generators of one quality are told apart in at most about 1 of 20 comparisons at level 0.05."""
    wrong = 0
    for seed in range(120):
        a, b, real = normal(60, 4, 3 * seed), normal(60, 4, 3 * seed + 1), normal(60, 4, 3 * seed + 2)
        wrong += "better" in compare_frechet(a, b, real, paired=False, n_groups=10).verdict
    assert wrong <= 12


def test_refusals():
    """Sets that cannot be grouped, unequal n in a comparison and an impossible confidence are one-line errors."""
    a, b = normal(60, 3, 1), normal(50, 3, 2)
    with pytest.raises(ValueError, match="one size"):
        group_jackknife(frechet_distance, (a, b), ((0, 1),))
    with pytest.raises(ValueError, match="at least 4"):
        group_jackknife(frechet_distance, (a[:3], b))
    with pytest.raises(ValueError, match="equal n"):
        compare_frechet(a, b, a, paired=False)
    with pytest.raises(ValueError, match="confidence"):
        group_jackknife(frechet_distance, (a, b), confidence=90)
    with pytest.raises(ValueError, match="no set"):
        group_jackknife(frechet_distance, (a, b), ())
