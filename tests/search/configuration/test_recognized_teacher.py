"""`spandrel:FILE` in the options of a search: what the weights say of the network."""

import pytest
from ganprune.gan_models.checkpoints.checkpoint import save_weights
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.catalog import build
from ganprune.search.configuration.recognized_teacher import with_recognized
from ganprune.studies.api import Search


@pytest.fixture
def file(tmp_path):
    """Weights of a small upscaler."""
    save_weights(build("srvgg_compact", {"num_feat": 8, "num_conv": 2}), tmp_path / "compact.safetensors")
    return str(tmp_path / "compact.safetensors")


def test_the_teacher_alone_says_the_network(file):
    """Model, arguments, weights and range of values are filled in; the configuration names nothing of spandrel."""
    config = Search("", "builtin:shapes", "50%", options={"teacher": f"spandrel:{file}"}).config()
    assert (config.model, config.teacher, config.value_range) == ("srvgg_compact", file, "0,1")
    assert dict(config.model_args) == {
        "scale": 4, "num_feat": 8, "num_conv": 2, "input_channels": 3, "output_channels": 3,
    }  # fmt: skip


def test_as_a_model_it_brings_no_weights(file):
    """`--model spandrel:FILE` is the architecture alone; another range of values stays as stated."""
    values = with_recognized({"model": f"spandrel:{file}", "value_range": "-1,1"})
    assert (values["model"], values.get("teacher"), values["value_range"]) == ("srvgg_compact", None, "-1,1")


def test_options_without_it_stay():
    """Nothing is read, and nothing changed."""
    values = {"model": "resnet", "teacher": "weights.pth"}
    assert with_recognized(values) == values


@pytest.mark.parametrize("beside", [{"model": "resnet"}, {"model_args": {"ngf": 4}}])
def test_the_network_is_not_named_twice(file, beside):
    """A model or arguments beside it are refused with both."""
    with pytest.raises(UserError, match="determines the network and its arguments") as caught:
        with_recognized({"teacher": f"spandrel:{file}", **beside})
    assert f"--{next(iter(beside)).replace('_', '-')}" in str(caught.value)
