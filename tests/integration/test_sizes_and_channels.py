"""Generators of other channels and sizes than square RGB go from a file to pictures."""

from pathlib import Path

import numpy as np
import optuna
import pytest
from ganprune.studies.bundles.bundle import read_architecture
from PIL import Image

from ..command_line import QUICK, call

OWN = """
from torch import nn

def net(inputs=3, outputs=3, high=1, wide=1):
    layers = [nn.Conv2d(inputs, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()]
    if high * wide > 1:
        layers.append(nn.Upsample(scale_factor=(high, wide)))
    return nn.Sequential(*layers, nn.Conv2d(8, outputs, 3, padding=1), nn.Tanh())
"""
# Name -> builder's arguments, input, and what becomes of a picture of 40 x 24: mode and size.
CASES = {
    "gray to color, rectangular": ("inputs=1,outputs=3", "1,16,32", "RGB", (40, 24)),
    "color to gray, twice the size": ("inputs=3,outputs=1,high=2,wide=2", "3,16,16", "L", (80, 48)),
    "lightness to ab": ("inputs=1,outputs=2", "1,16,16", "RGB", (40, 24)),
    "alpha, twice as wide": ("inputs=4,outputs=4,wide=2", "4,16,16", "RGBA", (80, 24)),
}


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(OWN)
    (tmp_path / "pictures").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (24, 40, 4), np.uint8)
    Image.fromarray(pixels[:, :, :3]).save(tmp_path / "pictures" / "photo.png")
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_a_generator_of_any_channels_goes_the_whole_way(case, place, monkeypatch):
    """Searched, shown, exported, verified, compared and run; references are measured in the generator's channels."""
    arguments, shape, mode, size = CASES[case]
    given = ["--model", "net.py:net", "--model-args", arguments, "--input-shape", shape, "--task", "paired"]
    data = ["--data", "builtin:shapes", "--budget", "60%", "--study", "s", "--trials", 1]
    assert call(monkeypatch, "search", *given, *data, *QUICK) == 0
    study = optuna.load_study(study_name="s", storage="sqlite:///ganprune.db")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"]
    assert call(monkeypatch, "report", "s", "--out", "report.html") == 0
    assert call(monkeypatch, "export", "s", "--trial", 0, "--out", "bundle", "--formats", "onnx") == 0
    assert call(monkeypatch, "verify", "bundle") == 0
    assert call(monkeypatch, "fid", "bundle", "builtin:shapes") == 0
    for more in ([], ["--format", "onnx"]):
        assert call(monkeypatch, "run", "bundle", "--input", "pictures", "--out", "made", *more) == 0
        picture = Image.open(place / "made" / "photo.png")
        assert (picture.mode, picture.size) == (mode, size)
    output = read_architecture(place / "bundle").output
    assert output is not None
    assert output.color == {"RGB": "rgb", "L": "gray", "RGBA": "rgba"}[mode] or case == "lightness to ab"


def test_colorized_pictures_keep_their_lightness(place, monkeypatch):
    """What a generator of a*, b* makes is written with the lightness of its input, at the picture's own size."""
    given = ["--model", "net.py:net", "--model-args", "inputs=1,outputs=2", "--input-shape", "1,16,16"]
    data = ["--task", "paired", "--data", "builtin:shapes", "--budget", "60%", "--study", "s", "--trials", 1]
    assert call(monkeypatch, "search", *given, *data, *QUICK) == 0
    assert call(monkeypatch, "export", "s", "--trial", 0, "--out", "bundle") == 0
    gray = np.kron(np.array([[40, 90], [160, 210]], np.uint8), np.ones((12, 16), np.uint8))
    Image.fromarray(gray).save(place / "pictures" / "photo.png")
    assert call(monkeypatch, "run", "bundle", "--input", "pictures", "--out", "made") == 0
    made = np.asarray(Image.open(place / "made" / "photo.png").convert("L"), float)
    assert made.shape == gray.shape
    assert np.abs(made - gray).mean() < 12  # luma and L* differ a little for strong colors
