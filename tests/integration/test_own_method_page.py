"""The page on methods of one's own: its method, its script and its commands run as they stand, by path and entry point."""

import configparser
import importlib
import re
import shlex
import sys
from pathlib import Path

import pytest
from ganprune.gan_models.files import open_table
from ganprune.gan_models.pruning.catalog import METHODS
from ganprune.studies.api import Study

from ..command_line import QUICK, call

PAGE = (Path(__file__).parents[2] / "docs" / "own-method.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```", PAGE, flags=re.S | re.M))
COMMANDS = re.findall(r"^ganprune (search .*)$", PAGE, flags=re.M)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with the page's files."""
    for name, text in FILES.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    METHODS._loaded.clear()
    for name in FILES:
        sys.modules.pop(name, None)


def test_the_script_prunes_one_network_by_the_method(folder, capsys):
    """The tilt decides which of the two layers is wider."""
    exec(compile(FILES["one_network"], "one_network.py", "exec"), {})
    falling, rising = (list(map(int, re.findall(r": (\d+)", line))) for line in capsys.readouterr().out.splitlines())
    assert falling[0] > falling[1]
    assert rising[0] < rising[1]


def test_settings_are_those_that_the_page_describes(folder):
    """Two are searched, the third is kept."""
    spec = METHODS.find("mine.py:Tilted")
    assert [setting.name for setting in spec.searched] == ["tilt", "norm"]
    assert spec.note.startswith("Even widths that rise or fall")
    assert spec.refits


def test_an_entry_point_gives_the_method_a_name(folder, monkeypatch):
    """The row of the page stands in the table, with the settings of the class."""
    parser = configparser.ConfigParser()
    parser.read_string(re.search(r"^```ini\n(.*?)^```", PAGE, flags=re.S | re.M)[1])
    info = folder / "tilted-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: tilted\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[ganprune.methods]{parser['options.entry_points']['ganprune.methods']}\n")
    monkeypatch.syspath_prepend(folder)
    importlib.invalidate_caches()
    open_table._entry_points.cache_clear()
    try:
        assert [setting.name for setting in METHODS.find("tilted").searched] == ["tilt", "norm"]
        assert METHODS.package("tilted").name == "tilted"
    finally:
        open_table._entry_points.cache_clear()


@pytest.mark.long
@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_search_by_the_method(folder, monkeypatch, capsys, command):
    """At small sizes, on built-in data; the last command fixes a setting, which is then the same in every trial."""
    quick = [*QUICK[: QUICK.index("--methods")], "--prune-steps", 1, "--model-args", "ngf=4,n_blocks=1", "--trials", 4,
             "--image-size", 16, "--ladder", 1]  # fmt: skip
    words = shlex.split(command.replace("--data pairs", "--data builtin:shapes"))
    assert call(monkeypatch, *words, *quick) == 0, capsys.readouterr().err
    study = Study.open("fixed" if "--setting" in words else "mine")
    own = [trial for trial in study.trials if trial.new.method.endswith(":Tilted")]
    assert own
    assert {trial.state for trial in own} <= {"COMPLETE", "PRUNED"}, [trial.stopped for trial in own]
    if "--setting" in words:
        assert {trial.new.proposal.settings.tilt for trial in own} == {0.5}
