"""The page on a network and a dataset class: its files and searches run as they stand, at small sizes."""

import re
import shlex
import sys
from pathlib import Path

import pytest
from ganprune.search.config import StudyConfig
from ganprune.studies.api import Study
from ganprune.studies.resume_options import resumed

from ..command_line import QUICK, call

PAGE = (Path(__file__).parents[2] / "docs" / "own-data.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```", PAGE, flags=re.S | re.M))
COMMANDS = re.findall(r"^ganprune (search .*)$", PAGE, flags=re.M)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with the page's files."""
    for name, text in FILES.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in FILES:
        sys.modules.pop(name, None)


@pytest.mark.long
@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_search_with_the_files(folder, monkeypatch, capsys, command):
    """All trials are complete, and the study keeps a copy of each file; the original serves a resume unless it changed."""
    left_out = ("--ndf", "--n-train", "--n-test")  # a discriminator of its own, and data of its own
    pairs = [pair for pair in zip(QUICK[::2], QUICK[1::2], strict=True) if pair[0] not in left_out]
    quick = [*(word for pair in pairs for word in pair), "--methods", "uniform", "--trials", 2]
    assert call(monkeypatch, *shlex.split(command), *quick) == 0, capsys.readouterr().err
    study = Study.open("losses" if "--task" in command else "mine")
    assert [trial.state for trial in study.trials] == ["COMPLETE"] * 2
    named = {"my_network", "my_data"} | ({"my_task"} if "--task" in command else set())
    assert {path.stem.rpartition("-")[0] for path in study.folder.source.iterdir()} == named
    assert study.config.task_name.startswith("my_task-") == ("--task" in command)
    again = ["resume", study.record.name, "--trials", 3, "--executor", "local", "--data", "my_data.py:Squares"]
    (folder / "my_data.py").write_text(FILES["my_data"].replace("flip(0)", "flip(1)"))
    assert call(monkeypatch, *again) == 2
    assert "was made with another data" in (told := capsys.readouterr().err)
    assert "another code" in told
    (folder / "my_data.py").write_text(FILES["my_data"])
    assert call(monkeypatch, *again) == 0, capsys.readouterr().err


def test_the_script_names_objects_by_their_files(folder):
    """Function, classes and methods become the names that workers load."""
    found = {}
    exec(compile(FILES["my_search"], "my_search.py", "exec"), found)
    config: StudyConfig = found["search"].config()
    named = [str(folder / name) for name in ("my_network.py:recolor", "my_data.py:Squares", "my_task.py:Recolor")]
    assert [config.model, config.data, config.task] == named
    assert resumed(config, {"task": config.task}).task == config.task
    resolved = found["search"].resolve()
    assert resolved.data.images == {"train": 120, "select": 20, "test": 20}
