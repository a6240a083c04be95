"""Paths of the command line that cannot be used are one line that names the option, without the system's number."""

import errno
import shutil
from pathlib import Path

import pytest
from ganprune.gan_models.files.errors import UserError, WorkFailed
from ganprune.studies.cli.help.file_errors import file_error

from ...command_line import refused

FIXTURE = Path(__file__).parents[2] / "fixtures" / "0.1.0"
AT = ["--storage", "sqlite:///study/ganprune.db"]
COMMANDS = {
    "report": ["report", "old", "--out", "plain/a.html"],
    "table": ["pareto", "old", "--csv", "plain/a.csv"],
    "plot": ["pareto", "old", "--plot=plain/a.png"],
    "bundle": ["export", "old", "--trial", 6, "--out", "plain/a"],
}


@pytest.mark.parametrize("case", COMMANDS)
def test_a_path_below_a_file_is_one_line(case, tmp_path, monkeypatch, capsys):
    """The line has the option, the path as it was given, and the reason."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(FIXTURE, "study")
    Path("plain").touch()
    line = refused(monkeypatch, capsys, *COMMANDS[case], *AT)
    assert "Errno" not in line
    assert line.startswith("error: --")
    assert " plain/a" in line
    assert f"{tmp_path}/plain" in line
    assert line.endswith("expected a path that can be read and written. Try another path")


GIVEN = {
    "the path itself": ("/x/a.html", ["report", "s", "--out", "/x/a.html"], "--out /x/a.html"),
    "its folder": ("/x", ["report", "s", "--out=/x/y/a.html"], "--out /x/y/a.html"),
    "a file in it": ("/x/.hidden", ["run", "/x", "--out", "o"], "/x"),
    "a file in preparation": ("/x/.b.1234", ["export", "s", "--out", "/x/b"], "--out /x/b"),
    "a database": ("/x/a.db", ["studies", "--storage", "sqlite:////x/a.db"], "--storage sqlite:////x/a.db"),
    "one of two": ("/x/b", ["search", "--teacher", "AtoB=/x/a,BtoA=/x/b"], "--teacher AtoB=/x/a,BtoA=/x/b"),
}


@pytest.mark.parametrize("case", GIVEN)
def test_the_argument_that_gave_a_path_is_named(case):
    """It is wrong input; the same path without an argument that gave it, or on a full disk, is none."""
    path, words, named = GIVEN[case]
    missing = OSError(errno.ENOENT, "No such file or directory", path)
    found = file_error(missing, words)
    assert isinstance(found, UserError)
    assert str(found).startswith(f"{named} cannot be used: got {path} (No such file or directory); ")
    for error, given in ((missing, ["studies"]), (OSError(errno.ENOSPC, "No space left on device", path), words)):
        assert isinstance(file_error(error, given), WorkFailed)
    assert str(file_error(missing, ["studies"])) == f"{path} cannot be used: No such file or directory"


def test_a_name_that_is_too_long_is_shortened():
    """The line stays readable."""
    name = "a" * 300
    line = str(file_error(OSError(errno.ENAMETOOLONG, "File name too long", name), ["report", "--out", name]))
    assert name[:81] not in line
    assert "File name too long" in line
