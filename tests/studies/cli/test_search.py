"""`search` before it starts: the dry run, the question, and options that do not act."""

import json
import os

import pytest
import typer
from ganprune.search.preflight.estimate import Estimate, Part
from ganprune.studies.cli import search as command

from ...command_line import QUICK, call

LONG = Estimate((Part("teacher", 5.0, ""),))
SMALL = ["--model", "resnet", "--model-args", "ngf=4,n_blocks=1", "--data", "builtin:shapes", "--image-size", 16]


@pytest.fixture
def terminal(monkeypatch):
    """Somebody sits at a terminal and answers no."""
    asked: list[str] = []
    monkeypatch.setattr(command.sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(command.typer, "confirm", lambda text: bool(asked.append(text)))
    return asked


def test_a_long_search_is_asked_for_in_a_terminal(terminal):
    """Above the limit the answer no ends it with exit code 1; `--yes` and a higher limit ask nothing."""
    with pytest.raises(typer.Exit) as ended:
        command.ask(LONG, 1.0, yes=False)
    assert ended.value.exit_code == 1
    assert "5.0 h" in terminal[0]
    command.ask(LONG, 1.0, yes=True)
    command.ask(LONG, 6.0, yes=False)
    assert len(terminal) == 1


def test_nobody_is_asked_without_a_terminal(terminal, monkeypatch):
    """A script goes on: there is nobody to answer."""
    monkeypatch.setattr(command.sys.stdin, "isatty", lambda: False)
    command.ask(LONG, 1.0, yes=False)
    assert terminal == []


def test_a_dry_run_tells_everything_and_makes_nothing(tmp_path, monkeypatch, capsys):
    """In order it exits with 0 and the hours; with mistakes with 2 and a line for each; neither leaves a file."""
    monkeypatch.chdir(tmp_path)
    sound = ["search", *SMALL, "--budget", "60%", *QUICK, "--trials", 2, "--dry-run"]
    assert call(monkeypatch, *sound, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["passes"]
    assert told["estimate"]["hours"] > 0
    assert call(monkeypatch, *sound, "--seed", -1, "--data", "nowhere", "--budget", "1bananas") == 2
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("error")]
    for part in ("got -1", "'nowhere' does not exist", "bananas"):
        assert sum(part in line for line in lines) == 1, (part, lines)
    assert os.listdir(tmp_path) == []


def test_train_names_options_that_do_not_act(tmp_path, monkeypatch, capsys):
    """A weight file that nothing reads is noted, as a search does."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.pth").write_bytes(b"")
    sizes = ["--n-train", 8, "--n-test", 8, "--batch-size", 2, "--ndf", 4, "--steps", 1, "--metric", "shapes"]
    assert call(monkeypatch, "train", *SMALL, *sizes, "--weights", "mine=w.pth", "--out", "t.safetensors") == 0
    assert "does not act" in capsys.readouterr().err
