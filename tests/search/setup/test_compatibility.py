"""Generators and discriminators against task and data."""

import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.search.config import StudyConfig
from ganprune.search.setup.compatibility import fitted, output_of

from ...tiny_study import SMALL

OWN = """
from torch import nn

def half():
    return nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.Conv2d(8, 3, 3, padding=1))

def gray():
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 1, 3, padding=1))
"""


def config(tmp_path, name: str, **changes) -> StudyConfig:
    (tmp_path / "net.py").write_text(OWN)
    own = {"model": f"{tmp_path / 'net.py'}:{name}", "model_args": {}, "input_shape": (3, 16, 16)}
    return StudyConfig(name="c", **SMALL | own | changes)


def test_a_generator_that_changes_the_size_is_told_both(tmp_path):
    """Images of 8 pixels from ones of 16 are compared with nothing: both sizes and the cure are named."""
    with pytest.raises(UserError, match=r"gives images of 8 pixels a side from .*, the data's have 16"):
        fitted(config(tmp_path, "half"), "paired")


def test_a_generator_of_other_channels_is_told_what_it_gives(tmp_path):
    """One channel is no RGB image; the shape that it gives is named."""
    wrong = config(tmp_path, "gray")
    with pytest.raises(UserError, match=r"gives 1x16x16 from .*one square image of 3 channels"):
        output_of(wrong, wrong.inputs)


def test_what_fits_keeps_its_size_and_settings():
    """The catalog's generator gives three channels at the images' size; the task's settings are as they were."""
    given = StudyConfig(name="c", **SMALL)
    output = output_of(given, given.inputs)
    assert (output.channels, tuple(output.size)) == (3, (16, 16))
    assert fitted(given, "paired") == (given, output)


def test_an_unknown_network_is_named_with_a_near_one():
    """The first thing that is checked is the name."""
    with pytest.raises(UserError, match=r"'resnett' is not known.*Did you mean resnet\?"):
        fitted(StudyConfig(name="c", **SMALL | {"model": "resnett"}), "paired")
