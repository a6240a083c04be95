"""`--teacher spandrel:FILE`: a search, a bundle and its checks from weights alone, without a dependency that stays."""

import json
from pathlib import Path

import torch
from ganprune.gan_models.networks.catalog import build
from ganprune.studies.bundles.bundle import load_bundle

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
    assert "says the network and its arguments" in refused(
        monkeypatch, capsys, *search, "spandrel:restore.pth", "--model", "resnet"
    )
    assert "is not a file" in refused(monkeypatch, capsys, *search, "spandrel:restore.pth")
