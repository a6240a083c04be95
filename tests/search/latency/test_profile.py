"""A profile of a device whose times are known: the predictor is exact, its error is told, JSON both ways."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from ganprune.evaluators.cost.device import this_device
from ganprune.evaluators.cost.latency import Effort, Timing
from ganprune.evaluators.cost.machine_load import Limits
from ganprune.evaluators.cost.measurers.measurer import Measurer
from ganprune.gan_models.costs.cost_form import LATENCY
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.gan_models.quantization.settings import QuantSettings
from ganprune.search.latency.latency_preparation import LATENCY_PROFILE
from ganprune.search.latency.predictor import opened
from ganprune.search.latency.profile import LatencyProfile, blocks_of, read_profile, write_profile
from ganprune.search.latency.profiler import Thoroughness, accuracy, liked_multiple, profile_network
from ganprune.search.setup.opened_profile import NoProfile
from ganprune.search.setup.study_parts import StudyParts

from ...fakes.analytic_device import ARGUMENTS, DEVICE, FLOPS_PER_MS, INPUTS, SHAPE, AnalyticDevice, config, profiled


@pytest.fixture(scope="module")
def profile() -> LatencyProfile:
    return profiled(AnalyticDevice(whole=1.25, overhead_ms=2.0))


def test_a_device_that_counts_is_predicted_exactly(profile):
    """Times in proportion to multiplications: every plan is predicted to rounding, scale and overhead are found."""
    fit = profile.whole.fit
    assert (fit.integer, fit.other) == (pytest.approx(1.25), pytest.approx(1.25))
    assert (fit.weights, fit.overhead_ms) == (pytest.approx(0.0, abs=1e-9), pytest.approx(2.0))
    assert profile.whole.accuracy.error < 1e-9
    assert profile.whole.accuracy.rank_correlation == 1.0
    assert sum(profile.whole.held_out) == profile.whole.accuracy.n == 3
    groups = find_groups(build("resnet", ARGUMENTS), INPUTS.examples())
    form = profile.form(blocks_of("resnet", ARGUMENTS, INPUTS))
    plans = np.random.default_rng(0).integers(1, groups.form.sizes + 1, (200, len(groups.names)))
    expected = 1.25 * 2 * groups.form.predict(plans) / FLOPS_PER_MS + 2.0
    np.testing.assert_allclose(form.predict(plans), expected, rtol=1e-6)


def test_networks_of_eight_bits_are_fitted_apart():
    """A device twice as fast in 8 bits: those plans cost half, and the profile stays plain JSON."""
    found = profiled(AnalyticDevice(overhead_ms=1.0), int8=AnalyticDevice(whole=0.5, overhead_ms=1.0))
    assert found.whole_int8 is not None
    assert found.whole_int8.accuracy.error < 1e-9
    form = found.form(blocks_of("resnet", ARGUMENTS, INPUTS))
    plans = np.random.default_rng(0).integers(1, form.sizes + 1, (20, len(form.names)))
    np.testing.assert_allclose(form.predict(plans, "latency_ms_int8") - 1, (form.predict(plans) - 1) / 2, rtol=1e-6)
    assert LatencyProfile.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_bits_are_a_dimension_where_the_device_was_measured_in_eight(profile):
    """32 and 8 are offered under a budget in ms; 8 is refused where the profile or the quantizer cannot run it."""
    both = opened(profiled(int8=AnalyticDevice(whole=0.5)), "resnet", ARGUMENTS, INPUTS)
    one = opened(profile, "resnet", ARGUMENTS, INPUTS)
    assert both.bits(config()) == (32, 8)
    assert both.bits(config(bits=(32,))) == (32,)
    assert both.bits(config(budgets=("25%", "3ms"))) == (32,)
    assert one.bits(config()) == (32,)
    with pytest.raises(NoProfile, match="profile-device --runtime onnxruntime"):
        one.bits(config(bits=(8,)))
    with pytest.raises(NoProfile, match="signed quantizer"):
        both.bits(config(bits=(8,), quantization_settings=QuantSettings(scheme="published")))
    assert "in 8 bits" in both.predicted(1.0, 8).protocol


def test_a_profile_is_plain_json_both_ways(profile, tmp_path):
    """A written profile is read again, and its sha256 tells another profile apart."""
    again = LatencyProfile.from_json(json.loads(json.dumps(profile.to_json())))
    assert again == profile
    write_profile(profile, tmp_path / "p.json")
    assert read_profile(tmp_path / "p.json", profile.sha256()) == profile
    with pytest.raises(NoProfile, match="not the latency profile that this study was made with"):
        read_profile(tmp_path / "p.json", replace(profile, multiple=2).sha256())
    with pytest.raises(NoProfile, match="not a latency profile; run `ganprune profile-device"):
        read_profile(tmp_path / "none.json")
    broken = profile.to_json()
    del broken["whole"]["fit"]
    with pytest.raises(ValueError, match="fit is missing"):
        LatencyProfile.from_json(broken)
    with pytest.raises(ValueError, match="format"):
        LatencyProfile.from_json({"format": 99})


@pytest.mark.parametrize(("arguments", "shape"), [({"ngf": 8, "n_blocks": 2}, SHAPE), (ARGUMENTS, (3, 32, 32))])
def test_a_profile_is_of_one_network_at_one_resolution(profile, arguments, shape):
    """More blocks or larger images are another network: refused, with what to run."""
    with pytest.raises(NoProfile, match="of another network or resolution: run `ganprune profile-device"):
        profile.form(blocks_of("resnet", arguments, InputSpec.of_shape(shape)))


def test_layers_that_are_known_are_not_measured_again(profile):
    """With all tables at hand only whole networks are measured; with one missing, that one."""
    known = {layer.key: layer for layer in profile.layers}
    device = AnalyticDevice()
    assert profiled(device, known=known).layers == profile.layers
    assert device.calls == 5 + 3 + 1
    missing = profile.layers[1]
    again = AnalyticDevice()
    profiled(again, known={key: layer for key, layer in known.items() if key != missing.key})
    assert again.calls == device.calls + len(missing.ms)


def test_each_distinct_layer_is_measured_once_over_its_grid(profile):
    """As many times as its grid has points; the last one is the full layer, whose 90th percentile is kept beside it."""
    assert len({layer.key for layer in profile.layers}) == len(profile.layers)
    for layer in profile.layers:
        assert len(layer.ms) == math.prod(map(len, layer.channels)) == len(layer.p90_ms)
        assert layer.p90_ms[-1] == pytest.approx(1.1 * layer.ms[-1])


@pytest.mark.parametrize(
    ("time", "multiple"),
    [
        (lambda n: float(n), 1),
        (lambda n: float(-(-n // 8)), 8),
        (lambda n: float(-(-n // 4)), 4),
        (lambda n: 1.0, 32),
        (lambda n: n + 5.0 * (n % 2), 2),  # odd widths are slow: further channels would cost a part of the gain
        (lambda n: n * (1.0 if n % 16 == 0 else 1.5), 16),  # 32 would still be faster than no multiple at all
    ],
)
def test_the_multiple_that_a_device_likes_is_found(time, multiple: int):
    """The largest of the multiples that save the most is offered, of those that cost nothing if none saves; else 1."""
    found, costs = liked_multiple({n: time(n) for n in range(32, 65)})
    assert found == multiple
    assert set(costs) == {2, 4, 8, 16, 32}


def test_accuracy_is_arithmetic():
    """Errors of 10, 0 and 50 %: the median is 10 %, the largest 50 %; the order is right."""
    found = accuracy(np.array([1.1, 2.0, 6.0]), np.array([1.0, 2.0, 4.0]))
    assert (found.error, found.worst, found.n) == (pytest.approx(0.1), pytest.approx(0.5), 3)
    assert found.rank_correlation == pytest.approx(1.0)
    assert accuracy(np.array([1.0, 1.0]), np.array([1.0, 2.0])).rank_correlation == 0.0


def test_a_study_keeps_its_own_copy_of_the_profile(profile, tmp_path):
    """The copy's path and sha256 go into the configuration; groups that stay whole keep their full width."""
    found = StudyParts(config(), lambda config: profile).profiles[LATENCY]
    own = LATENCY_PROFILE.kept(config(), found, tmp_path)
    assert StudyParts(own).profiles[LATENCY].content == profile.to_json()
    copy = own.profiles[LATENCY]
    before = config(latency_profile=copy.file, latency_sha256=copy.sha256)  # as version 0.1.0 wrote it
    assert StudyParts(before).profiles[LATENCY].content == profile.to_json()
    with pytest.raises(NoProfile, match="not the profile for ms of this study: got another file"):
        _ = StudyParts(config(latency_profile=copy.file, latency_sha256="0" * 64)).profiles
    assert StudyParts(config(budgets=("25%",))).profiles == {}
    with pytest.raises(NoProfile, match="budget 3ms needs a latency profile"):
        _ = StudyParts(config()).profiles
    model, example = build("resnet", ARGUMENTS), INPUTS.examples()[0]
    names = find_groups(model, example).names
    part = find_groups(model, example, {names[0]: "stays"})
    full = opened(profile, "resnet", ARGUMENTS, INPUTS)
    assert full.of(part).dense() == pytest.approx(full.form.dense())
    assert full.predicted(2.5).name == f"latency_ms[predicted,device={DEVICE.id},threads=1,batch=1]"


def test_a_real_profile_of_this_machine():
    """Measured here, however busy it is: every time is above 0, and more channels than none take longer at both ends."""
    effort = Effort(0.0, 0.0, 2, 0.0, limits=Limits(math.inf, math.inf, math.inf))
    found = profile_network(
        "resnet", ARGUMENTS, INPUTS, this_device("eager", 1), Measurer("eager", 1, effort=effort), None,
        Thoroughness(2, 4, 2),
    )  # fmt: skip
    assert all(ms > 0 for layer in found.layers for ms in layer.ms)
    assert found.form(blocks_of("resnet", ARGUMENTS, INPUTS)).dense() > 0
    assert LatencyProfile.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize("bad", [{"points": 1}, {"fitted": 3}, {"held_out": 1}])
def test_a_profile_needs_something_to_go_by(bad):
    """Fewer than two points or networks make no table, no fit and no error."""
    with pytest.raises(ValueError, match="needs 2 or more"):
        Thoroughness(**bad)


def test_timings_and_numbers_are_the_same_to_the_multiple():
    """`liked_multiple` takes timings as they come from a measurer."""
    assert liked_multiple({n: Timing(1.0, 1.0, 1) for n in range(32, 65)})[0] == 32


def test_blocks_are_those_of_the_output_that_counts(tmp_path):
    """Features that a network returns beside its image keep their channels, unless the image alone counts."""
    (tmp_path / "nets.py").write_text(SEVERAL)
    model, inputs = f"{tmp_path / 'nets.py'}:Several", InputSpec.parse("3,8,8")
    assert blocks_of(model, {}, inputs).groups == ()
    assert blocks_of(model, {}, inputs, output="image").groups == ("trunk",)


SEVERAL = """
import torch
from torch import nn

class Several(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk, self.image = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x):
        hidden = torch.relu(self.trunk(x))
        return {"hidden": hidden, "image": self.image(hidden)}
"""
