"""A generator that returns several outputs goes the whole way once an option says which one counts."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from ganprune.search.config import StudyConfig
from ganprune.studies.bundles.bundle import load_bundle, read_architecture
from ganprune.studies.database.reader import read_study
from PIL import Image

from ..command_line import QUICK, call, refused

NETS = '''
import torch
from torch import nn


class Several(nn.Module):
    """An image, and features that another head makes of the same trunk."""

    def __init__(self):
        super().__init__()
        self.trunk, self.image = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
        self.head = nn.Sequential(nn.Conv2d(8, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 5, 1))

    def forward(self, x):
        hidden = torch.relu(self.trunk(x))
        return {"features": self.head(hidden), "image": torch.tanh(self.image(hidden))}
'''


@pytest.fixture
def model(tmp_path, monkeypatch) -> list[object]:
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(NETS)
    return ["--model", "nets.py:Several", "--input-shape", "3,16,16"]


DATA = ["--data", "builtin:shapes", "--task", "paired", "--budget", "60%"]


def test_the_outputs_are_named_if_none_is_chosen(model, monkeypatch, capsys):
    """Search, train and inspect name them with their shapes, and the option; so they do if there is no such output."""
    named = "features 5x16x16, image 3x16x16"
    for command in (["inspect"], ["search", *DATA], ["train", *DATA[:4], "--out", "t.safetensors"]):
        assert f"got {named}. Try to name the one that counts, --output image" in refused(
            monkeypatch, capsys, *command, *model
        )
        wrong = refused(monkeypatch, capsys, *command, *model, "--output", "picture")
        assert f"got --output picture; expected one of {named}" in wrong
    assert "got a generator of 5 channels; expected 1 to 4" in refused(
        monkeypatch, capsys, "search", *DATA, *model, "--output", "0"
    )
    assert not Path("ganprune.db").exists()


def test_it_is_searched_exported_verified_and_run_as_that_output(model, monkeypatch):
    """Its study and its bundle say which one counts; the file has it alone, under its name."""
    onnx = pytest.importorskip("onnx")
    methods = ["--methods", "uniform,coronet", "--prune-steps", 2]
    assert call(monkeypatch, "search", *model, *DATA, *QUICK, *methods, "--output", "image", "--trials", 3) == 0
    study = read_study("sqlite:///ganprune.db", "search")
    assert [trial.state for trial in study.trials] == ["COMPLETE"] * 3
    assert study.attributes["ganprune.config"]["output"] == "image"
    assert study.attributes["ganprune.resolved"]["output"]["selected"] == "image"
    assert call(monkeypatch, "export", "search", "--trial", 2, "--out", "bundle") == 0
    assert call(monkeypatch, "verify", "bundle") == 0
    output = read_architecture(Path("bundle")).output
    assert (output.selected, output.shape, output.scale) == ("image", (3, 16, 16), (1, 1))
    assert load_bundle("bundle")(torch.zeros(2, 3, 16, 16)).shape == (2, 3, 16, 16)
    assert "It gives image: 3x16x16 in [-1, 1]." in Path("bundle/card.md").read_text()
    assert [one.name for one in onnx.load("bundle/generator.onnx").graph.output] == ["image"]
    Path("in").mkdir()
    Image.new("RGB", (16, 16), "teal").save("in/a.png")
    pictures = []
    for out, format in (("torch", []), ("onnx", ["--format", "onnx"])):
        assert call(monkeypatch, "run", "bundle", "--input", "in", "--out", out, *format) == 0
        pictures.append(Image.open(Path(out) / "a.png"))
    one, other = (np.asarray(picture, dtype=int) for picture in pictures)
    assert abs(one - other).max() <= 1


def test_an_index_is_a_number_in_toml_and_python(model, monkeypatch):
    """`output = 1` in a file, `output=1` in Python and `--output 1` are one configuration."""
    Path("study.toml").write_text("[model]\noutput = 1\n")
    assert call(monkeypatch, "search", *model, *DATA, *QUICK, "--config", "study.toml", "--trials", 1) == 0
    assert read_study("sqlite:///ganprune.db", "search").attributes["ganprune.config"]["output"] == "1"
    config = StudyConfig(
        name="s", model="nets.py:Several", input_shape="3,16,16", data="builtin:shapes", budgets=("60%",), output=1
    )
    assert config.output == "1"
    assert StudyConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
