"""Features in bounded memory, kept by content, and read from folders."""

import math

import numpy as np
import pytest
import torch
from ganprune.evaluators.features import cache as feature_cache
from ganprune.evaluators.features.cache import cached_sample, sample_from, sample_tensors
from ganprune.evaluators.features.catalog import load_encoder
from ganprune.evaluators.features.encoders import feature_batches
from ganprune.evaluators.features.image_folders import content_of, folder_batches, image_files, readable_files
from ganprune.evaluators.features.sample import LARGE_GROUPS, SampleCollector, sample_of
from ganprune.evaluators.features.statistics import merged
from ganprune.evaluators.quality.distances import details_of, frechet_measurement
from ganprune.evaluators.quality.frechet import frechet_between, frechet_distance
from ganprune.evaluators.quality.jackknife import compare_frechet, group_jackknife
from ganprune.gan_models.files.errors import UserError
from PIL import Image

from ...fakes.features import statistics_of


def normal(n, d, seed, shift=0.0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def tensors_held(collector):
    """Numbers in everything that a collector holds."""
    parts = sum(part.numel() for part in collector._parts)
    return parts + sum(g._scatter.numel() for g in collector._groups if g._scatter is not None)


def test_memory_does_not_depend_on_the_number_of_images():
    """Beyond what is kept, ten times the images are held in as many numbers."""
    held = []
    for n in (200, 2000):
        collector = SampleCollector(kept=50)
        for batch in normal(n, 4, 1).split(40):
            collector.add(batch)
        held.append(tensors_held(collector))
        assert collector.result().n == n
    assert held[0] == held[1] <= 50 * 4 + LARGE_GROUPS * 16


@pytest.mark.parametrize("n", [50, 51, 90, 333])
def test_a_large_sample_has_the_statistics_of_all_its_images(n):
    """Kept whole or in groups: mean, covariance, distance and leave-one-group-out are those of all features."""
    all_features = normal(n, 5, 2, 3.0)
    sample = sample_of(all_features.split(37), kept=50)
    assert sample.whole == (n <= 50)
    torch.testing.assert_close(sample.statistics().covariance, torch.cov(all_features.T), rtol=1e-10, atol=1e-12)
    real = normal(80, 5, 3)
    assert frechet_between(sample.side(), real) == pytest.approx(frechet_distance(all_features, real), rel=1e-8)
    if not sample.whole:
        left = sample.without(3, LARGE_GROUPS)
        kept = all_features[torch.arange(n) % LARGE_GROUPS != 3]
        torch.testing.assert_close(left.covariance, torch.cov(kept.T), rtol=1e-10, atol=1e-12)


def test_the_subset_does_not_depend_on_batches_and_is_spread_evenly():
    """Whatever the batch sizes, the same images are kept, about as many from each quarter."""
    features = torch.arange(4000.0)[:, None]
    samples = [sample_of(features.split(size), kept=400) for size in (11, 64, 4000)]
    for sample in samples[1:]:
        assert torch.equal(sample.features, samples[0].features)
        for one, other in zip(sample.groups, samples[0].groups, strict=True):
            torch.testing.assert_close(one.covariance, other.covariance, rtol=1e-12, atol=1e-9)
    quarters = torch.histc(samples[0].features, 4, 0, 4000)
    assert quarters.sum() == 400
    assert quarters.min() > 70


def test_intervals_of_a_large_sample_are_those_of_its_groups():
    """The jackknife over stored groups equals the one over all features with as many groups."""
    a, real = normal(300, 4, 4), normal(260, 4, 5, 0.4)
    ours = group_jackknife(frechet_between, (sample_of([a], kept=50), sample_of([real], kept=50)))
    whole = group_jackknife(frechet_between, (a, real), n_groups=LARGE_GROUPS)
    assert ours.value == pytest.approx(whole.value, rel=1e-8)
    assert ours.standard_error == pytest.approx(whole.standard_error, rel=1e-6)
    b = normal(300, 4, 6, 0.1)
    large = compare_frechet(*(sample_of([x], kept=50) for x in (a, b, real)), paired=False)
    assert large.p == pytest.approx(compare_frechet(a, b, real, paired=False, n_groups=LARGE_GROUPS).p, rel=1e-5)


def test_details_of_a_subset_say_of_how_many():
    """Kernel distance and shares of a large sample carry the subset's n, the Fréchet distance that of all."""
    a, b = (sample_of([normal(300, 4, seed)], kept=50) for seed in (1, 2))
    assert frechet_measurement(a, b, "shapes", "p").name == "fd[shapes,n=300]"
    found = details_of(a, b, "shapes", "p")
    assert {m.n for m in found} == {50}
    assert all("of subsets, 50 generated and 50 real images" in m.protocol for m in found)


def test_merged_parts_are_the_whole():
    """Statistics of parts, merged, are those of all features at once."""
    x = normal(90, 6, 7) * torch.logspace(0, 3, 6, dtype=torch.float64)
    parts = [statistics_of([part]) for part in x.split([2, 30, 58])]
    both = merged(parts)
    assert both.n == 90
    torch.testing.assert_close(both.covariance, torch.cov(x.T), rtol=1e-10, atol=1e-8)


@pytest.fixture
def folder(tmp_path):
    """Six images of two sizes and formats, and files that are none."""
    rng = np.random.default_rng(0)
    place = tmp_path / "images"
    place.mkdir()
    for i, (size, suffix) in enumerate([((20, 24), "png")] * 3 + [((32, 20), "jpg")] + [((20, 24), "bmp")] * 2):
        Image.fromarray(rng.integers(0, 255, (*size, 3), dtype=np.uint8)).save(place / f"{i}.{suffix}")
    (place / "notes.txt").write_text("no image")
    return place


def test_features_of_a_folder_do_not_depend_on_batch_size_or_workers(folder):
    """Batch sizes and worker processes change nothing; another order of the files only the order."""
    encoder = load_encoder("shapes")
    files = image_files(folder)
    assert [path.name for path in files] == ["0.png", "1.png", "2.png", "3.jpg", "4.bmp", "5.bmp"]

    def features(files, **how):
        return torch.cat(list(feature_batches(folder_batches(files, **how), encoder)))

    one = features(files, batch_size=1)
    assert torch.equal(features(files, batch_size=1, workers=2), one)
    for size in (2, 32):
        torch.testing.assert_close(features(files, batch_size=size), one, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(features(files[::-1], batch_size=3).flip(0), one, rtol=1e-5, atol=1e-5)
    assert [len(batch) for batch in folder_batches(files)] == [3, 1, 2]


def test_folders_without_images_say_what_to_give(tmp_path, folder):
    """An empty folder, one with images below it, a missing one, a broken file: each one line."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no images"):
        image_files(tmp_path / "empty")
    with pytest.raises(ValueError, match=r"subfolders do \(images\)"):
        image_files(tmp_path)
    with pytest.raises(ValueError, match="not a folder"):
        image_files(tmp_path / "gone")
    (folder / "6.png").write_bytes(b"broken")
    with pytest.raises(RuntimeError, match=r"6\.png cannot be decoded"):
        list(folder_batches(image_files(folder)))


class Counting:
    """The shapes encoder, counting its calls."""

    def __init__(self, **changes):
        self.real, self.calls = load_encoder("shapes"), 0
        for name in ("name", "sha256", "dimension", "preprocessing"):
            setattr(self, name, changes.get(name, getattr(self.real, name)))

    def __call__(self, images):
        self.calls += 1
        return self.real(images)

    def to(self, device):
        return self


def test_what_is_left_out_of_a_folder_is_told_by_reason(folder):
    """Unreadable images by name; other files, AppleDouble's and folders of images by number."""
    images = [path.name for path in image_files(folder)]
    (folder / "7.tif").write_bytes(b"broken")
    Image.fromarray(np.full((8, 8), 7000, np.float32)).save(folder / "8.TIF")
    (folder / "notes.txt").touch()
    (folder / "._0.png").touch()
    (folder / "below").mkdir()
    (folder / "below" / "9.png").touch()
    with pytest.warns(UserWarning, match="left out") as told:
        assert [path.name for path in readable_files(folder)] == images
    first, second = (str(warning.message) for warning in told)
    assert f"left out 2 of {len(images) + 2} images" in first
    assert "7.tif: not an image" in first
    assert "8.TIF: floating-point values from 7000 to 7000" in first
    assert "1 folders of images, 1 hidden or of the system, 1 not an image format (.txt)" in second


def test_folders_of_eight_and_sixteen_bits_have_the_same_features(tmp_path):
    """The same pictures in 8 bits, 16 bits and floating point are at a distance of nearly nothing."""
    random = np.random.default_rng(0)
    encoder, features = load_encoder("shapes"), []
    y, x = np.mgrid[:32, :32] / 31
    for kind in ("eight", "sixteen", "float"):
        (tmp_path / kind).mkdir()
    for i in range(20):
        picture = np.exp(-((x - random.random()) ** 2 + (y - random.random()) ** 2) / 0.1)
        Image.fromarray((picture * 255).round().astype(np.uint8)).save(tmp_path / "eight" / f"{i:02}.png")
        Image.fromarray((picture * 65535).astype(np.uint16)).save(tmp_path / "sixteen" / f"{i:02}.png")
        Image.fromarray(picture.astype(np.float32)).save(tmp_path / "float" / f"{i:02}.tif")
    for kind in ("eight", "sixteen", "float"):
        batches = feature_batches(folder_batches(image_files(tmp_path / kind)), encoder)
        features.append(torch.cat(list(batches)).double())
    apart = frechet_distance(features[0], features[0].flip(1))
    assert max(frechet_distance(features[0], other) for other in features[1:]) < 1e-3 * apart


def test_features_are_kept_by_content(folder, tmp_path, monkeypatch):
    """The same images under other names are not encoded again; other pixels, readings, weights or resizing are."""
    monkeypatch.setenv("GANPRUNE_CACHE", str(tmp_path / "cache"))
    encoder, files = Counting(), image_files(folder)

    def get(encoder=encoder, files=files, reading="own size"):
        return cached_sample(lambda: folder_batches(files), encoder, content_of(files), reading)

    first = get()
    calls = encoder.calls
    renamed = [path.rename(path.with_name(f"renamed-{path.name}")) for path in files]
    assert torch.equal(get(files=renamed).features, first.features)
    assert encoder.calls == calls
    get(files=renamed, reading="64x64")
    assert encoder.calls == 2 * calls
    for changed in (Counting(sha256="0" * 64), Counting(preprocessing="other"), Counting(name="other")):
        get(encoder=changed, files=renamed)
        assert changed.calls == calls
    Image.new("RGB", (24, 20)).save(renamed[0])
    get(files=renamed)
    assert encoder.calls == 3 * calls
    damaged = sorted((tmp_path / "cache" / "features").iterdir())
    for path in damaged:
        path.write_bytes(path.read_bytes()[:50])
    get(files=renamed)
    assert encoder.calls == 4 * calls
    monkeypatch.setenv("GANPRUNE_CACHE", "off")
    assert feature_cache.cache_folder() is None
    get(files=renamed)
    assert encoder.calls == 5 * calls


def test_a_sample_survives_its_file():
    """Whole and large samples come back from named tensors as they were."""
    for kept in (50, 1000):
        sample = sample_of([normal(120, 3, 1)], kept=kept)
        back = sample_from(sample_tensors(sample))
        assert back.n == 120
        assert torch.equal(back.features, sample.features)
        assert [g.n for g in back.groups] == [g.n for g in sample.groups]
        assert math.isclose(frechet_between(back.side(), sample.side()), 0, abs_tol=1e-8)


def test_no_images():
    """No image at all is an error, not an empty sample."""
    with pytest.raises(UserError, match="no images to encode"):
        sample_of([])
