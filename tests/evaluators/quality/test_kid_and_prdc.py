import pytest
import torch
from ganprune.evaluators.quality.kid import kernel_distance, kernel_distance_of_subsets
from ganprune.evaluators.quality.prdc import coverage_of


def normal(n, d, seed, shift=0.0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def by_definition(a, b):
    """The unbiased squared discrepancy, pair by pair."""
    d, n, m = a.shape[1], len(a), len(b)

    def k(x, y):
        return float((x @ y / d + 1) ** 3)

    within_a = sum(k(a[i], a[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_b = sum(k(b[i], b[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within_a + within_b - 2 * sum(k(x, y) for x in a for y in b) / (n * m)


def test_kernel_distance_by_definition():
    """The value is the U-statistic and the standard error the delete-one jackknife, both computed naively."""
    a, b = normal(7, 3, 1), normal(9, 3, 2, 0.5)
    got = kernel_distance(a, b)
    assert got.value == pytest.approx(by_definition(a, b), rel=1e-12)
    variance = 0.0
    for which, size in ((0, 7), (1, 9)):
        left = []
        for i in range(size):
            kept = torch.arange(size) != i
            left.append(by_definition(a[kept], b) if which == 0 else by_definition(a, b[kept]))
        values = torch.tensor(left, dtype=torch.float64)
        variance += (size - 1) / size * float(((values - values.mean()) ** 2).sum())
    assert got.standard_error == pytest.approx(variance**0.5, rel=1e-9)


def test_kernel_distance_is_unbiased():
    """Over many draws of one distribution the mean is 0 within 3 standard errors, even at n = 10."""
    values = torch.tensor([kernel_distance(normal(10, 4, 2 * s), normal(12, 4, 2 * s + 1)).value for s in range(300)])
    assert abs(float(values.mean())) < 3 * float(values.std()) / 300**0.5


def test_kernel_standard_error_is_honest():
    """The standard error agrees with the spread over repeats, within a quarter."""
    draws = [kernel_distance(normal(60, 5, 2 * s, 0.4), normal(60, 5, 2 * s + 1)) for s in range(200)]
    spread = float(torch.tensor([draw.value for draw in draws]).std())
    mean_error = float(torch.tensor([draw.standard_error for draw in draws]).mean())
    assert mean_error == pytest.approx(spread, rel=0.25)


def test_subsets_are_deterministic_and_centered():
    """The subset protocol repeats itself for one seed and lies near the estimate from all pairs."""
    a, b = normal(80, 4, 1), normal(90, 4, 2, 0.3)
    one = kernel_distance_of_subsets(a, b, 40, 60, seed=3)
    assert one == kernel_distance_of_subsets(a, b, 40, 60, seed=3)
    assert one.value == pytest.approx(kernel_distance(a, b).value, abs=6 * one.standard_error)
    with pytest.raises(ValueError, match="cannot be drawn"):
        kernel_distance_of_subsets(a, b, 81)


def test_coverage_of_equal_sets():
    """A set against itself: everything is precise, recalled and covered, and the density is about 1."""
    a = normal(60, 3, 1)
    got = coverage_of(a, a, 5)
    assert (got.precision, got.recall, got.coverage) == (1, 1, 1)
    # Each point lies in the neighborhoods of itself and, on average, of 5 others: (5 + 1) / 5.
    assert got.density == pytest.approx(6 / 5)


def test_mode_collapse_shows():
    """Half of the modes gone: precision stays, recall and coverage halve; far away: all are 0."""
    real = torch.cat((normal(100, 4, 1), normal(100, 4, 2, 30)))
    half = coverage_of(normal(200, 4, 3), real)
    assert half.precision > 0.85
    assert 0.35 < half.recall < 0.55
    assert 0.4 < half.coverage <= 0.5
    away = coverage_of(normal(200, 4, 3, -500), real)
    assert (away.precision, away.recall, away.density, away.coverage) == (0, 0, 0, 0)


def test_coverage_by_hand():
    """On a line, with k = 1, each share can be counted by hand."""
    real = torch.tensor([[0.0], [1.0], [10.0], [12.0]])  # radii 1, 1, 2, 2
    generated = torch.tensor([[0.5], [20.0], [20.5]])  # radii 19.5, 0.5, 0.5
    got = coverage_of(generated, real, 1)
    assert got.precision == pytest.approx(1 / 3)
    assert got.recall == 1
    assert got.density == pytest.approx(2 / 3)
    assert got.coverage == pytest.approx(2 / 4)


def test_coverage_in_chunks(monkeypatch):
    """Working in chunks of rows changes nothing."""
    a, b = normal(70, 3, 1), normal(50, 3, 2, 0.5)
    whole = coverage_of(a, b)
    monkeypatch.setattr("ganprune.evaluators.quality.prdc._ROWS_AT_ONCE", 7)
    assert coverage_of(a, b) == whole


def test_expected_coverage_is_that_of_equal_distributions():
    """Over many draws, the coverage of one distribution by itself has the mean that the formula says."""
    found = [coverage_of(normal(30, 2, seed), normal(20, 2, 1000 + seed), 3) for seed in range(60)]
    mean = sum(one.coverage for one in found) / len(found)
    missed = (19 * 18 * 17) / (49 * 48 * 47)  # all three nearest of the other 49 are among the 19 real ones
    assert found[0].expected_coverage == pytest.approx(1 - missed)
    assert mean == pytest.approx(1 - missed, abs=0.01)


def test_shares_at_the_end_of_their_scale_are_saturated():
    """Equal sets, and sets far apart, are told as saturated; sets that partly overlap are not."""
    real = normal(200, 4, 1)
    assert set(coverage_of(real, real).saturated()) == {"precision", "recall", "density", "coverage"}
    away = coverage_of(normal(200, 4, 3, -500), real).saturated()
    assert set(away) == {"precision", "recall", "density", "coverage"}
    assert "at 0" in away["recall"]
    assert coverage_of(normal(200, 4, 3, 2), real).saturated() == {}


def test_too_few_images():
    """Sets too small for the number of neighbors, or for a kernel distance, are refused with one line."""
    with pytest.raises(ValueError, match="k=5"):
        coverage_of(normal(5, 2, 1), normal(9, 2, 2))
    with pytest.raises(ValueError, match="n >= 3"):
        kernel_distance(normal(2, 2, 1), normal(9, 2, 2))
