"""An enlarging generator from search to `run`: pairs in folders, inputs made on the fly, pictures of any size."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from ganprune.studies.database.reader import read_study
from PIL import Image

from ..command_line import QUICK, call, refused

NETS = '''
import torch
from torch import nn


class Repeat(nn.Module):
    """Enlarges by 2: each pixel becomes a square of its color. Widths of the hidden layer above 3 are slack."""

    def __init__(self, width=8):
        super().__init__()
        self.a, self.b, self.up = nn.Conv2d(3, width, 1), nn.Conv2d(width, 12, 1), nn.PixelShuffle(2)
        for p in self.parameters():
            nn.init.zeros_(p)
        with torch.no_grad():
            self.a.bias.fill_(2.0)
            self.b.bias.fill_(-2.0)
            for i in range(3):
                self.a.weight[i, i] = 1.0
                self.b.weight[4 * i : 4 * i + 4, i] = 1.0

    def forward(self, x):
        return self.up(self.b(torch.relu(self.a(x))))
'''
NET = ["--model", "nets.py:Repeat", "--input-shape", "3,8,8", "--teacher", "repeat.pth"]
SEARCH = ["search", *NET, "--budget", "60%", *QUICK[:-1], "uniform", "--trials", 1]


def squares(seed, height, width):
    """A picture whose squares of 2 x 2 pixels have one color each, and its half."""
    half = np.random.default_rng(seed).integers(0, 256, (height // 2, width // 2, 3), np.uint8)
    return half, half.repeat(2, 0).repeat(2, 1)


@pytest.fixture(autouse=True)
def made(tmp_path, monkeypatch):
    """Weights, pairs in folders, and the high sides alone."""
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(NETS)
    scope: dict = {}
    exec(NETS, scope)
    torch.save(scope["Repeat"]().state_dict(), "repeat.pth")
    for split, first in (("train", 0), ("test", 10)):
        for folder in (f"pairs/{split}/LR", f"pairs/{split}/HR", f"singles/{split}"):
            Path(folder).mkdir(parents=True)
        for i in range(first, first + 6):
            half, whole = squares(i, 24, 32)
            Image.fromarray(half).save(f"pairs/{split}/LR/{i}x2.png")
            Image.fromarray(whole).save(f"pairs/{split}/HR/{i}.png")
            Image.fromarray(whole).save(f"singles/{split}/{i}.png")


def record(study):
    return read_study("sqlite:///ganprune.db", study).attributes


def values(measurements):
    return {m["name"]: m["value"] for m in measurements}


def test_pairs_in_folders_are_recognized_and_a_perfect_enlarger_is_perfect(monkeypatch, capsys):
    """Without --task; its difference is 0, and the enlarged input's is not. The bundle's pictures are its own work."""
    assert call(monkeypatch, *SEARCH, "--data", "pairs", "--study", "s", "--task-setting", "weight_adversarial=0") == 0
    said = " ".join("".join(capsys.readouterr()).split())
    teacher = record("s")["ganprune.teacher"]
    assert values(teacher["measurements"])["l1"] == pytest.approx(0, abs=1e-6)
    assert values(teacher["inputs"])["l1"] > 0.05
    assert {"psnr[border=2]", "ssim[border=2]"} <= set(values(teacher["measurements"]))
    assert "super_resolution" in json.dumps(record("s")["ganprune.config"])
    assert "--teacher-discriminator: one is trained" not in said
    assert call(monkeypatch, "export", "s", "--trial", 0, "--out", "bundle") == 0
    assert call(monkeypatch, "verify", "bundle") == 0
    Path("given").mkdir()
    color = Image.fromarray(squares(99, 22, 46)[0])  # 23 x 11 pixels
    color.save("given/color.png")
    color.convert("L").save("given/gray.png")
    transparent = color.copy()
    transparent.putalpha(Image.linear_gradient("L").resize(color.size))
    transparent.save("given/transparent.png")
    assert call(monkeypatch, "run", "bundle", "--input", "given", "--out", "outs") == 0
    found = {path.stem: Image.open(path) for path in Path("outs").iterdir()}
    assert {name: (image.size, image.mode) for name, image in found.items()} == {
        "color": ((46, 22), "RGB"), "gray": ((46, 22), "RGB"), "transparent": ((46, 22), "RGBA"),
    }  # fmt: skip
    assert np.array_equal(np.asarray(found["transparent"])[..., :3], np.asarray(found["color"]))


def test_inputs_are_made_on_the_fly_and_the_study_says_how(monkeypatch, capsys):
    """--degrade alone asks for the task; settings and a note are on record; the study resumes and is measured again."""
    line = ["--data", "singles", "--degrade", "area", "--study", "s", "--also-measure", "psnr_y"]
    assert call(monkeypatch, *SEARCH, *line, "--load-size", 32) == 0
    said = " ".join("".join(capsys.readouterr()).split())
    assert "inputs are made of single pictures by --degrade area at scale 2" in said
    assert "--load-size does not act" in said
    measured = values(record("s")["ganprune.teacher"]["measurements"])
    assert measured["l1"] == pytest.approx(0, abs=1e-6)
    assert "psnr_y[border=2]" in measured
    assert call(monkeypatch, "resume", "s", "--trials", 2, "--executor", "local") == 0
    assert call(monkeypatch, "export", "s", "--trial", 1, "--out", "bundle") == 0
    capsys.readouterr()
    assert call(monkeypatch, "fid", "bundle", "--data", "singles", "--metric", "shapes") == 0
    assert "psnr[border=2]" in capsys.readouterr().out


def test_crops_are_as_large_as_the_pictures_allow_if_no_size_is_given(monkeypatch, capsys):
    """The generator's own size is 64; pictures of 24 x 32 have low sides of 12 x 16, and nothing is resized."""
    model = ["--model", "srvgg_compact", "--model-args", "scale=2,num_feat=8,num_conv=1", "--budget", "60%"]
    line = [*model, *QUICK[:-1], "uniform", "--trials", 1, "--data", "singles", "--degrade", "area", "--study", "s"]
    assert call(monkeypatch, "search", *line) == 0
    said = " ".join("".join(capsys.readouterr()).split())
    assert "inputs are crops of 12x16: no image has 64x64, the generator's own size" in said
    assert "shrunk" not in said
    assert "enlarged" not in said
    assert json.loads(json.dumps(record("s")["ganprune.config"]))["image_size"] == "12x16"


def test_a_degradation_of_ones_own_is_kept_with_the_study(monkeypatch):
    """A resume works when the file is gone, on the copy."""
    Path("fog.py").write_text("def fog(pixels, scale, random):\n    return 0.5 * pixels[::scale, ::scale] + 99\n")
    assert call(monkeypatch, *SEARCH, "--data", "singles", "--degrade", "fog.py:fog", "--study", "s") == 0
    Path("fog.py").unlink()
    assert call(monkeypatch, "resume", "s", "--trials", 2, "--executor", "local") == 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--data", "singles", "--scale", 4], "got 16x16 from 8x8; expected 32x32 at scale 4"),
        (["--data", "singles", "--degrade", "fogg"], "unknown degradation 'fogg'"),
        (["--data", "singles", "--task", "unconditional", "--scale", 2], "scale is a setting of super_resolution"),
        (["--data", "singles", "--task", "denoise"], "Try --task super_resolution"),
        (["--data", "pairs", "--degrade", "area"], "which makes the low side"),
        (
            ["--data", "singles", "--degrade", "area", "--image-size", 32],
            "largest is 32x24; expected 64x64 at scale 2. Try inputs of 12",
        ),
        (["--data", "singles", "--degrade", "noise", "--task-setting", "degradation.sigma=-1"], "sigma of noise"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(monkeypatch, capsys, words, why):
    """Before anything is trained, with the cure."""
    if "--image-size" in words:
        arguments = [word if word != "3,8,8" else "3,32,32" for word in SEARCH] + words[:-2]
    else:
        arguments = [*SEARCH, *words]
    assert why in refused(monkeypatch, capsys, *arguments)
