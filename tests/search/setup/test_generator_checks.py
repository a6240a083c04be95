"""Generators that no cut can be made of are refused in one line before anything is trained."""

import re

import pytest
import torch
from ganprune.gan_models.checkpoints.checkpoint import save_weights
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.search.config import StudyConfig
from ganprune.search.setup.generator_checks import check_generator, check_output
from ganprune.search.setup.resolve import resolve

from ...command_line import QUICK, refused
from ...examples import example_input

NETS = """
import torch
from torch import nn
from torch.nn import functional as F

class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
        self.strength = nn.Parameter(torch.zeros(1))
    def forward(self, x):
        return torch.tanh(self.b(F.dropout(torch.relu(self.a(x)), 0.5, self.training)))

class Two(Plain):
    def forward(self, x):
        return super().forward(x), None

class Noise(Plain):
    def forward(self, x):
        return super().forward(x) + self.strength * torch.randn_like(x)

class Dropout(Plain):
    def forward(self, x):
        return super().forward(F.dropout(x, 0.5, True))
"""
SETTINGS = {
    "name": "s",
    "input_shape": (3, 16, 16),
    "data": "builtin:shapes",
    "budgets": ("50%",),
    "image_size": 16,
    "n_train": 4,
    "n_test": 4,
}


@pytest.fixture
def nets(tmp_path):
    (tmp_path / "nets.py").write_text(NETS)
    return tmp_path / "nets.py"


def study(nets, name, **settings) -> StudyConfig:
    return StudyConfig(model=f"{nets}:{name}", **SETTINGS | {"task": "paired"} | settings)


def test_one_tensor_is_let_through_without_running_it(nets):
    """A network without randomness is only traced: nothing is computed, its mode stays, no random number is drawn."""
    torch.manual_seed(1)
    state = torch.get_rng_state()
    check_generator(study(nets, "Plain"))
    assert torch.equal(torch.get_rng_state(), state)
    with torch.device("meta"):
        network = build(f"{nets}:Plain", {}).train()
    assert check_output("m", network, InputSpec.parse("3,16,16")) == ()
    assert network.training


def test_a_tuple_is_refused(nets, monkeypatch, capsys, tmp_path):
    """`(image, None)`, as StyleGAN2 returns it, is refused by search and inspect, and no study is made."""
    monkeypatch.chdir(tmp_path)
    model = ["--model", f"{nets}:Two", "--input-shape", "3,16,16"]
    said = "returns a tuple of 2: got 0 3x16x16. Try to name the one that counts, --output 0"
    assert said in refused(monkeypatch, capsys, "inspect", *model)
    search = ["search", *QUICK, *model, "--study", "s", "--data", "builtin:shapes", "--budget", "50%", "--trials", 1]
    assert said in refused(monkeypatch, capsys, *search)
    assert not (tmp_path / "ganprune-artifacts" / "s").exists()


def test_randomness_in_eval_mode_is_refused(nets, tmp_path):
    """The message has the difference of two calls; noise of training is refused, but not with weights of 0."""
    with pytest.raises(ValueError, match=r"random in eval mode \(\w+; two calls on the same input differ by 0\.\d+\)"):
        resolve(study(nets, "Dropout"), sharing=lambda kind: 1)
    with pytest.raises(ValueError, match=r"random in eval mode \(\w+; trained weights would show a difference\)"):
        check_generator(study(nets, "Noise"))
    network = build(f"{nets}:Noise", {})
    save_weights(network, tmp_path / "w.safetensors")
    check_generator(study(nets, "Noise", teacher=str(tmp_path / "w.safetensors")))
    with torch.no_grad():
        network.strength += 1.0
        assert not torch.equal(network(example_input((3, 16, 16))), network(example_input((3, 16, 16))))
    save_weights(network, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="differ by"):
        check_generator(study(nets, "Noise", teacher=str(tmp_path / "w.safetensors")))


@pytest.mark.parametrize(("name", "value"), [("methods", "mggc"), ("budgets", "50%"), ("prune", "a*")])
def test_a_word_is_no_list(name, value):
    """If Python's options want several, one word is not taken apart into letters."""
    with pytest.raises(ValueError, match=rf"^{name} is a list, such as \['{re.escape(value)}'\]; got '"):
        StudyConfig(**{"model": "resnet", **SETTINGS, "input_shape": ()} | {name: value})
