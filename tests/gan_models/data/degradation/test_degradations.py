"""Degradations beside closed forms: resizing, blur, noise, JPEG; each one's own settings."""

import numpy as np
import pytest
from ganprune.gan_models.data.degradation.blur import blurred, gaussian_kernel, sinc_kernel
from ganprune.gan_models.data.degradation.catalog import DEGRADATIONS
from ganprune.gan_models.data.degradation.degradation import degraded
from ganprune.gan_models.data.degradation.noise import gaussian_noise, shot_noise
from ganprune.gan_models.data.degradation.real import jpeg
from ganprune.gan_models.data.degradation.resizing import area_mean, bicubic
from ganprune.gan_models.files.errors import UserError

PICTURE = np.random.default_rng(0).uniform(0, 255, (24, 36, 3)).astype(np.float32)
FLAT = np.full((64, 64, 3), 128, np.float32)


def low(name, pixels=PICTURE, scale=1, seed=0, **settings):
    return degraded(DEGRADATIONS.find(name).build(name, settings), pixels, scale, seed)


def test_area_is_the_mean_of_each_square():
    """Pixel by pixel, by the definition."""
    expected = np.array([[PICTURE[3 * y : 3 * y + 3, 3 * x : 3 * x + 3].mean((0, 1)) for x in range(12)]
                         for y in range(8)])  # fmt: skip
    assert np.allclose(area_mean(PICTURE, 3), expected, atol=1e-3)
    assert np.array_equal(low("area", scale=3), expected.round().astype(np.uint8))


def test_bicubic_is_the_stretched_cubic_kernel_of_the_benchmarks():
    """The sum over the definition of the kernel with a = -0.5, weights normalized at the borders."""

    def cubic(x):
        x = abs(x)
        near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
        return near if x < 1 else far if x < 2 else 0.0

    def weights(n, scale):
        rows = np.array([[cubic((j + 0.5 - (i + 0.5) * scale) / scale) for j in range(n)] for i in range(n // scale)])
        return rows / rows.sum(1, keepdims=True)

    smooth = PICTURE * 0.3 + 90  # so that nothing is clipped
    rows, columns = weights(24, 4), weights(36, 4)
    expected = np.einsum("yi,xj,ijc->yxc", rows, columns, smooth)
    assert np.abs(bicubic(smooth, 4) - expected).max() < 0.01


def test_a_gaussian_kernel_has_its_widths_along_its_axes():
    """Variances along and across the angle; the sum is 1."""
    kernel = gaussian_kernel(3.0, 1.5, np.pi / 6)
    reach = len(kernel) // 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    along, aside = np.cos(np.pi / 6) * x + np.sin(np.pi / 6) * y, np.cos(np.pi / 6) * y - np.sin(np.pi / 6) * x
    assert kernel.sum() == pytest.approx(1)
    assert np.sqrt((kernel * along**2).sum()) == pytest.approx(3.0, rel=0.03)  # cut off at 3 deviations
    assert np.sqrt((kernel * aside**2).sum()) == pytest.approx(1.5, rel=0.01)


def test_a_blur_keeps_flat_pictures_and_the_sum_of_a_point():
    """Borders are reflected, so that nothing darkens there."""
    kernel = gaussian_kernel(2.0, 2.0, 0.0)
    assert np.allclose(blurred(FLAT, kernel), FLAT, atol=1e-3)
    point = np.zeros((65, 65, 1), np.float32)
    point[32, 32] = 1
    assert np.allclose(blurred(point, kernel)[26:39, 26:39, 0], kernel, atol=1e-6)


def test_noise_has_its_standard_deviation():
    """Gaussian: sigma; shot: the root of the counts. 12,288 samples, 5 standard errors."""
    random = np.random.default_rng(1)
    error = 5 / np.sqrt(2 * FLAT.size)
    assert gaussian_noise(FLAT, 10.0, False, random).std() == pytest.approx(10, rel=error)
    photons = 200.0
    expected = 255 / photons * np.sqrt(128 / 255 * photons)
    assert shot_noise(FLAT, photons, False, random).std() == pytest.approx(expected, rel=error)


@pytest.mark.parametrize(
    "noise", [lambda r: gaussian_noise(FLAT, 9.0, True, r), lambda r: shot_noise(FLAT, 99, True, r)]
)
def test_gray_noise_is_the_same_in_all_channels(noise):
    """Each pixel of a gray picture stays gray."""
    noisy = noise(np.random.default_rng(2))
    assert np.ptp(noisy, axis=2).max() < 1e-3 < noisy.std()


def test_gray_is_the_luma():
    """Gray is the luma of ITU-R BT.601, in all channels."""
    expected = (PICTURE @ [0.299, 0.587, 0.114]).round().astype(np.uint8)
    assert np.array_equal(low("gray"), np.repeat(expected[:, :, None], 3, 2))


def test_jpeg_loses_less_at_higher_quality():
    """A picture with detail changes less at higher quality; a flat one hardly changes."""
    errors = [np.abs(jpeg(PICTURE, quality) - PICTURE).mean() for quality in (10, 50, 95)]
    assert errors[0] > errors[1] > errors[2] > 0
    assert np.abs(jpeg(FLAT, 90) - FLAT).max() <= 1


def test_noise_of_a_range_differs_from_picture_to_picture():
    """One number is the same strength each time; of a range it is drawn."""
    fixed = [low("noise", FLAT, seed=seed, sigma=20).std() for seed in range(8)]
    ranged = [low("noise", FLAT, seed=seed, sigma=[5, 40]).std() for seed in range(8)]
    assert np.ptp(fixed) < 1 < 8 < np.ptp(ranged)


@pytest.mark.parametrize("cutoff", [0.8, 1.5, 2.5])
def test_a_sinc_filter_passes_frequencies_below_its_cutoff_alone(cutoff):
    """Its frequency response is near 1 well below the cutoff and near 0 well above, along any direction."""
    kernel = sinc_kernel(cutoff, 60)
    y, x = np.mgrid[-60:61, -60:61]
    for angle in (0.0, 0.6, np.pi / 4):
        for share, passed in ((0.6, 1), (1.2, 0)):
            wave = np.cos(share * cutoff * (np.cos(angle) * x + np.sin(angle) * y))
            assert abs((kernel * wave).sum() - passed) < 0.1  # ripples of a filter that is cut off at 60 pixels


def test_a_sinc_filter_rings_at_edges():
    """A step becomes brighter than white on its one side, which no Gaussian does; flat parts stay."""
    step = np.repeat(np.where(np.arange(64) < 32, 50.0, 200.0)[None, :, None], 64, 0).repeat(3, 2).astype(np.float32)
    ringing = blurred(step, sinc_kernel(1.0, 10))
    assert ringing[32].max() > 205
    assert blurred(step, gaussian_kernel(2, 2, 0)).max() < 200.01
    assert np.allclose(blurred(FLAT, sinc_kernel(1.0, 10)), 128, atol=1e-3)


@pytest.mark.parametrize("setting", ["sinc", "last_sinc"])
def test_the_real_kind_has_sinc_filters_where_it_says(setting):
    """With a share of 1 each picture is another one than without, in the middle of the chain and at its end."""
    settings = {"sinc": 0.0, "last_sinc": 0.0, "noise": [0, 0], "shot": 0, "cutoff": [0.7, 0.7], "quality": [95, 95]}
    for seed in range(4):
        plain = low("real", PICTURE, 1, seed, **settings)
        assert np.abs(low("real", PICTURE, 1, seed, **{**settings, setting: 1.0}) - plain).mean() > 3


def test_a_longer_chain_of_the_real_kind_loses_more():
    """Two rounds and strong settings leave less than one round of weak ones."""
    y, x = np.mgrid[:64, :64]
    waves = np.repeat((128 + 100 * np.sin(x / 2) * np.cos(y / 3))[:, :, None], 3, 2).astype(np.float32)
    kept = [
        np.corrcoef(low("real", waves, 2, 3, **settings).ravel(), low("area", waves, 2).ravel())[0, 1]
        for settings in ({"sigma": [0.2, 0.3], "noise": [1, 1], "shot": 0, "quality": [95, 95], "sinc": 0, "last_sinc": 0},
                         {"rounds": 2, "sigma": [2, 3], "noise": [25, 25], "shot": 0, "quality": [30, 30]})
    ]  # fmt: skip
    assert kept[0] > 0.95 > 0.7 > kept[1]


@pytest.mark.parametrize(
    ("name", "settings", "why"),
    [
        ("noise", {"sigma": 300}, "sigma of noise.*300.*0 to 255"),
        ("noise", {"sigma": [30, 10]}, "minimum and maximum"),
        ("noise", {"strength": 3}, "strength is not a known field; expected one of sigma"),
        ("blur", {"sigma": -1}, "sigma of blur"),
        ("blur", {"anisotropic": 2}, "anisotropic"),
        ("real", {"quality": [0, 10]}, "quality of JPEG"),
        ("real", {"rounds": 9}, "rounds.*9.*1 to 4"),
        ("bicubic", {"a": -0.75}, "a is not a known field"),
    ],
)
def test_a_setting_that_is_not_possible_is_refused_in_one_line(name, settings, why):
    """With its value and what is allowed."""
    with pytest.raises(UserError, match=why) as caught:
        DEGRADATIONS.find(name).build(name, settings)
    assert "\n" not in str(caught.value)


def test_sizes_that_the_scale_does_not_divide_are_refused():
    """With both numbers."""
    with pytest.raises(UserError, match=r"scale 5 does not fit.*36x24"):
        low("area", scale=5)
