"""Generators and discriminators against task and data."""

from dataclasses import replace

import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.pictures.colors import color_of
from ganprune.search.config import StudyConfig
from ganprune.search.setup.compatibility import fitted, output_of

from ...tiny_study import SMALL

OWN = """
from torch import nn

def net(inputs=3, outputs=3, stride=1):
    return nn.Sequential(nn.Conv2d(inputs, 8, 3, stride, padding=1), nn.Conv2d(8, outputs, 3, padding=1))
"""


def config(tmp_path, shape: str = "3,16,16", **changes) -> StudyConfig:
    (tmp_path / "net.py").write_text(OWN)
    arguments = {name: changes.pop(name) for name in ("inputs", "outputs", "stride") if name in changes}
    own = {"model": f"{tmp_path / 'net.py'}:net", "model_args": arguments, "input_shape": shape}
    return StudyConfig(name="c", **SMALL | own | {"image_size": 0} | changes)


@pytest.mark.parametrize(
    ("inputs", "arguments", "size", "output", "settings"),
    [
        ("3,16,16", {"stride": 2}, 16, (3, 8, 8), {}),
        ("3,16,32", {}, "16x32", (3, 16, 32), {}),
        ("1,16,16", {"inputs": 1}, 16, (3, 16, 16), {"input_channels": 1}),
        ("3,16,16", {"outputs": 1}, 16, (1, 16, 16), {"output_channels": 1}),
        ("4,16,16", {"inputs": 4, "outputs": 4}, 16, (4, 16, 16), {"input_channels": 4, "output_channels": 4}),
    ],
)
def test_any_channels_and_sizes_fit(tmp_path, inputs, arguments, size, output, settings):
    """The size is that of the input; the task is told the channels that are not RGB's."""
    fitting, given = fitted(config(tmp_path, inputs, **arguments), "paired")
    assert (fitting.image_size, given.shape) == (size, output)
    channels = {name: value for name, value in fitting.task_settings.items() if name.endswith("channels")}
    assert channels == settings


def test_one_channel_in_and_two_out_are_lightness_and_ab(tmp_path):
    """The colors stand in the input's text and in the output."""
    fitting, output = fitted(config(tmp_path, "1,16,16", inputs=1, outputs=2), "paired")
    assert fitting.input_shape == "lightness:1,16,16"
    assert (fitting.inputs.inputs[0].color, output.color) == ("lightness", "ab")
    assert fitted(fitting, "paired") == (fitting, output)


def test_a_catalog_network_has_the_channels_of_its_arguments():
    """`input_channels` is what it takes; a shape of other channels, or of another kind, is refused with the cure."""
    arguments = {"ngf": 4, "n_blocks": 1, "input_channels": 1, "output_channels": 2}
    given = StudyConfig(name="c", **SMALL | {"model_args": arguments})
    assert given.inputs.inputs[0].shape == (1, 16, 16)
    fitting, output = fitted(given.checked(), "paired")
    assert (fitting.checked().inputs.inputs[0].color, output.color) == ("lightness", "ab")
    with pytest.raises(UserError, match=r"got 1,16,16; expected 3,256,256 of any size.*input_channels=1"):
        StudyConfig(name="c", **SMALL | {"input_shape": "1,16,16"}).checked()


@pytest.mark.parametrize(
    ("inputs", "arguments", "color"),
    [("5,16,16", {"inputs": 5}, "rgb"), ("3,16,16", {"outputs": 5}, "planes")],
)
def test_channels_beyond_four_are_planes(tmp_path, inputs, arguments, color):
    """They stand for no color, on either side."""
    fitting, output = fitted(config(tmp_path, inputs, **arguments), "paired")
    assert (fitting.inputs.inputs[0].color, output.color) == (color_of(int(inputs[0])), color)


def test_the_color_of_an_output_is_as_it_is_said(tmp_path):
    """One channel to two are lightness and a*, b* unless `output_color` says gray and alpha; others are refused."""
    given = config(tmp_path, "1,16,16", inputs=1, outputs=2)
    assert fitted(given, "paired")[1].color == "ab"
    fitting, output = fitted(replace(given, output_color="gray_alpha"), "paired")
    assert (fitting.inputs.inputs[0].color, output.color) == ("gray", "gray_alpha")
    with pytest.raises(UserError, match="the output of 2 channels has no color 'rgb'; expected gray_alpha, ab"):
        fitted(replace(given, output_color="rgb"), "paired")


def test_a_size_that_contradicts_the_input_is_refused(tmp_path):
    """Both are named, with the cure."""
    with pytest.raises(UserError, match="--image-size 32 does not fit --input-shape 3,16,16: got images of 16 pixels"):
        fitted(config(tmp_path, image_size=32), "paired")


def test_two_generators_that_lead_back_to_each_other_need_one_shape(tmp_path):
    """One alone needs no way back; channels that the task's settings contradict are refused."""
    gray = config(tmp_path, outputs=1)
    with pytest.raises(UserError, match=r"leads from A to B and back: got .* from 3x16x16 to 1x16x16.*--teacher AtoB"):
        fitted(gray, "unpaired")
    alone = config(tmp_path, outputs=1, task_settings={"directions": ["AtoB"]})
    assert fitted(alone, "unpaired")[0].task_settings["channels"] == 1
    wrong = config(tmp_path, outputs=1, task_settings={"output_channels": 3})
    with pytest.raises(UserError, match=r"output_channels does not fit .*: got 3; expected 1"):
        fitted(wrong, "paired")


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


def test_a_margin_for_crops_may_be_smaller_than_the_catalogs_size():
    """At 32 pixels a network of 256 takes images of 40 before the crop: only the study's own size counts."""
    options = {**SMALL, "model": "resnet_6blocks", "image_size": 32, "load_size": 40}
    fitting, output = fitted(StudyConfig(name="c", task="paired", **options), "paired")
    assert (fitting.load_size, output.shape) == (40, (3, 32, 32))
