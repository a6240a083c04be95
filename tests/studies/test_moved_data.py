"""A study follows its data to another folder: by content, not by name."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from ganprune.search.preparations import opened_study
from ganprune.studies.api import Study
from ganprune.studies.results.outcome import outcome_of
from PIL import Image

from ..command_line import QUICK, call, refused


def draw(path: Path, seed: int) -> None:
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (16, 32, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a study of one trial on `pairs`, searched by a relative name; commands run in another folder."""
    for split in ("train", "val", "test"):
        (tmp_path / "pairs" / split).mkdir(parents=True)
        for i in range(3):
            draw(tmp_path / "pairs" / split / f"{i}.png", i)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    model = ["--model", "resnet", "--model-args", "ngf=4,n_blocks=1", "--image-size", 16, "--budget", "60%"]
    quick = [value for value in QUICK if value != "uniform,magnitude"]
    asked = ["search", "--study", "s", "--data", "pairs", "--trials", 1, *model, *quick, "uniform"]
    assert call(monkeypatch, *drawn_only_for_folders(asked)) == 0
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def drawn_only_for_folders(arguments: list) -> list:
    """The arguments without sizes of built-in sets, which a folder has not."""
    kept, skip = [], False
    for value in arguments:
        if not skip and value not in ("--n-train", "--n-test"):
            kept.append(value)
        skip = value in ("--n-train", "--n-test")
    return kept


def storage(place) -> list[str]:
    return ["--storage", f"sqlite:///{place}/ganprune.db"]


def test_the_recorded_path_is_absolute_and_every_command_follows_it(place, monkeypatch, capsys):
    """Searched as `pairs`, used from another folder: pictures, report, 8-bit calibration and a resume find the data."""
    study = Study.open("s", f"sqlite:///{place}/ganprune.db")
    assert study.config.data == str(place / "pairs")
    assert call(monkeypatch, "pareto", "s", "--pictures", "p.png", *storage(place)) == 0
    assert call(monkeypatch, "report", "s", "--out", "r.html", *storage(place)) == 0
    assert call(monkeypatch, "export", "s", "--trial", 0, "--out", "b", "--int8", *storage(place)) == 0
    assert json.loads(Path("b/card.json").read_text())["lineage"]["data"] == "pairs"
    assert call(monkeypatch, "resume", "s", "--trials", 2, "--executor", "local", *storage(place)) == 0


def test_moved_data_is_found_by_its_content_and_recorded(place, monkeypatch, capsys):
    """Without `--data` each command names the cure in one line; with it the study goes on, and all commands follow."""
    (place / "pairs").rename(place / "moved")
    opened_study._LATEST_STUDY.clear()  # each command is a process of its own
    cure = r"the data of study 's' is gone: got no .*pairs; .*`ganprune resume s --data FOLDER`"
    for command in (
        ["resume", "s", "--trials", 2],
        ["pareto", "s", "--pictures", "p.png"],
        ["fid", "s:0", "--metric", "shapes"],
        ["export", "s", "--trial", 0, "--out", "b", "--int8"],
    ):
        assert re.search(cure, refused(monkeypatch, capsys, *command, *storage(place)))
    given = ["--data", "../moved", "--executor", "local"]
    assert call(monkeypatch, "resume", "s", "--trials", 2, *given, *storage(place)) == 0
    study = Study.open("s", f"sqlite:///{place}/ganprune.db")
    assert study.config.data == outcome_of(study.record).resolved.config.data == str(place / "elsewhere" / "../moved")
    assert [trial.state for trial in study.trials] == ["COMPLETE"] * 2
    assert call(monkeypatch, "pareto", "s", "--pictures", "p.png", *storage(place)) == 0
    assert call(monkeypatch, "fid", "s:0", "--metric", "shapes", *storage(place)) == 0


def test_other_content_is_refused_with_both_hashes(place, monkeypatch, capsys):
    """One picture differs: the message has the digits of what was recorded and of what was found."""
    (place / "pairs").rename(place / "moved")
    draw(place / "moved" / "test" / "1.png", 99)
    line = refused(monkeypatch, capsys, "resume", "s", "--trials", 2, "--data", place / "moved", *storage(place))
    assert re.search(r"another data \(recorded [0-9a-f]{24}, found [0-9a-f]{24}\)", line)
    assert Study.open("s", f"sqlite:///{place}/ganprune.db").config.data == str(place / "pairs")
