"""Trials of 8 bits: what they are calibrated on, and what is kept of it."""

import json

import pytest
import torch
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.groups.surgery import copy_network
from ganprune.gan_models.quantization.fake_quant import quantized_layers
from ganprune.search.config import StudyConfig
from ganprune.search.preparations.opened_study import open_study
from ganprune.search.preparations.prepare import make_teacher
from ganprune.search.trial.quantized import (
    CALIBRATION_BATCHES,
    detach,
    quantize,
    read_quantizations,
    training_inputs,
)

from ...tiny_study import SMALL, new_folder, opened


@pytest.fixture(scope="module")
def study():
    plan = opened(StudyConfig(name="q", **SMALL))
    make_teacher(plan, new_folder())
    return open_study(plan.resolved, plan.prepared)


def test_ranges_are_calibrated_on_eight_batches_that_the_seed_decides(study):
    """Inputs of training images, in batches of the recipe's size: the same from one seed, others from another."""
    first, again, other = (list(training_inputs(study, "G", seed)) for seed in (1, 1, 2))
    assert len(first) == CALIBRATION_BATCHES
    assert {tuple(x.shape) for (x,) in first} == {(2, 3, 16, 16)}
    assert all(torch.equal(a, b) for (a,), (b,) in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for (a,), (b,) in zip(first, other, strict=True))


def test_a_network_runs_quantized_until_it_is_detached(study):
    """Its outputs move while quantizers are on; afterwards they are bit for bit the float ones, and JSON says by what."""
    model = copy_network(study.generators["G"]).eval()
    ((x,), *_) = training_inputs(study, "G", 0)
    with torch.no_grad():
        plain = model(x)
        quantizers, _ = quantize(study, {"G": model}, study.config.quantization_settings, 0)
        moved = model.eval()(x)
        said = json.loads(json.dumps(detach(quantizers)))
        assert torch.equal(model(x), plain)
    assert 0 < float((moved - plain).abs().max()) < 0.1
    (found,) = read_quantizations(said).values()
    assert found.settings == study.config.quantization_settings
    assert set(found.ranges) == set(quantized_layers(model))


def test_a_record_of_another_form_is_refused(study):
    """The generator's name stands in the error."""
    with pytest.raises(UserError, match="G"):
        read_quantizations({"G": {"ranges": 3}})
