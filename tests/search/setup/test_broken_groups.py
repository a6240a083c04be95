"""Groups that no cut may touch are left whole before anything is trained, and stay so in study and bundle."""

import json

import pytest
from ganprune.gan_models.networks.generator_pair import GeneratorPair
from ganprune.search.config import StudyConfig
from ganprune.search.preparations.opened_study import OpenedStudy
from ganprune.search.setup.resolve import resolve
from ganprune.studies.bundles.verify import verify_bundle

from ...command_line import QUICK, call

NETS = """
import torch
from torch import nn

class Half(nn.Module):
    def __init__(self, picky):
        super().__init__()
        self.a, self.b, self.c = [nn.Conv2d(i, o, 3, padding=1) for i, o in ((3, 8), (8, 8), (8, 3))]
        self.picky = picky
    def forward(self, x):
        y = self.b(torch.relu(self.a(x)))
        if self.picky:
            y = y if y.is_meta else y * y.shape[1]  # a trace on shapes does not see it
        return torch.tanh(self.c(torch.relu(y)))

def picky():
    return Half(True)
"""
SETTINGS = {
    "name": "s", "input_shape": (3, 16, 16), "data": "builtin:shapes", "budgets": ("60%",), "image_size": 16,
    "n_train": 4, "n_test": 4, "task": "paired", "methods": ("uniform",),
}  # fmt: skip


@pytest.fixture
def nets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(NETS)
    return tmp_path / "nets.py"


def test_a_broken_group_is_left_whole_with_its_line_and_a_note(nets):
    """The resolved study holds the other group alone, and says why; its live part finds the same groups."""
    study, parts = resolve(StudyConfig(model=f"{nets}:picky", **SETTINGS), sharing=lambda kind: 1)
    assert study.groups.names == ("a",)
    assert "nets.py:13: y = y if y.is_meta else y * y.shape[1]" in study.groups.whole["b"]
    assert any(note.startswith("b is not pruned: ") for note in study.notes)
    for like in (None, parts):
        opened = OpenedStudy(study, like=like)
        assert opened.groups.names == ("a",)
        assert opened.left_whole.keys() == {"b"}


def test_both_generators_leave_it_whole(nets):
    """The group of either direction is pinned, though the network is checked once."""
    both = SETTINGS | {"data": "builtin:stripes", "task": "unpaired", "prune_network": "both"}
    both["budgets"] = ("AtoB=60%", "BtoA=60%")
    study, parts = resolve(StudyConfig(model=f"{nets}:picky", **both), sharing=lambda kind: 1)
    assert study.groups.names == ("AtoB.a", "BtoA.a")
    assert study.groups.whole.keys() == {"AtoB.b", "BtoA.b"}
    assert isinstance(parts.full_network(), GeneratorPair)
    assert all(groups.names == ("a",) for groups in parts.own_groups.values())


def test_a_search_with_a_broken_group_runs_resumes_and_exports(nets, monkeypatch, capsys):
    """No trial fails, and the bundle is rebuilt with the same groups."""
    model = ["--model", "nets.py:picky", "--input-shape", "3,16,16", "--data", "builtin:shapes", "--task", "paired"]
    assert call(monkeypatch, "search", *model, "--budget", "60%", "--trials", 2, "--study", "s", *QUICK) == 0
    assert call(monkeypatch, "resume", "s", "--trials", 3, "--executor", "local") == 0
    capsys.readouterr()
    assert call(monkeypatch, "show", "s", "--json") == 0
    states = [row["state"] for row in json.loads(capsys.readouterr().out)["trials"] if row["trial"] is not None]
    assert states == ["COMPLETE"] * 3
    assert call(monkeypatch, "export", "s", "--trial", 0, "--out", "bundle") == 0
    assert all(check.passed for check in verify_bundle("bundle"))
    whole = json.loads((nets.parent / "bundle" / "architecture.json").read_text())["whole"]
    assert "nets.py" in whole["b"]
