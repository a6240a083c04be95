"""A discriminator of a user's own: built with what its signature takes, checked before training, kept by the study."""

import re

import pytest
import torch
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.tasks.settings import DiscriminatorSettings
from ganprune.gan_models.tasks.task import build_discriminators
from ganprune.search.config import StudyConfig
from ganprune.search.setup.kept_files import own_files, with_own_files
from ganprune.search.setup.resolve import resolve

JUDGES = """
from torch import nn

def pooled(input_channels, width=4):
    return nn.Sequential(nn.Conv2d(input_channels, width, 3, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(width, 1, 3, 1, 1))

def anything(**arguments):
    network = nn.Conv2d(arguments["input_channels"], 1, 3)
    network.arguments = arguments
    return network

def wide(width, input_channels=3):
    return nn.Conv2d(input_channels, width, 3)

def gray():
    return nn.Conv2d(1, 1, 3)

class Two(nn.Conv2d):
    def forward(self, x):
        return [super().forward(x)]

def two(input_channels):
    return Two(input_channels, 1, 3)
"""


@pytest.fixture
def judges(tmp_path):
    (tmp_path / "judges.py").write_text(JUDGES)
    return tmp_path / "judges.py"


def study(model: str) -> StudyConfig:
    return StudyConfig(
        name="s", model="resnet", model_args={"ngf": 4, "n_blocks": 1}, data="builtin:shapes", task="paired",
        budgets=("50%",), image_size=16, n_train=4, n_test=4, teacher_steps=1, prune_steps=0, finetune_steps=1,
        methods=("uniform",), metric="shapes", task_settings={"discriminator": {"model": model}},
    )  # fmt: skip


def test_a_builder_is_given_what_its_signature_takes(judges):
    """`pooled` has no ndf, norm or n_layers and is built all the same, for the channels that it is shown."""
    networks = build_discriminators(("G",), DiscriminatorSettings(f"{judges}:pooled"), 6, 1)
    assert networks["G"](torch.zeros(2, 6, 16, 16)).shape == (2, 1, 8, 8)


def test_a_builder_that_takes_anything_is_given_everything(judges):
    """`**arguments` takes all four settings."""
    settings = DiscriminatorSettings(f"{judges}:anything", ndf=7, n_layers=2, norm="batch")
    network = build_discriminators(("G",), settings, 3, 1)["G"]
    assert network.arguments == {"ndf": 7, "n_layers": 2, "norm": "batch", "input_channels": 3}


def test_an_argument_without_default_is_named_with_those_that_are_given(judges):
    """`wide` needs a width, which nobody gives."""
    named = r"needs width.*ndf, norm, n_layers, input_channels.*default"
    with pytest.raises(UserError, match=named):
        build_discriminators(("G",), DiscriminatorSettings(f"{judges}:wide"), 3, 1)


@pytest.mark.parametrize(
    ("name", "said"), [("gray", "6x16x16.*input_channels"), ("two", "got list"), ("wide", "needs width")]
)
def test_one_that_does_not_take_what_it_is_shown_is_refused_before_training(judges, name, said):
    """The pair of input and output has six channels: who takes one, or gives no tensor, is refused on resolving."""
    with pytest.raises(UserError, match=said) as refusal:
        resolve(study(f"{judges}:{name}"), sharing=lambda kind: 1)
    assert "\n" not in str(refusal.value)


def test_its_file_is_kept_with_the_study(judges, tmp_path):
    """The copy has a hash in its name and stands in the task's settings in the place of the file."""
    config = study(f"{judges}:pooled")
    kept = with_own_files(config, tmp_path / "source")
    assert own_files(config) == [judges]
    named = kept.task_settings["discriminator"]["model"]
    assert re.fullmatch(r"judges-[0-9a-f]{8}\.py:pooled", named)
    assert (tmp_path / "source" / named.partition(":")[0]).read_text() == JUDGES
