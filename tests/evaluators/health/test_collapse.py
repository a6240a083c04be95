"""The health of a GAN in training: what is measured, and what ends it."""

import json
import subprocess
import sys

import pytest
import torch
from ganprune.evaluators.health.collapse import Health, HealthLimits
from ganprune.evaluators.health.diversity import accuracy_of, diversity_of, duplicates_of
from ganprune.gan_models.files.plain_values import from_json, to_json


def looked(**changes):
    healthy = {
        "step": 400, "network": "G", "real_accuracy": 0.9, "generated_accuracy": 0.8, "diversity": 0.3,
        "teacher_diversity": 0.4, "duplicates": 0.0, "teacher_duplicates": 0.0,
    }  # fmt: skip
    return Health(**healthy | changes)


def test_diversity_in_closed_form():
    """Two constant images a and b apart are at |a - b|; more of them at the root mean square over all pairs."""
    flat = torch.tensor([-0.5, 0.5]).view(2, 1, 1, 1).expand(2, 3, 8, 8)
    assert diversity_of(flat) == pytest.approx(1.0)
    three = torch.tensor([0.0, 0.3, 0.6]).view(3, 1, 1, 1).expand(3, 3, 8, 8)
    assert diversity_of(three) == pytest.approx(((0.09 + 0.09 + 0.36) / 3) ** 0.5, rel=1e-6)
    assert diversity_of(three[:1].expand(4, 3, 8, 8)) == 0


def test_fine_noise_on_one_picture_is_no_diversity():
    """Noise of a standard deviation of 0.2 on one 128-pixel picture has a quarter of its amplitude or less."""
    noise = 0.2 * torch.randn(8, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    assert diversity_of(0.1 + noise) < 0.3 * 0.2 * 2**0.5


def test_duplicates_by_hand():
    """Twins count both; one gray level apart is a twin, three are not."""
    levels = torch.tensor([0.0, 0.9 / 127.5, 0.5, 0.5 + 3 / 127.5, -0.5]).view(5, 1, 1, 1).expand(5, 3, 8, 8)
    assert duplicates_of(levels) == pytest.approx(2 / 5)
    assert duplicates_of(levels[:1].expand(3, 3, 8, 8)) == 1
    with pytest.raises(ValueError, match="of at least 2"):
        duplicates_of(levels[:1])


def test_accuracy_of_scores():
    """Scores beyond the boundary are right for real images and wrong for generated ones; on it they count half."""
    scores = torch.tensor([[0.9, 0.2], [0.5, 0.7]])
    assert accuracy_of(scores, real=True, boundary=0.5) == pytest.approx((1 + 0 + 0.5 + 1) / 4)
    assert accuracy_of(scores, real=False, boundary=0.5) == pytest.approx(1 - (1 + 0 + 0.5 + 1) / 4)
    assert accuracy_of(scores - 1, real=False, boundary=0.0) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"diversity": 0.012}, "collapsed at step 400: diversity 0.03 of teacher"),
        ({"duplicates": 0.95}, "collapsed at step 400: 95 % of outputs are duplicates"),
        ({"duplicates": 0.95, "teacher_duplicates": 0.9}, None),
        ({"diversity": 0.0, "teacher_diversity": 0.0}, None),
        ({"real_accuracy": 1.0, "generated_accuracy": 1.0}, None),
    ],
)
def test_the_defaults_end_only_what_has_collapsed(changes, reason):
    """A collapse is named with its step; a teacher as poor, or a perfect discriminator, ends nothing."""
    assert HealthLimits().verdict(looked(**changes)) == reason


def test_limits_are_the_users():
    """Each limit can be moved, and switched off."""
    perfect = looked(real_accuracy=1.0, generated_accuracy=0.96)
    assert "right on 100 % of real and 96 % of generated" in (HealthLimits(accuracy=0.95).verdict(perfect) or "")
    assert HealthLimits(diversity=0).verdict(looked(diversity=0.0)) is None
    assert HealthLimits(diversity=0.8).verdict(looked()) == "collapsed at step 400: diversity 0.75 of teacher"
    assert from_json(HealthLimits, json.loads(json.dumps(to_json(HealthLimits(checks=3))))) == HealthLimits(checks=3)
    assert from_json(Health, json.loads(json.dumps(to_json(perfect)))) == perfect
    for wrong, message in (
        ({"color": 1}, "color is not a known field"),
        ({"checks": -1}, "0 .off."),
        ({"start": 2}, "0 to 1"),
    ):
        with pytest.raises(ValueError, match=message):
            from_json(HealthLimits, wrong)


def test_looks_are_spread_over_the_training():
    """As many as wanted, inside, none twice; a training too short has fewer; 0 is off."""
    assert HealthLimits(checks=4).looks(1000) == (200, 400, 600, 800)
    assert HealthLimits(checks=8).looks(3) == (1, 2)
    assert HealthLimits(checks=0).looks(1000) == HealthLimits().looks(1) == ()


def test_limits_import_no_torch():
    """A configuration may hold limits without loading torch."""
    code = "import sys, ganprune.evaluators.health.collapse; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
