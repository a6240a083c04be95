"""Reference implementations (50-digit arithmetic, pytorch-fid's own function) live in this file."""

import inspect
import math
import warnings

import mpmath
import numpy as np
import pytest
import torch
from ganprune.evaluators.features.statistics import FeatureStatistics, StatisticsAccumulator
from ganprune.evaluators.features.torchvision_import import make_torchvision_importable
from ganprune.evaluators.quality import frechet
from ganprune.evaluators.quality.frechet import frechet_distance, frechet_from_statistics, frechet_to_statistics
from hypothesis import given, settings
from hypothesis import strategies as st

from ...fakes.features import statistics_of


def features(n, d, seed, rank=None, spread=3.0, kind="normal"):
    random = torch.Generator().manual_seed(seed)
    rank = d if rank is None else rank
    mixing = torch.randn(rank, d, generator=random, dtype=torch.float64)
    mixing *= torch.logspace(0, -spread, rank, dtype=torch.float64)[:, None]
    sample = torch.randn(n, rank, generator=random, dtype=torch.float64) @ mixing
    shift = torch.rand(d, generator=random, dtype=torch.float64)
    return torch.relu(sample + shift) if kind == "relu" else sample + shift


def in_50_digits(a, b):
    """The distance by its definition: square roots of the eigenvalues of S1^(1/2) S2 S1^(1/2), 50 digits."""
    with mpmath.workdps(50):

        def moments(x):
            rows = [[mpmath.mpf(float(v)) for v in row] for row in x]
            n, d = len(rows), len(rows[0])
            mean = [mpmath.fsum(row[j] for row in rows) / n for j in range(d)]
            centered = mpmath.matrix([[row[j] - mean[j] for j in range(d)] for row in rows])
            return mean, centered.T * centered / (n - 1)

        (mean_a, s1), (mean_b, s2) = moments(a), moments(b)
        values, vectors = mpmath.eigsy(s1)
        d = len(mean_a)
        roots = mpmath.diag([mpmath.sqrt(max(values[i], 0)) for i in range(d)])
        half = vectors * roots * vectors.T
        middle = half * s2 * half
        eigenvalues = mpmath.eigsy((middle + middle.T) / 2, eigvals_only=True)
        root = mpmath.fsum(mpmath.sqrt(max(eigenvalues[i], 0)) for i in range(d))
        shift = mpmath.fsum((p - q) ** 2 for p, q in zip(mean_a, mean_b, strict=True))
        traces = mpmath.fsum(s1[i, i] + s2[i, i] for i in range(d))
        return float(shift + traces - 2 * root), float(traces)


def published(mu1, sigma1, mu2, sigma2):
    make_torchvision_importable()
    from pytorch_fid.fid_score import calculate_frechet_distance

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return float(calculate_frechet_distance(mu1, sigma1, mu2, sigma2))


def sized(mean, deviation, n=50):
    """One feature column with exactly this mean and standard deviation."""
    x = torch.linspace(-1, 1, n, dtype=torch.float64)
    return mean + deviation * x / x.std()


def test_one_dimension_closed_form():
    """In one dimension the distance is (m1 - m2)^2 + (s1 - s2)^2."""
    a, b = sized(1.0, 2.0)[:, None], sized(-0.5, 0.25)[:, None]
    assert frechet_distance(a, b) == pytest.approx(1.5**2 + 1.75**2, rel=1e-13)


def test_diagonal_closed_form():
    """Diagonal covariances: the squared differences of means and of standard deviations add up."""
    d1, d2 = torch.tensor([1.0, 2.0, 3.0, 0.0]).double(), torch.tensor([2.0, 2.0, 0.5, 1.0]).double()
    m1, m2 = torch.tensor([0.0, 1.0, 2.0, 3.0]).double(), torch.tensor([1.0, 1.0, 1.0, 1.0]).double()
    want = float(((m1 - m2) ** 2).sum() + ((d1 - d2) ** 2).sum())
    assert frechet_from_statistics(m1, d1.square().diag(), m2, d2.square().diag()) == pytest.approx(want, rel=1e-13)


def test_same_features_are_at_zero():
    """A set is at distance 0 from itself, to 1e-12 of its traces, in every form."""
    for n, d in ((40, 12), (12, 40), (30, 30)):
        a = features(n, d, 3)
        traces = 2 * float(a.var(0).sum())
        side = statistics_of([a])
        assert 0 <= frechet_distance(a, a) <= 1e-12 * traces
        assert 0 <= frechet_to_statistics(a, side) <= 1e-8 * traces
        assert 0 <= frechet_from_statistics(side.mean, side.covariance, side.mean, side.covariance) <= 1e-8 * traces


SMALL = [
    pytest.param(12, 15, 6, 6, id="full rank"),
    pytest.param(5, 6, 9, 9, id="fewer images than features"),
    pytest.param(4, 20, 8, 8, id="one side of fewer images"),
    pytest.param(20, 20, 8, 3, id="rank 3 in 8 dimensions"),
    pytest.param(20, 5, 8, 2, id="rank 2, few images"),
    pytest.param(6, 40, 5, 5, id="just enough images"),
]


@pytest.mark.parametrize(("n", "m", "d", "rank"), SMALL)
def test_against_50_digits(n, m, d, rank):
    """Every form is within 1e-8 of 50-digit arithmetic, relative to Tr S1 + Tr S2, singular or not."""
    a, b = features(n, d, n + d, rank), features(m, d, m + 7 * d, rank)
    want, traces = in_50_digits(a, b)
    first, second = statistics_of([a]), statistics_of([b])
    forms = {
        "features": frechet_distance(a, b),
        "swapped": frechet_distance(b, a),
        "one side": frechet_to_statistics(a, second),
        "other side": frechet_to_statistics(b, first),
        "statistics": frechet_from_statistics(first.mean, first.covariance, second.mean, second.covariance),
    }
    for form, got in forms.items():
        assert abs(got - want) <= 1e-8 * traces, form


@pytest.mark.parametrize(("n", "m", "d", "rank"), SMALL)
def test_fallback_forms_are_as_exact(n, m, d, rank, monkeypatch):
    """With eigenvalues never trusted, singular values alone keep the same 1e-8."""
    monkeypatch.setattr(frechet, "_TOLERANCE", -1.0)
    test_against_50_digits(n, m, d, rank)


def test_plain_eigenvalues_would_fail():
    """A kept wrong version (square roots of all eigenvalues, rounding noise included) misses the tolerance."""
    a, b = features(20, 60, 1, rank=2, spread=0), features(20, 60, 2, rank=60, spread=0)
    _, left = frechet._centered(a)
    _, right = frechet._centered(b)
    cross = left @ right.T
    wrong = float(torch.linalg.eigvalsh(cross @ cross.T).abs().sqrt().sum())
    right_root = float(torch.linalg.svdvals(cross).sum())
    traces = float((left**2).sum() + (right**2).sum())
    assert abs(wrong - right_root) > 1e-9 * traces
    mean_shift = float(((a.mean(0) - b.mean(0)) ** 2).sum())
    assert frechet_distance(a, b) == pytest.approx(mean_shift + traces - 2 * right_root, abs=1e-9 * traces)


@pytest.mark.parametrize(("n", "m"), [(400, 500), (60, 80), (60, 400)])
def test_against_pytorch_fid(n, m):
    """The distance equals pytorch-fid's to 1e-6 of the traces on non-negative, partly singular features."""
    d = 128
    a, b = features(n, d, 1, spread=1, kind="relu"), features(m, d, 2, spread=1, kind="relu")
    moments = [(np.mean(x.numpy(), 0), np.cov(x.numpy(), rowvar=False)) for x in (a, b)]
    traces = sum(np.trace(sigma) for _, sigma in moments)
    theirs = published(*moments[0], *moments[1])
    tensors = [torch.from_numpy(part) for pair in moments for part in pair]
    assert abs(frechet_distance(a, b) - theirs) <= 1e-6 * traces
    assert abs(frechet_from_statistics(*tensors) - theirs) <= 1e-6 * traces
    assert abs(frechet_to_statistics(a, FeatureStatistics(tensors[2], tensors[3])) - theirs) <= 1e-6 * traces


@pytest.mark.long
def test_against_pytorch_fid_at_full_dimension():
    """2048 features of 120 and 150 images, both covariances singular: every form within 1e-6 of pytorch-fid's number."""
    d = 2048
    random = torch.Generator().manual_seed(0)
    mixing = torch.randn(64, d, generator=random, dtype=torch.float64) * 0.1
    a, b = (
        torch.relu(torch.randn(n, 64, generator=random, dtype=torch.float64) @ mixing + shift)
        for n, shift in ((120, 0.3), (150, 0.4))
    )
    one, two = statistics_of([a]), statistics_of([b])
    moments = [part.numpy() for side in (one, two) for part in (side.mean, side.covariance)]
    traces = float(one.covariance.trace() + two.covariance.trace())
    theirs = published(*moments)
    assert abs(frechet_distance(a, b) - theirs) <= 1e-6 * traces
    assert abs(frechet_to_statistics(a, two) - theirs) <= 1e-6 * traces


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 30), st.integers(2, 30), st.integers(1, 20), st.integers(0, 10**6))
def test_properties(n, m, d, seed):
    """Symmetric, at least 0, unmoved by order and by a rotation of the features, quadratic in their scale."""
    a, b = features(n, d, seed), features(m, d, seed + 1)
    traces = float(a.var(0).sum() + b.var(0).sum())
    near = {"abs": 1e-8 * traces + 1e-12}
    value = frechet_distance(a, b)
    assert value >= 0
    assert frechet_distance(b, a) == pytest.approx(value, **near)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    assert frechet_distance(a[order], b) == pytest.approx(value, **near)
    turn = torch.linalg.qr(features(d + 1, d, seed + 2, spread=0)[:d])[0]
    assert frechet_distance(a @ turn, b @ turn) == pytest.approx(value, **near)
    assert frechet_distance(10 * a, 10 * b) == pytest.approx(100 * value, abs=100 * near["abs"])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(0, 10**6))
def test_streamed_statistics(sizes, seed):
    """Streamed statistics equal those of all features at once, for any batch sizes and order."""
    total = sum(sizes) + 2
    all_features = features(total, 7, seed) + 100
    batches = torch.split(all_features, [*sizes, 2])
    for order in (batches, batches[::-1]):
        streamed = statistics_of(order)
        assert streamed.n == total
        torch.testing.assert_close(streamed.mean, all_features.mean(0), rtol=1e-13, atol=1e-11)
        torch.testing.assert_close(streamed.covariance, torch.cov(all_features.T), rtol=1e-9, atol=1e-11)


def test_statistics_file_is_pytorch_fids(tmp_path):
    """Our `.npz` has pytorch-fid's keys, theirs is read, and a file with pickled objects is refused."""
    side = statistics_of([features(20, 5, 1)])
    side.save(tmp_path / "ours.npz")
    with np.load(tmp_path / "ours.npz") as arrays:
        np.testing.assert_array_equal(arrays["mu"], side.mean.numpy())
        np.testing.assert_array_equal(arrays["sigma"], side.covariance.numpy())
    back = FeatureStatistics.load(tmp_path / "ours.npz")
    assert back.n == 20
    assert torch.equal(back.covariance, side.covariance)
    np.savez_compressed(tmp_path / "theirs.npz", mu=side.mean.numpy(), sigma=side.covariance.numpy())
    assert FeatureStatistics.load(tmp_path / "theirs.npz").n is None
    np.savez(tmp_path / "bad.npz", mu=np.array([{}], dtype=object), sigma=np.eye(1))
    (tmp_path / "text.npz").write_text("no archive")
    for name in ("bad.npz", "text.npz", "missing.npz"):
        with pytest.raises(ValueError, match="npz"):
            FeatureStatistics.load(tmp_path / name)


@pytest.mark.parametrize(
    ("a", "b", "match"),
    [
        (torch.zeros(1, 3), torch.zeros(5, 3), "n >= 2"),
        (torch.zeros(5, 3), torch.zeros(5, 4), "dimension"),
        (torch.full((5, 3), math.nan), torch.zeros(5, 3), "not finite"),
        (torch.zeros(5), torch.zeros(5, 4), "features"),
    ],
)
def test_bad_features_are_refused(a, b, match):
    """Features that have no distance give one line that says why."""
    with pytest.raises(ValueError, match=match):
        frechet_distance(a, b)


def test_too_few_images_for_a_covariance():
    """Statistics of one image are refused: there is no covariance."""
    accumulator = StatisticsAccumulator()
    accumulator.add(torch.zeros(1, 3))
    with pytest.raises(ValueError, match="at least 2"):
        accumulator.result()


def test_constant_features():
    """A generator that paints one image only is at |shift|^2 + Tr S2, not at an error."""
    a, b = torch.ones(30, 4), features(30, 4, 1)
    want = float(((1 - b.mean(0)) ** 2).sum() + b.var(0).sum())
    assert frechet_distance(a, b) == pytest.approx(want, rel=1e-12)
    assert frechet_distance(a, a) == 0


def test_no_matrix_square_root():
    """The module never calls `sqrtm`, whose `disp` argument newer SciPy no longer has."""
    assert "sqrtm" not in inspect.getsource(frechet)
