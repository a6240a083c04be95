import math

import pytest
import torch
from ganprune.evaluators.features.catalog import load_encoder
from ganprune.evaluators.quality.catalog import MetricSet
from ganprune.evaluators.quality.own_function import OwnFunction, looks_like_metric
from ganprune.evaluators.quality.suite import measure_quality
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.user_code import UserCodeFailed
from scipy import stats


def brightness(images):
    """Mean value of an image."""
    return images.mean((1, 2, 3))


def measured(function, outputs, references=None, reads="images", full=True):
    metric = OwnFunction("own.py:brightness", function, reads, references is not None)
    metric.reset(full)
    metric.update(outputs, references)
    return metric.compute()[0]


def test_the_interval_of_a_mean_is_students():
    """Leaving out one image at a time gives the textbook interval of a mean."""
    images = torch.rand(12, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    found = measured(brightness, images)
    means = images.mean((1, 2, 3)).double()
    reach = stats.t.ppf(0.95, 11) * float(means.std() / math.sqrt(12))
    assert found.name == "brightness[n=12]"
    assert found.value == pytest.approx(float(means.mean()))
    assert (found.low, found.high) == pytest.approx((float(means.mean()) - reach, float(means.mean()) + reach))


def test_rows_are_combined_over_all_images():
    """A statistic that is no mean is computed of all rows, and of each group's complement for the interval."""

    def spread(images):
        return images.flatten(1)[:, :2]

    spread.combine = lambda rows: rows.std(0).sum()
    images = torch.randn(40, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    found = measured(spread, images)
    assert found.value == pytest.approx(float(images.double().flatten(1)[:, :2].std(0).sum()))
    assert found.low < found.value < found.high


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda images: None, "gives NoneType: got None; expected numbers"),
        (lambda images: "good", "gives str: got 'good'; expected numbers"),
        (lambda images: images.mean((1, 2, 3)) * math.nan, "not finite: got nan at place 0; expected finite numbers"),
        (lambda images: images.mean(), "gives one number for 4 images; expected one number per image"),
        (lambda images: images, "gives 4x3x2x2 for 4 images"),
        (lambda images: images.nothing, r"raised AttributeError: .*nothing.* \(test_own_function.py, line \d+\)"),
    ],
)
def test_what_is_no_number_is_refused_with_the_functions_name(function, message):
    """Each failure is one line that names the metric; one that raises has the user's file, line and traceback."""
    with pytest.raises(UserCodeFailed, match=f"metric own.py:brightness .*{message}") as raised:
        measured(function, torch.ones(4, 3, 2, 2))
    assert "\n" not in str(raised.value)
    if "raised" in message:
        assert "Traceback" in raised.value.traceback


def test_a_function_must_say_its_direction(tmp_path):
    """Without `better` a metric by path is refused, with the line to add."""
    (tmp_path / "own.py").write_text("def score(images, references):\n    return images.mean((1, 2, 3))\n")
    with pytest.raises(UserError, match=r"does not say which direction is better: .* Try score.better = \"higher\""):
        MetricSet(objective=f"{tmp_path / 'own.py'}:score")


def test_encoders_are_not_taken_for_metrics():
    """An encoder by path is a class or a function of one argument that says no direction."""

    def load(weights):
        return weights

    assert not looks_like_metric(load)
    brightness.better = "higher"
    assert looks_like_metric(brightness)


def test_the_objective_is_measured_first_and_at_rungs(tmp_path):
    """A cheap pass has it too, and its first measurement is the quality."""
    (tmp_path / "own.py").write_text(
        "def features(sample):\n    return sample.norm(dim=1).mean()\n\n\nfeatures.better = 'lower'\n"
        "features.reads = 'sample'\n"
    )
    metrics = MetricSet(objective=f"{tmp_path / 'own.py'}:features")
    encoder, images = load_encoder("shapes"), torch.rand(8, 3, 16, 16) * 2 - 1
    batches = [((images,), None)]
    for full in (False, True):
        found = measure_quality(
            lambda x: x, batches, encoder, torch.randn(8, 96), metrics=metrics, full=full, aligned=False
        )
        assert found[0].name == "features[n=8]"
        assert (found[0].low is None) != full
        assert found[1].name.startswith("fd[shapes")
