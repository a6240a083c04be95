import pytest
import torch
from ganprune.evaluators.features.catalog import load_encoder
from ganprune.evaluators.features.encoders import NonFiniteImages
from ganprune.evaluators.measurement import Measurement
from ganprune.evaluators.quality.frechet import frechet_distance, frechet_to_statistics
from ganprune.evaluators.quality.suite import measure_quality
from ganprune.gan_models.data.synthetic import render_shapes
from torch import nn

from ...fakes.features import features_of, statistics_of

N = 40


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("shapes")


@pytest.fixture(scope="module")
def data():
    drawings, paintings = (part.float() / 127.5 - 1 for part in render_shapes(3, "test", range(N), 32))
    return drawings, paintings


def batches(data, size=16):
    return [((a,), b) for a, b in zip(*(part.split(size) for part in data), strict=True)]


@pytest.fixture(scope="module")
def real(encoder, data):
    return features_of([data[1]], encoder)


def blend(x):
    return 0.5 * x


def test_paired(encoder, data, real):
    """Paired: the Fréchet distance comes first, then L1, PSNR, SSIM, then the details, each named and bounded."""
    found = measure_quality(blend, batches(data), encoder, real)
    assert [m.name for m in found] == [
        "fd[shapes,n=40]",
        "l1",
        "psnr",
        "ssim",
        "feature_distance[shapes]",
        "kd[shapes,n=40]",
        "precision[shapes,n=40,k=5]",
        "recall[shapes,n=40,k=5]",
        "density[shapes,n=40,k=5]",
        "coverage[shapes,n=40,k=5]",
    ]
    quality, l1 = found[:2]
    outputs = features_of(blend(data[0]).split(16), encoder)
    assert quality.value == frechet_distance(outputs, real)
    assert quality.low is not None
    assert quality.high is not None
    assert quality.low < quality.value < quality.high
    assert l1.value == pytest.approx(float((blend(data[0]) - data[1]).abs().mean()), rel=1e-6)
    assert l1.n == 40
    for part in ("test-vs-test", "n_real=40", "(3, 32, 32)", "64x64", encoder.sha256[:8], "jackknife"):
        assert part in quality.protocol
    assert [Measurement.from_json(m.to_json()) for m in found] == found


def test_deterministic_and_batch_free(encoder, data, real):
    """The same call gives the same numbers, and another batch size the same to rounding."""
    one = measure_quality(blend, batches(data), encoder, real)
    assert measure_quality(blend, batches(data), encoder, real) == one
    other = measure_quality(blend, batches(data, 7), encoder, real)
    for a, b in zip(one, other, strict=True):
        assert b.value == pytest.approx(a.value, rel=1e-3, abs=1e-3)


def test_perfect_generator(encoder, data, real):
    """A generator that returns the targets is at 0; its infinite PSNR is absent with a reason, not a number."""
    answers = iter(batches(data))
    found = measure_quality(lambda _x: next(answers)[1], batches(data), encoder, real)
    assert found[0].value == pytest.approx(0, abs=1e-3)
    assert found[1].value == 0
    assert "equal" in (found[2].reason or "")
    assert found[3].value == pytest.approx(1)


def test_unpaired_and_latents(encoder, real):
    """Without targets, inputs may be latents: nothing but the generator looks at them."""
    weights = torch.randn(8, 3 * 32 * 32, generator=torch.Generator().manual_seed(0))
    found = measure_quality(
        lambda z: torch.tanh(z @ weights).view(-1, 3, 32, 32),
        ((((torch.randn(10, 8, generator=torch.Generator().manual_seed(i)),), None)) for i in range(3)),
        encoder,
        real,
        full=False,
    )
    assert [m.name for m in found] == ["fd[shapes,n=30]"]
    assert found[0].low is None


def test_real_side_as_statistics(encoder, data, real):
    """With statistics of the real side only, the distance is the same; what needs its features is left out."""
    side = statistics_of([real])
    found = measure_quality(blend, batches(data), encoder, side)
    outputs = features_of(blend(data[0]).split(16), encoder)
    assert found[0].value == frechet_to_statistics(outputs, side)
    assert found[0].value == pytest.approx(frechet_distance(outputs, real), rel=1e-6)
    assert [m.name for m in found] == ["fd[shapes,n=40]", "l1", "psnr", "ssim", "feature_distance[shapes]"]


def test_modules_run_in_eval_mode_and_keep_their_modes(encoder, data, real):
    """An nn.Module is measured in eval mode without gradients; each part gets its own mode back, also on error."""
    seen = []

    class Watcher(nn.Module):
        def forward(self, x):
            seen.append((self.training, torch.is_grad_enabled()))
            if len(seen) > 3:
                raise OSError("broken")
            return x

    model = nn.Sequential(Watcher(), nn.BatchNorm2d(3), nn.Dropout(0.5))
    model.train()
    model[1].eval()
    measure_quality(model, batches(data), encoder, real, full=False)
    assert seen == [(False, False)] * 3
    assert [m.training for m in model] == [True, False, True]
    with pytest.raises(OSError, match="broken"):
        measure_quality(model, batches(data), encoder, real, full=False)
    assert [m.training for m in model] == [True, False, True]


def test_a_generator_is_called_with_each_of_its_inputs(encoder, data, real):
    """Two inputs of a batch are two arguments; what is measured is what one input of their mixture gives."""
    pairs = [((a, b), None) for (a,), b in batches(data)]
    found = measure_quality(lambda a, b: (a + b) / 2, pairs, encoder, real, full=False)
    mixed = [(((a + b) / 2,), None) for (a, b), _ in pairs]
    assert found == measure_quality(lambda x: x, mixed, encoder, real, full=False)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_not_finite_output(encoder, data, real, value):
    """NaN or infinity in the output is an error that names the image, whatever else is measured."""

    def broken(x):
        out = x.clone()
        out[3, 0, 0, 0] = value
        return out

    with pytest.raises(NonFiniteImages, match=r"output not finite.* in 1 of 16 images: 3"):
        measure_quality(broken, batches(data), encoder, real)


def test_bad_input_is_named(encoder, data, real):
    """References for some batches only, features of another encoder, targets of another number and no data are one-line errors."""
    with pytest.raises(ValueError, match="references"):
        measure_quality(blend, [*batches(data), (batches(data)[0][0], None)], encoder, real)
    with pytest.raises(ValueError, match="same encoder"):
        measure_quality(blend, batches(data), encoder, real[:, :5])
    with pytest.raises(ValueError, match="40 outputs and features of 39"):
        measure_quality(blend, batches(data), encoder, real[:39])
    with pytest.raises(ValueError, match="no images"):
        measure_quality(blend, [], encoder, real)


def test_encoders_see_rgb_and_pairs_their_own_channels():
    """The encoder gets three channels of gray images; L1, PSNR and SSIM are those of the one channel."""
    encoder = load_encoder("shapes")
    gray = torch.rand(12, 1, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    truth = gray.flip(0)
    seen = []

    def rgb(images, inputs):
        seen.append([tuple(x.shape) for x in inputs])
        return images.expand(-1, 3, -1, -1)

    real = features_of([truth.expand(-1, 3, -1, -1)], encoder)
    found = {m.name: m for m in measure_quality(lambda x: x, [((gray,), truth)], encoder, real, rgb=rgb)}
    assert seen == [[(12, 1, 16, 16)]] * 2
    assert "images (1, 16, 16)" in found["l1"].protocol
    assert found["l1"].value == pytest.approx(float((gray - truth).abs().mean()))
    colored = measure_quality(
        lambda x: x, [((gray.expand(-1, 3, -1, -1),), truth.expand(-1, 3, -1, -1))], encoder, real
    )
    assert [m.value for m in colored] == pytest.approx([m.value for m in found.values()], rel=1e-6)
