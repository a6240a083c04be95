"""`--teacher spandrel:FILE`: a search, a bundle and its checks from weights alone, without a dependency that stays."""

import json
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from ganprune.gan_models.checkpoints.checkpoint import load_weights
from ganprune.gan_models.networks.catalog import build
from ganprune.studies.bundles.bundle import load_bundle
from PIL import Image

from ..command_line import QUICK, call, refused


def test_weights_alone_become_a_study_and_a_bundle(tmp_path, monkeypatch, capsys):
    """The network is the catalog's in record and bundle; a file that is of none says what to install."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    network = build("srvgg_compact", {"num_feat": 8, "num_conv": 1, "scale": 1})
    torch.save({"params": network.state_dict()}, "restore.pth")
    data = ["--data", "builtin:shapes", "--task", "paired", "--image-size", 16, "--budget", "60%", "--trials", 1]
    search = ["search", *data, *QUICK, "--study", "s", "--teacher"]
    assert call(monkeypatch, *search, "spandrel:restore.pth") == 0
    assert call(monkeypatch, "export", "s", "--trial", 0, "--out", "bundle") == 0
    Path("restore.pth").unlink()
    assert call(monkeypatch, "verify", "bundle", "--no-code") == 0
    architecture = json.loads(Path("bundle/architecture.json").read_text())
    assert (architecture["model"], architecture["output"]["value_range"]) == ("srvgg_compact", [0, 1])
    assert load_bundle("bundle", catalog_only=True)(torch.rand(1, 3, 8, 8)).shape == (1, 3, 8, 8)
    assert "spandrel" not in Path("bundle/card.md").read_text()
    assert "determines the network and its arguments" in refused(
        monkeypatch, capsys, *search, "spandrel:restore.pth", "--model", "resnet"
    )
    assert "is not a file" in refused(monkeypatch, capsys, *search, "spandrel:restore.pth")


def test_weights_alone_are_inspected_measured_and_compared(tmp_path, monkeypatch, capsys):
    """Every command takes them as a search does; two of other scales, and a file of none, are refused in one line."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        Path("photos", split).mkdir(parents=True)
        for i in range(6):
            Image.fromarray(random.integers(0, 256, (32, 32, 3), np.uint8)).save(f"photos/{split}/{i}.png")
    for scale in (2, 4):
        torch.manual_seed(scale)
        network = build("srvgg_compact", {"num_feat": 8, "num_conv": 1, "scale": scale})
        torch.save({"params": network.state_dict()}, f"x{scale}.pth")
    assert call(monkeypatch, "inspect", "--model", "spandrel:x2.pth", "--json") == 0
    assert json.loads(capsys.readouterr().out)["model"] == "srvgg_compact"
    measure = ["--metric", "shapes", "--json"]
    assert call(monkeypatch, "fid", "spandrel:x2.pth", "photos", *measure) == 0
    found = json.loads(capsys.readouterr().out)
    names = [each["name"] for each in found["measurements"]]
    assert (found["n_generated"], names[0], names[2]) == (6, "fd[shapes,n=6]", "psnr[border=2]")
    assert call(monkeypatch, "compare", "spandrel:x2.pth", "spandrel:x2.pth", "--data", "photos", *measure) == 0
    assert json.loads(capsys.readouterr().out)["difference"]["value"] == 0
    line = refused(monkeypatch, capsys, "compare", "spandrel:x2.pth", "spandrel:x4.pth", "--data", "photos", *measure)
    assert "spandrel:x4.pth takes 3 channels and gives" in line
    assert "these cannot be compared" in line
    assert "is not a file" in refused(monkeypatch, capsys, "fid", "spandrel:none.pth", "photos", *measure)


MINI = """
from torch import nn

class Mini(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.hyperparameters = {"width": width}
        self.body = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 12, 3, padding=1))
        self.up = nn.PixelShuffle(2)

    def forward(self, x):
        return self.up(self.body(x))
"""
LOADER = """
from types import SimpleNamespace

class MaskedImageModelDescriptor: ...

class ModelLoader:
    def load_from_state_dict(self, state):
        from .architectures.Mini import Mini
        network = Mini(len(state["body.0.bias"]))
        network.load_state_dict(state)
        return SimpleNamespace(
            model=network, architecture=SimpleNamespace(id="Mini", name="Mini"), input_channels=3,
            size_requirements=SimpleNamespace(minimum=0, multiple_of=1),
        )
"""


def test_a_network_that_the_package_knows_is_trained_from_nothing(tmp_path, monkeypatch):
    """`train` builds the network that spandrel, here a package of a single architecture, tells by the file's weights."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "spandrel"]:
        monkeypatch.delitem(sys.modules, name)
    for place, text in (("", LOADER), ("architectures", ""), ("architectures/Mini", MINI)):
        (tmp_path / "spandrel" / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / "spandrel" / place / "__init__.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    network = import_module("spandrel.architectures.Mini").Mini(6)
    torch.save({"params": network.state_dict()}, "mini.pth")
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        Path("photos", split).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(random.integers(0, 256, (32, 32, 3), np.uint8)).save(f"photos/{split}/{i}.png")
    given = ["--model", "spandrel:mini.pth", "--data", "photos", "--steps", 2, "--batch-size", 2, "--ndf", 4]
    size = ["--scale", 2, "--image-size", 16, "--metric", "shapes"]
    try:
        assert call(monkeypatch, "train", *given, *size, "--out", "teacher.safetensors") == 0
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "spandrel"]:
            monkeypatch.delitem(sys.modules, name)
    written = load_weights("teacher.safetensors")
    assert {n: t.shape for n, t in written.items()} == {n: t.shape for n, t in network.state_dict().items()}
    assert Path("teacher.discriminator.safetensors").is_file()
