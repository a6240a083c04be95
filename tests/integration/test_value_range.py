"""A generator that works in [0, 1] is fed and judged in it once an option says so, from search to `run`."""

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


class Identity(nn.Module):
    """Gives its input back: of images in [low, high], which it clamps."""

    def __init__(self, low=0.0, high=1.0, shift=0.0):
        super().__init__()
        self.low, self.high = low, high
        self.a, self.b = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 3, 1)
        for p in self.parameters():
            nn.init.zeros_(p)
        with torch.no_grad():
            self.a.bias.fill_(2.0)
            self.b.bias.fill_(shift - 2.0)
            for i in range(3):
                self.a.weight[i, i] = self.b.weight[i, i] = 1.0

    def forward(self, x):
        return self.b(torch.relu(self.a(x))).clamp(self.low, self.high)


def judge(input_channels=6):
    return nn.Conv2d(input_channels, 1, 3, padding=1)
'''
DATA = ["--model", "nets.py:Identity", "--input-shape", "3,16,16", "--data", "same", "--teacher", "identity.pth"]
SEARCH = ["search", *DATA, "--budget", "60%", *QUICK[:-1], "uniform", "--trials", 1]


@pytest.fixture(autouse=True)
def identity(tmp_path, monkeypatch):
    """Weights of the network, and pairs whose halves are the same."""
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(NETS)
    scope: dict = {}
    exec(NETS, scope)
    torch.save(scope["Identity"]().state_dict(), "identity.pth")
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        Path("same", split).mkdir(parents=True)
        for i in range(6):
            half = np.kron(random.integers(0, 256, (4, 4, 3), "u1"), np.ones((4, 4, 1), "u1"))
            Image.fromarray(np.concatenate([half, half], 1)).save(Path("same", split, f"{i}.png"))
    return scope


def teacher_of(study: str) -> dict[str, float]:
    record = read_study("sqlite:///ganprune.db", study).attributes["ganprune.teacher"]
    return {m["name"].partition("[")[0]: m["value"] for m in record["measurements"]}


def test_a_perfect_network_of_the_unit_range_is_perfect_with_the_option(monkeypatch, capsys):
    """Its distance and mean difference are 0 in its range; in [-1, 1] they are not, and notes say why."""
    assert call(monkeypatch, *SEARCH, "--value-range", "0,1", "--study", "unit") == 0
    assert "teacher contradicts" not in capsys.readouterr().out
    assert call(monkeypatch, *SEARCH, "--study", "usual") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "note: the teacher contradicts the value range -1,1" in said
    assert "with --value-range 0,1; is that the range of its code?" in said
    assert "note: the teacher is worse than the untouched input" in said
    assert "COMPLETE: worse than the input" in said
    unit, usual = teacher_of("unit"), teacher_of("usual")
    assert unit["fd"] == pytest.approx(0, abs=1e-6)
    assert unit["l1"] < 1e-6
    assert usual["fd"] > 10
    assert usual["l1"] > 0.1


def test_ranges_of_input_and_output_may_differ(monkeypatch):
    """A network from [0, 1] to [1, 2] is perfect with `0,1:1,2`, and shifted by half a range with `0,1:0,1`."""
    shifted = ["--model-args", "low=1,high=2,shift=1"]
    scope: dict = {}
    exec(NETS, scope)
    torch.save(scope["Identity"](1, 2, 1).state_dict(), "identity.pth")
    assert call(monkeypatch, *SEARCH, *shifted, "--value-range", "0,1:1,2") == 0
    assert teacher_of("search")["l1"] < 1e-6


def test_bundles_and_files_have_the_networks_own_range(monkeypatch, capsys):
    """They take and give [0, 1], the card says so, and `verify`, `run`, `fid` and `compare` know it."""
    assert call(monkeypatch, *SEARCH, "--value-range", "0,1") == 0
    assert (
        call(monkeypatch, "export", "search", "--trial", 0, "--out", "bundle", "--int8", "--largest-drop", "none") == 0
    )
    assert call(monkeypatch, "verify", "bundle") == 0
    architecture = read_architecture(Path("bundle"))
    assert architecture.inputs.inputs[0].value_range == architecture.output_range == (0, 1)
    card = Path("bundle/card.md").read_text()
    assert "(input in [0, 1])" in card
    assert "3x16x16 in [0, 1]" in card
    assert (
        "| measurement | pruned | dense teacher | untouched input | better |\n|---|---|---|---|---|\n| fd[shapes"
        in card
    )
    costs = json.loads(Path("bundle/card.json").read_text())
    measured = {m["name"]: m["value"] for m in costs["measurements"]}
    assert costs["costs"]["peak_activation_bytes"] == measured["peak_activation_bytes"]
    x = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        assert abs(load_bundle("bundle")(x) - x).max() < 0.05  # the cut network is not quite the identity
    quality = json.loads(Path("bundle/card.json").read_text())["formats"]["onnx"]["measurements"]
    assert next(m for m in quality if m["name"].startswith("l1"))["value"] < 0.05
    Path("in").mkdir()
    picture = Image.open("same/test/0.png").crop((0, 0, 16, 16))
    picture.save("in/a.png")
    for out, form in (("torch", []), ("onnx", ["--format", "onnx"]), ("int8", ["--format", "onnx-int8"])):
        assert call(monkeypatch, "run", "bundle", "--input", "in", "--out", out, *form) == 0
        assert abs(np.asarray(Image.open(f"{out}/a.png"), int) - np.asarray(picture, int)).max() <= 8
    capsys.readouterr()
    assert call(monkeypatch, "compare", "bundle", "search:0", "--data", "same") == 0
    assert "A - B: 0 [0, 0]" in capsys.readouterr().out
    assert call(monkeypatch, "fid", "bundle", "--data", "same", "--json") == 0
    distance = json.loads(capsys.readouterr().out)["measurements"][0]["value"]
    trial = read_study("sqlite:///ganprune.db", "search").trials[0]
    assert distance == pytest.approx(trial.quality, abs=1e-6)


@pytest.mark.parametrize(
    "task",
    [
        ["--model", "resnet", "--model-args", "ngf=4,n_blocks=1", "--image-size", 16, "--data", "builtin:stripes"],
        ["--model", "sngan_32", "--model-args", "ngf=8", "--data", "builtin:shapes", "--task", "unconditional"],
    ],
    ids=["unpaired", "unconditional"],
)
def test_every_task_takes_the_option(task, monkeypatch):
    """A new teacher of another range is trained, pruned, exported and verified; the file has that range."""
    ranges = ["--value-range", "0,255", "--budget", "60%", "--trials", 1]
    assert call(monkeypatch, "search", *task, *QUICK[:-1], "uniform", *ranges) == 0
    assert read_study("sqlite:///ganprune.db", "search").trials[0].state == "COMPLETE"
    assert call(monkeypatch, "export", "search", "--trial", 0, "--out", "bundle") == 0
    assert call(monkeypatch, "verify", "bundle") == 0
    assert read_architecture(Path("bundle")).output_range == (0, 255)


def test_a_discriminator_of_the_users_is_shown_the_generators_range(monkeypatch, identity):
    """Given with the teacher it sees images in [0, 1]; it is kept so in trials."""
    from ganprune.search.setup.pruned_generators import new_discriminators
    from ganprune.search.setup.resolve import resolve

    torch.save(identity["judge"]().state_dict(), "judge.pth")
    given = ["--teacher-discriminator", "judge.pth", "--task-setting", "discriminator.model=nets.py:judge"]
    assert call(monkeypatch, *SEARCH, *given, "--value-range", "0,1") == 0
    config = StudyConfig.from_json(read_study("sqlite:///ganprune.db", "search").attributes["ganprune.config"])
    _, parts = resolve(config)
    judge = new_discriminators(parts.config, parts.task(), parts.output)["G"]
    seen = []
    judge.register_forward_pre_hook(lambda network, shown: seen.append(shown[0]))
    judge(-torch.ones(1, 6, 16, 16))
    assert seen[0].unique().tolist() == [0]


def test_the_option_is_one_value_in_toml_python_and_the_record(monkeypatch):
    """A list in a file, a text in Python, and the record read the same; a study without it keeps its fingerprint."""
    Path("study.toml").write_text("[model]\nvalue_range = [0, 1]\n")
    assert call(monkeypatch, *SEARCH, "--config", "study.toml") == 0
    recorded = read_study("sqlite:///ganprune.db", "search").attributes
    assert recorded["ganprune.config"]["value_range"] == "0,1"
    assert recorded["ganprune.resolved"]["output"]["value_range"] == [0, 1]
    base = {"name": "s", "model": "resnet", "data": "builtin:shapes", "budgets": ("60%",)}
    config = StudyConfig(**base, value_range="0,1")
    assert StudyConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    assert StudyConfig(**base, value_range="-1,1") == StudyConfig(**base)
    assert "value_range" in config.to_json()
    train = ["train", *DATA[:-2], "--steps", 2, "--batch-size", 2, "--metric", "shapes", "--out", "new.safetensors"]
    assert call(monkeypatch, *train, "--value-range", "0,1") == 0
    assert config.fingerprint() != StudyConfig(**base).fingerprint()


def test_a_range_that_says_nothing_of_the_generator_is_refused(monkeypatch, capsys):
    """No range, and one of inputs that are latents, end with one line that names the value."""
    assert "0,x" in refused(monkeypatch, capsys, *SEARCH, "--value-range", "0,x")
    latent = ["search", "--model", "sngan_32", "--data", "builtin:shapes", "--task", "unconditional", "--budget", "60%"]
    assert "0,1:-1,1" in refused(monkeypatch, capsys, *latent, "--value-range", "0,1:-1,1")
