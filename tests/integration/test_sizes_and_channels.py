"""Generators of other channels and sizes than square RGB go from a file to pictures."""

import runpy
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
from ganprune.gan_models.files.pictures.picture_reader import read_picture
from ganprune.studies.bundles.bundle import read_architecture
from PIL import Image

from ..command_line import QUICK, call, refused

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
    "gray to gray and alpha": ("inputs=1,outputs=2", "1,16,16", "LA", (40, 24)),
}
MORE = {
    "gray to color, rectangular": ["--load-size", "20x36"],
    "gray to gray and alpha": ["--output-color", "gray_alpha"],
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
    data = ["--data", "builtin:shapes", "--budget", "60%", "--study", "s", "--trials", 1, *MORE.get(case, [])]
    assert call(monkeypatch, "search", *given, *data, *QUICK) == 0
    study = optuna.load_study(study_name="s", storage="sqlite:///ganprune.db")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"]
    assert study.user_attrs["ganprune.config"]["load_size"] == ("20x36" if "rectangular" in case else None)
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
    assert (
        output.color == {"RGB": "rgb", "L": "gray", "RGBA": "rgba", "LA": "gray_alpha"}[mode]
        or case == "lightness to ab"
    )


def test_colorized_pictures_keep_their_lightness(place, monkeypatch):
    """Outputs of a generator of a*, b* are written with the lightness of its input, at the picture's own size."""
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


def test_more_channels_than_a_picture_has_go_the_whole_way(place, monkeypatch):
    """Six are read of arrays, five of pages are the target; `run` writes arrays that are read again."""
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        for role in ("input", "target"):
            (place / "data" / split / role).mkdir(parents=True)
        for i in range(4):
            np.save(place / "data" / split / "input" / f"{i}.npy", random.random((6, 16, 24), np.float32))
            made = [Image.fromarray(plane) for plane in random.integers(0, 256, (5, 16, 24), np.uint8)]
            made[0].save(place / "data" / split / "target" / f"{i}.tif", save_all=True, append_images=made[1:])
    given = ["--model", "net.py:net", "--model-args", "inputs=6,outputs=5", "--input-shape", "6,16,24"]
    quick = [value for value in QUICK if value not in ("--n-train", "--n-test", 8)]
    assert call(monkeypatch, "search", *given, "--data", "data", "--budget", "60%", "--trials", 1, *quick) == 0
    assert call(monkeypatch, "export", "search", "--trial", 0, "--out", "bundle", "--formats", "") == 0
    assert call(monkeypatch, "run", "bundle", "--input", "data/test/input", "--out", "made") == 0
    assert sorted(path.name for path in (place / "made").iterdir()) == ["0.npy", "1.npy", "2.npy", "3.npy"]
    assert read_picture(place / "made" / "0.npy").channels == 5
    assert call(monkeypatch, "fid", "bundle", "data") == 0


def pairs(folder: Path, height: int, width: int, count: int = 8) -> Path:
    """Pictures A|B of noise, each half of a size."""
    random = np.random.default_rng(1)
    for split in ("train", "test"):
        (folder / split).mkdir(parents=True)
        for i in range(count):
            pixels = random.integers(0, 256, (height, 2 * width, 3), np.uint8)
            Image.fromarray(pixels).save(folder / split / f"{i}.png")
    return folder


@pytest.mark.parametrize(
    ("size", "given", "recorded", "says"),
    [
        ((16, 16), ["--load-size", "20x18"], "16", ""),
        ((16, 32), [], "16x32", ""),
        ((18, 32), [], "16x32", "images of 18x32 (height x width) are shrunk to 16x32, the next size"),
        ((16, 16), ["--image-size", "32x16"], "32x16", "images of 16x16 (height x width) are enlarged to 32x16"),
    ],
)
def test_the_size_is_the_data_s_own_unless_it_is_given(size, given, recorded, says, place, monkeypatch, capsys):
    """It is recorded, and no image is enlarged or shrunk without a note."""
    data = pairs(place / "data", *size)
    model = ["--model", "resnet", "--model-args", "ngf=4,n_blocks=1", "--data", data, "--budget", "60%", "--study", "s"]
    quick = [value for value in QUICK if value not in ("--n-train", "--n-test", 8)]
    assert call(monkeypatch, "search", *model, *given, "--trials", 1, *quick) == 0
    told = capsys.readouterr()
    assert says in told.out + told.err
    assert bool(says) == ("height x width" in told.out + told.err)
    study = optuna.load_study(study_name="s", storage="sqlite:///ganprune.db")
    assert str(study.user_attrs["ganprune.config"]["image_size"]) == recorded


def test_a_size_that_a_network_does_not_have_is_refused_with_its_stride(place, monkeypatch, capsys):
    """One line with what it must be a multiple of, and the next size."""
    given = ["--model", "resnet", "--model-args", "ngf=4", "--data", "builtin:shapes", "--budget", "60%"]
    line = refused(monkeypatch, capsys, "search", *given, *QUICK, "--image-size", "30x32")
    assert (
        "resnet does not run at this size: got --image-size 30x32; expected multiples of 4. Try --image-size 32" in line
    )
    line = refused(monkeypatch, capsys, "search", *given, *QUICK, "--load-size", "20by30")
    assert "load size is not understood: got '20by30'" in line
    line = refused(monkeypatch, capsys, "search", *given, *QUICK, "--image-size", "wide")
    assert "image size is not understood: got 'wide'; expected pixels per side, 256, or HEIGHTxWIDTH, 256x512" in line


@pytest.mark.parametrize(
    "given",
    [
        ["--model", "net.py:net", "--model-args", "inputs=1,outputs=1", "--input-shape", "1,16,24", "--data",
         "builtin:stripes", "--task", "unpaired", "--methods", "uniform,coronet,mggc,slimming", "--prune-steps", 2],
        ["--model", "sngan_32", "--model-args", "ngf=8,output_channels=1", "--data", "builtin:shapes", "--task",
         "unconditional"],
    ],
    ids=["unpaired", "unconditional"],
)  # fmt: skip
def test_tasks_without_references_take_gray_images(given, place, monkeypatch):
    """Every method that trains, measures and compares sees images of one channel as RGB where it needs RGB."""
    assert call(monkeypatch, "search", *QUICK, *given, "--budget", "60%", "--study", "s", "--trials", 4) == 0
    study = optuna.load_study(study_name="s", storage="sqlite:///ganprune.db")
    assert {trial.state.name for trial in study.trials} == {"COMPLETE"}


def test_one_unpaired_generator_alone_may_change_channels(place, monkeypatch, capsys):
    """Both of them are refused, with the cure; the trained one alone, from color to gray, is searched."""
    torch.save(runpy.run_path(str(place / "net.py"))["net"](3, 1).state_dict(), place / "gray.pth")
    given = ["--model", "net.py:net", "--model-args", "inputs=3,outputs=1", "--input-shape", "3,16,16", "--data",
             "builtin:stripes", "--task", "unpaired", "--budget", "60%", "--study", "s", "--trials", 1]  # fmt: skip
    assert "leads from A to B and back" in refused(monkeypatch, capsys, "search", *given, *QUICK)
    assert call(monkeypatch, "search", *given, *QUICK, "--teacher", "AtoB=gray.pth") == 0
    study = optuna.load_study(study_name="s", storage="sqlite:///ganprune.db")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"]
