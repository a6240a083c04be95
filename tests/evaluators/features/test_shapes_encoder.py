import hashlib
import json

import pytest
import torch
import torch.nn.functional as F
from ganprune.evaluators.features.catalog import load_encoder
from ganprune.evaluators.features.encoders import NonFiniteImages, as_eight_bit, feature_batches
from ganprune.evaluators.features.shapes_encoder import BUNDLED, load_shapes
from ganprune.evaluators.quality.frechet import frechet_distance
from ganprune.gan_models.data.synthetic import render_shapes

from ...fakes.features import features_of, statistics_of

N = 160


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("shapes")


@pytest.fixture(scope="module")
def paintings():
    return render_shapes(3, "test", range(2 * N), 64)[1].float() / 127.5 - 1


@pytest.fixture(scope="module")
def real(encoder, paintings):
    return features_of([paintings[:N]], encoder)


def test_bundled_file_is_the_recorded_one(encoder):
    """The weights are under 1 MB and are the bytes whose sha256, seed and steps stand in the JSON beside them."""
    record = json.loads(BUNDLED.with_suffix(".json").read_text())
    data = BUNDLED.read_bytes()
    assert len(data) < 1_000_000
    assert hashlib.sha256(data).hexdigest() == record["sha256"] == encoder.sha256
    assert record["parameters"] == 142_096
    assert min(record["explained_on_500_test_images"].values()) > 0.3
    assert encoder.name == "shapes"


@pytest.mark.long
def test_distance_grows_with_damage(encoder, paintings, real):
    """More noise, blur, tint, fading or checkerboard is farther from the data, step by step, and far in the end."""
    images = paintings[N:]
    random = torch.Generator().manual_seed(0)
    noise = torch.randn(images.shape, generator=random)
    tint = 2 * torch.rand(N, 3, 1, 1, generator=random) - 1
    board = 1.0 - 2.0 * ((torch.arange(64)[:, None] + torch.arange(64)) % 2)

    def blurred(steps):
        out = images
        for _ in range(steps):
            out = F.avg_pool2d(F.pad(out, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        return out

    damages = {
        "noise": [images + s * noise for s in (0, 0.03, 0.1, 0.3)],
        "blur": [blurred(s) for s in (0, 1, 3, 6)],
        "tint": [images + s * tint for s in (0, 0.1, 0.2, 0.4)],
        "fade": [images * (1 - s) for s in (0, 0.1, 0.25, 0.5)],
        "checkerboard": [images + s * board for s in (0, 0.03, 0.1, 0.2)],
    }
    clean = frechet_distance(features_of([images], encoder), real)
    for name, versions in damages.items():
        distances = [frechet_distance(features_of([v], encoder), real) for v in versions]
        assert distances[0] == clean
        assert distances == sorted(distances), name
        assert distances[-1] > 8 * clean, name


def test_mode_collapse_is_far(encoder, paintings, real):
    """One good image again and again is much farther from the data than as many different ones."""
    many = frechet_distance(features_of([paintings[N:]], encoder), real)
    few = frechet_distance(features_of([paintings[N : N + 10].repeat(N // 10, 1, 1, 1)], encoder), real)
    one = frechet_distance(features_of([paintings[N : N + 1].repeat(N, 1, 1, 1)], encoder), real)
    assert 3 * many < few < one


@pytest.mark.parametrize("size", [16, 32, 100])
def test_any_size(encoder, size):
    """Images of any size from 16 pixels give 96 finite features."""
    images = render_shapes(1, "test", range(3), size)[1].float() / 127.5 - 1
    features = features_of([images], encoder)
    assert features.shape == (3, 96)
    assert bool(torch.isfinite(features).all())


def test_too_small_or_not_rgb(encoder):
    """Images that it cannot take are refused with the sizes that it can."""
    for shape in ((1, 3, 8, 8), (1, 1, 64, 64), (3, 64, 64)):
        with pytest.raises(ValueError, match="N, 3, H, W"):
            features_of([torch.zeros(shape)], encoder)


def test_batches_and_order(encoder, paintings):
    """Features and their statistics do not depend on batch size; a permutation of the images permutes them."""
    images = paintings[:24]
    whole = features_of([images], encoder)
    parts = features_of(images.split(7), encoder)
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-4)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(features_of([images[order]], encoder), whole[order], rtol=1e-4, atol=1e-4)
    streamed = statistics_of(feature_batches(images.split(5), encoder))
    torch.testing.assert_close(streamed.mean, whole.double().mean(0), rtol=1e-5, atol=1e-4)
    assert torch.equal(features_of([images], encoder), whole)


def test_eight_bits(encoder, paintings):
    """Values that a PNG file cannot hold do not count: those between levels and beyond the range are as in the file."""
    images = paintings[:4]
    assert torch.equal(as_eight_bit(images), images)
    nudged = images + 0.3 / 127.5 * torch.sign(torch.randn(images.shape, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(features_of([nudged], encoder), features_of([images], encoder))
    assert as_eight_bit(torch.tensor([-3.0, 3.0])).tolist() == [-1, 1]


def test_not_finite_images_are_named(encoder, paintings):
    """A NaN in image 9 of 12 is an error that says so, also across batches."""
    images = paintings[:12].clone()
    images[9, 0, 0, 0] = float("nan")
    with pytest.raises(NonFiniteImages, match="1 of 4 images: 9"):
        features_of(images.split(4), encoder)


def test_other_weights(tmp_path):
    """Another file with the same tensors gets its own name; a broken one is refused in one line."""
    copy = tmp_path / "mine.safetensors"
    copy.write_bytes(BUNDLED.read_bytes())
    assert load_shapes(copy).name.startswith("shapes-")
    copy.write_bytes(b"not safetensors")
    with pytest.raises(ValueError, match="not contain weights of the shapes encoder") as caught:
        load_shapes(copy)
    assert "\n" not in str(caught.value)


def test_a_gradient_reaches_the_images_that_ask_for_one_and_no_weight():
    encoder = load_encoder("shapes")
    images = torch.rand(2, 3, 32, 32, requires_grad=True)
    encoder(images).square().sum().backward()
    assert float(images.grad.abs().max()) > 0
    assert not encoder(images.detach()).requires_grad
