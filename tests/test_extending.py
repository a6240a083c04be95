"""The guide to rows of one's own: its examples are installed as a package, and one study runs with all of them."""

import configparser
import importlib
import json
import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from ganprune.evaluators.cost.catalog import RUNTIMES
from ganprune.evaluators.features.catalog import ENCODERS
from ganprune.evaluators.quality.catalog import METRICS
from ganprune.gan_models.costs.catalog import COSTS
from ganprune.gan_models.data.degradation.catalog import DEGRADATIONS
from ganprune.gan_models.data.degradation.degradation import degraded
from ganprune.gan_models.distillation.catalog import TERMS
from ganprune.gan_models.export.catalog import EXPORTERS
from ganprune.gan_models.export.exporter import ExportJob
from ganprune.gan_models.export.lint.catalog import RUNTIME_RULES
from ganprune.gan_models.export.lint.lint import Traced
from ganprune.gan_models.export.rewrites.catalog import REWRITES
from ganprune.gan_models.export.rewrites.graph import rewrite_program
from ganprune.gan_models.files import open_table
from ganprune.gan_models.files.open_table import OpenTable
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import DISCRIMINATORS, NETWORKS
from ganprune.gan_models.pruning.catalog import METHODS
from ganprune.gan_models.tasks.catalog import TASKS
from ganprune.gan_models.tracing.trace import RULES
from ganprune.search.configuration.presets.catalog import PRESETS
from ganprune.search.configuration.presets.with_preset import with_preset
from ganprune.search.preparations.catalog import PREPARATIONS
from ganprune.search.samplers.catalog import SAMPLERS
from ganprune.studies.api import Study
from ganprune.studies.bench.catalog import CONTENDERS, contender_of
from ganprune.studies.integrations.trackers.catalog import TRACKERS
from ganprune.studies.integrations.trackers.tracker import Experiment, TrackedPicture, TrackedRun
from ganprune.studies.scoreboard.catalog import RESULT_FILES, published_results
from PIL import Image
from torch import nn

from .command_line import QUICK, call
from .gan_models.random_cuts import check_cut, lively

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
TABLES = (
    NETWORKS, TASKS, DEGRADATIONS, METHODS, TERMS, METRICS, ENCODERS, COSTS, SAMPLERS, CONTENDERS, EXPORTERS, RUNTIMES,
    REWRITES, RUNTIME_RULES, PREPARATIONS, TRACKERS, PRESETS, RESULT_FILES,
)  # fmt: skip
EXAMPLES = dict(re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```", PAGE, flags=re.S | re.M))
BESIDE = dict(re.findall(r"^`(my_\w+\.\w+)`:\n\n```\w+\n(.*?)^```", PAGE, flags=re.S | re.M))  # files beside them


def entry_points() -> dict[str, dict[str, str]]:
    """The page's entry points: group -> name -> object."""
    parser = configparser.ConfigParser()
    parser.read_string(re.search(r"^```ini\n(.*?)^```", PAGE, flags=re.S | re.M)[1])
    return {
        group: dict(line.split(" = ") for line in lines.strip().splitlines())
        for group, lines in parser["options.entry_points"].items()
    }


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The examples, installed as a package for one test."""
    site = tmp_path / "site"
    info = site / "ganprune_examples-1.0.dist-info"
    info.mkdir(parents=True)
    for name, text in EXAMPLES.items():
        (site / f"{name}.py").write_text(text)
    for name, text in BESIDE.items():
        (site / name).write_text(text)
    (info / "METADATA").write_text("Name: ganprune-examples\nVersion: 1.0\n")
    points = entry_points()
    lines = [line for group in points for line in (f"[{group}]", *(f"{n} = {o}" for n, o in points[group].items()))]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(site)
    importlib.invalidate_caches()
    open_table._entry_points.cache_clear()
    yield points
    open_table._entry_points.cache_clear()
    for table in TABLES:
        table._loaded.clear()
    for name in EXAMPLES:
        sys.modules.pop(name, None)


def test_every_kind_of_row_has_an_example():
    """The page's entry points are of every open table but that of discriminators, and each names an example."""
    points = entry_points()
    assert {table.group for table in TABLES} == set(points)
    named = {found.partition(":")[0] for group in points.values() for found in group.values()}
    assert named | {"my_rule"} == set(EXAMPLES)


def test_no_open_table_is_forgotten():
    """Every table of the code is one of those that the page is compared with."""
    made = re.compile(r"^(\w+): OpenTable\[", flags=re.M)
    folders = ("gan_models", "evaluators", "spaces", "search", "studies")
    names = {name for folder in folders for p in (ROOT / folder).rglob("*.py") for name in made.findall(p.read_text())}
    known = {name: value for name, value in globals().items() if isinstance(value, OpenTable)}
    assert names == set(known)
    assert {id(table) for table in known.values()} - {id(table) for table in TABLES} == {id(DISCRIMINATORS)}


def test_the_rows_of_the_page_work_in_one_study(installed, tmp_path, monkeypatch, capsys):
    """Network, task, method, metric, encoder, cost, sampler, preparation, exporter and runtime: searched and exported."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for split, n in (("train", 8), ("test", 24)):
        (tmp_path / "images" / split).mkdir(parents=True)
        for i in range(n):
            pixels = random.integers(0, 255, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / split / f"{i}.png")
    rows = ["--model", "narrow", "--task", "denoising", "--methods", "lottery,uniform", "--also-measure", "brightness"]
    rows += ["--metric", "pixels", "--sampler", "patient", "--budget", "50%", "--budget", "4koutputs"]
    rows += ["--data", "images", "--image-size", 16, "--trials", 4, "--ladder", 1]
    rows += ["--set", "recipe.distill_terms.colors=2"]
    quick = [word for word in QUICK if word not in ("--metric", "shapes", "--methods", "uniform,magnitude")]
    assert call(monkeypatch, "search", "--study", "s", *rows, *quick) == 0
    capsys.readouterr()
    study = Study.open("s")
    assert [trial.state for trial in study.trials] == ["COMPLETE"] * 4, [trial.stopped for trial in study.trials]
    assert {trial.new.method for trial in study.trials} == {"uniform", "lottery"}
    for trial in study.trials:
        measured = {m.name.partition("[")[0]: m.value for m in trial.ended().measurements}
        assert measured["outputs"] <= 4000
        assert -1 <= measured["brightness"] <= 1
        assert trial.ended().training.losses["G.distill_colors"] >= 0
    found = PREPARATIONS.find("mean_color").open()
    artifact = json.loads((tmp_path / "ganprune-artifacts" / "s" / "teacher" / "mean-color.json").read_text())
    assert len(artifact["rgb"]) == 3
    assert found.wanted(study)
    assert call(monkeypatch, "export", "s", "--trial", 1, "--formats", "saved-program", "--out", "bundle") == 0
    assert call(monkeypatch, "verify", "bundle") == 0
    assert "generator.pt2 in torch.export" in capsys.readouterr().out


def test_the_contender_of_the_page_takes_part(installed):
    """Its row is found by its name, as `--contender brief` finds it."""
    assert contender_of("brief").options["calibration_images"] == 0


def test_the_preset_and_the_results_of_the_page_are_read(installed):
    """The preset's options are filled in by its name, and the result is among the published ones."""
    values = with_preset({"preset": "drawings", "budgets": ["50%"]})
    assert values == {"preset": "drawings", "budgets": ["50%"], "model": "resnet_6blocks", "finetune_steps": 8000}
    assert [result.value for result in published_results() if result.method == "ours"] == [60.1]


def test_the_degradation_of_the_page_makes_pictures_brighter(installed):
    """By its row, with a setting of its own."""
    fog = DEGRADATIONS.find("fog").build("fog", {"densest": 0.9})
    black = np.zeros((8, 8, 3), np.uint8)
    assert 0 < degraded(fog, black, 2, 1).max() <= 0.9 * 255


def test_the_rewrite_of_the_page_computes_the_same(installed):
    """Found by its name, it leaves no call of the operator that it is for, and the outputs as they were."""
    network, x = nn.Hardswish(), torch.linspace(-5, 5, 41, dtype=torch.float64)
    found = rewrite_program(torch.export.export(network, (x,)), ("clamped-swish",))
    assert [call.operator for call in found.calls] == ["aten.hardswish.default"]
    torch.testing.assert_close(found.network(x), network(x), rtol=0, atol=1e-12)


def test_the_rules_of_the_page_find_their_operator(installed):
    """By the name of their row, as `inspect --runtime brief` finds them."""
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Hardswish())
    (found,) = Traced.of(ExportJob(network, (torch.rand(1, 3, 4, 4),))).lint("brief")
    assert (found.operators, found.modules, found.share) == ({"hardswish": 1}, ("1",), 1.0)


class FakeRun:
    """A run of W&B as its documentation has it: steps only rise, and an id's run is continued."""

    def __init__(self):
        self.step, self.summary, self.rows, self.notes = 0, {}, [], ""

    def log(self, row, step):
        assert step >= self.step
        self.step = step + 1
        self.rows.append((step, row))

    def finish(self):
        self.rows.append("finished")


def test_the_tracker_of_the_page_continues_a_run(installed, tmp_path, monkeypatch):
    """Steps rise, a second search sends later ones alone, and results stand in the summary."""
    runs = {}
    wandb = types.SimpleNamespace(
        init=lambda id, **options: runs.setdefault(id, FakeRun()), Image=lambda pixels: pixels.shape
    )
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    Image.new("RGB", (4, 4)).save(tmp_path / "G.webp")
    pictures = (TrackedPicture("pictures/G", 2, tmp_path / "G.webp"),)
    for end in (2, 5):
        curves = {"loss/G": tuple((step, 0.5) for step in range(1, end + 1)), "result/fd": ((end, 8.0 - end),)}
        run = TrackedRun("trial-0001", "COMPLETE", end, {"method": "uniform"}, curves, pictures, f"to {end}")
        tracker = TRACKERS.find("wandb").open(Experiment("s", "0123456789", tmp_path))
        tracker.write(run.beyond(tracker.known(run)))
        tracker.close()
    (only,) = runs.values()
    assert [row[0] for row in only.rows if row != "finished"] == [1, 2, 3, 4, 5]
    assert only.rows[1][1] == {"loss/G": 0.5, "result/fd": 6.0, "pictures/G": (4, 4, 3)}
    assert only.summary["result/fd"] == 3.0
    assert only.notes == "to 5"


class Digamma(nn.Conv2d):
    """A convolution and a function of each number that torch takes apart no further."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.digamma(super().forward(x))


def test_the_layer_rule_of_the_page_follows_channels():
    """With it a group is found where every channel stayed before, and the cut network gives what the gated one gives."""

    def network():
        torch.manual_seed(0)
        layers = Digamma(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 1)
        return lively(nn.Sequential(*layers))

    example = (torch.randn(2, 3, 8, 8, dtype=torch.float64),)
    assert not find_groups(network(), example).names
    before = dict(RULES)
    try:
        exec(EXAMPLES["my_rule"], {"__name__": "my_rule"})
        assert find_groups(network(), example).names
        check_cut(network(), (3, 8, 8), 0)
    finally:
        RULES.clear()
        RULES.update(before)
