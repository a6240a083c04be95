"""`ganprune` in this process, as a user would call it."""

import sys

import pytest
from ganprune.studies.cli import main as cli

# Training that shows the path in a second; quality means nothing at this length.
QUICK = [
    "--teacher-steps", 2, "--finetune-steps", 2, "--rungs", 0.5, "--batch-size", 2, "--ndf", 4, "--n-train", 8,
    "--n-test", 8, "--metric", "shapes", "--executor", "local", "--methods", "uniform,magnitude",
]  # fmt: skip


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Runs `ganprune` with these arguments; the exit code."""
    monkeypatch.setattr(sys, "argv", ["ganprune", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line of a command that must end with exit code 2."""
    capsys.readouterr()
    assert call(monkeypatch, *arguments) == 2
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "Traceback" not in captured.err
    return lines[0]
