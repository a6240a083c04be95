"""A teacher whose outputs contradict the stated range of values gets a note that names the range of its code."""

import numpy as np
import pytest
import torch
from ganprune.evaluators.features.shapes_encoder import load_shapes
from ganprune.gan_models.networks.value_ranges import USUAL_RANGE, ValueRanges, translate, with_usual_ranges
from ganprune.search.config import StudyConfig
from ganprune.search.teacher_checks.value_range_check import Example, value_range_note
from torch import nn

BASE = {"name": "s", "model": "resnet", "data": "builtin:shapes", "budgets": ("60%",), "image_size": 16}


class Curve(nn.Module):
    """Gives `curved` of its input, in the range that its code works in; clamps as restoration networks do."""

    def __init__(self, low, high, gain=1.0):
        super().__init__()
        self.bounds, self.gain = (low, high), gain

    def forward(self, x):
        usual = curved(translate(x, self.bounds, USUAL_RANGE))
        return translate(self.gain * usual, USUAL_RANGE, self.bounds).clamp(*self.bounds)


def curved(x):
    """A change of images in [-1, 1] that is another one in another range."""
    return 2 * x**2 - 1


def pictures(seed):
    blocks = np.random.default_rng(seed).uniform(-1, 1, (8, 3, 4, 4))
    return torch.from_numpy(blocks).float().repeat_interleave(4, 2).repeat_interleave(4, 3)


def note(network, stated="", teacher="teacher.pth", paired=True):
    """The note of a network under a stated range, on images and what `curved` makes of them."""
    config = StudyConfig(**BASE, value_range=stated, teacher=teacher)
    network = with_usual_ranges(network, config.own_inputs, config.value_ranges.given)
    images, wanted = pictures(0), curved(pictures(0))
    example = Example((images,), wanted if paired else None, wanted if paired else curved(pictures(1)))
    encoder = load_shapes()
    return value_range_note(config, network, example, encoder, torch.device("cpu"))


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize(
    ("low", "high", "stated", "named"),
    [
        (0, 1, "", "--value-range 0,1"),
        (0, 255, "", "--value-range 0,255"),
        (-1, 1, "0,1", "--value-range -1,1"),
        (0, 1, "0,255", "--value-range 0,1"),
        (-1, 1, "0,255", "--value-range -1,1"),
    ],
)
def test_another_range_is_named_if_it_fits_plainly_better(low, high, stated, named, paired):
    """A perfect network in a wrong range is told its own range and the stated one, with references and without."""
    said = note(Curve(low, high), stated, paired=paired)
    assert named in said
    assert f"the value range {stated or '-1,1'}" in said


@pytest.mark.parametrize("text", ["-1,1", "0,1", "0,255"])
@pytest.mark.parametrize("paired", [True, False])
def test_the_right_range_gets_no_note(text, paired):
    """A network in the range of its code is left alone."""
    assert note(Curve(*ValueRanges.read(text).taken), text, paired=paired) == ""


def test_a_bad_teacher_in_its_range_gets_no_note():
    """Outputs that are gray, or random in [-1, 1], are a matter of training, not of the range."""
    gray = note(Curve(-1, 1, gain=0.0))
    torch.manual_seed(0)
    random = note(nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Tanh()))
    assert (gray, random) == ("", "")


@pytest.mark.parametrize(
    ("network", "stated", "says"),
    [
        (lambda x: 127.5 * (x + 1), "", "--value-range 0,255"),
        (lambda x: translate(x, USUAL_RANGE, (0, 1)), "", "--value-range 0,1"),
        (lambda x: 10 * x - 500, "", "--value-range LEAST,LARGEST"),
    ],
)
def test_outputs_of_a_teacher_that_is_trained_here_are_looked_at_alone(network, stated, says):
    """Without weights of somebody else's only outputs outside, or in a part of the range, are named."""

    class Net(nn.Module):
        def forward(self, x):
            return network(x)

    assert says in note(Net(), stated, teacher="")


def test_outputs_that_are_as_bright_as_the_real_images_get_no_note():
    """If real images are in [0, 1] of [-1, 1] themselves, so may outputs be."""
    config = StudyConfig(**BASE)
    images = pictures(0).abs()
    example = Example((images,), None, images)
    assert value_range_note(config, nn.Identity(), example, load_shapes(), torch.device("cpu")) == ""


def test_a_latent_has_no_range_of_its_own():
    """Only the output's range of a generator of latents is tried."""
    config = StudyConfig(**{**BASE, "model": "sngan_32", "image_size": 32}, teacher="teacher.pth")
    images = pictures(0)

    class Net(nn.Module):
        def forward(self, z):
            return translate(images, USUAL_RANGE, (0, 1))

    example = Example((torch.randn(8, 128),), None, images)
    said = value_range_note(config, Net(), example, load_shapes(), torch.device("cpu"))
    assert "--value-range 0,1;" in said
