"""Studies and bundles written by version 0.1.0 stay readable: a database, its artifacts and two bundles, as committed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from ganprune.studies.bundle import load_bundle
from PIL import Image

from ..command_line import call

FIXTURE = Path(__file__).parents[1] / "fixtures" / "0.1.0"
SHOWN = json.loads((FIXTURE / "show.json").read_text())  # what version 0.1.0 printed


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A copy: commands write lock files beside the database."""
    folder = tmp_path_factory.mktemp("old") / "0.1.0"
    shutil.copytree(FIXTURE, folder)
    return folder


def at(folder):
    return ["--storage", f"sqlite:///{folder}/ganprune.db"]


def test_show_prints_what_the_old_version_printed(monkeypatch, old, capsys):
    """Every field of every trial that version 0.1.0 printed is printed with the same value."""
    assert call(monkeypatch, "show", "old", "--json", *at(old)) == 0
    rows = json.loads(capsys.readouterr().out)["trials"]
    assert len(rows) == len(SHOWN["trials"]) == 10
    for row, before in zip(rows, SHOWN["trials"], strict=True):
        assert {name: row[name] for name in before} == before


def test_pareto_and_report_are_written(monkeypatch, old, tmp_path, capsys):
    """The front, its table, plot and pictures, and the page are made from the old record and weights."""
    assert call(monkeypatch, "pareto", "old", "--csv", f"{tmp_path}/front.csv", *at(old)) == 0
    assert len((tmp_path / "front.csv").read_text().splitlines()) == 2 + sum(row["front"] for row in SHOWN["trials"])
    assert call(monkeypatch, "pareto", "old", "--pictures", f"{tmp_path}/pictures.png", *at(old)) == 0
    assert call(monkeypatch, "report", "old", "--out", f"{tmp_path}/report.html", *at(old)) == 0
    page = (tmp_path / "report.html").read_text()
    assert "slimming" in page
    assert (tmp_path / "pictures.png").stat().st_size > 1000
    capsys.readouterr()


@pytest.mark.parametrize("trial", [6, 8], ids=["32 bits", "8 bits"])
def test_a_trial_is_exported_and_verified(monkeypatch, trial, old, tmp_path, capsys):
    """The new version's bundle of an old trial passes its checks, and computes what the old version's bundle computes."""
    assert call(monkeypatch, "export", "old", "--trial", str(trial), "--out", f"{tmp_path}/b", *at(old)) == 0
    assert call(monkeypatch, "verify", f"{tmp_path}/b") == 0
    capsys.readouterr()
    before = load_bundle(old / {6: "bundle-float", 8: "bundle-8bit"}[trial])
    weights, now = before.state_dict(), load_bundle(tmp_path / "b").state_dict()
    assert weights.keys() == now.keys()
    assert all((weights[name] == now[name]).all() for name in weights)


@pytest.mark.parametrize("name", ["bundle-float", "bundle-8bit"])
@pytest.mark.parametrize("options", [(), ("--int8",)], ids=["float", "int8"])
def test_an_old_bundle_is_verified_and_run(monkeypatch, name, options, old, tmp_path, capsys):
    """Its files pass their checks, and translate images."""
    (tmp_path / "in").mkdir()
    Image.fromarray(np.full((16, 16, 3), 90, np.uint8)).save(tmp_path / "in" / "a.png")
    assert call(monkeypatch, "verify", str(old / name)) == 0
    assert (
        call(monkeypatch, "run", str(old / name), "--input", f"{tmp_path}/in", "--out", f"{tmp_path}/out", *options)
        == 0
    )
    assert Image.open(tmp_path / "out" / "a.png").size == (16, 16)
    capsys.readouterr()
