"""Commands of `ganprune`, each in a process of its own that does not import torch again.

A server imports what commands need, runs nothing of it, and is copied for each command by `os.fork`.
"""

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self

SERVER = """
import json, os, signal, sys
import onnx, optuna, torch
from ganprune.studies import api
from ganprune.studies.cli import main as cli, results, search

for line in sys.stdin:
    request = json.loads(line)
    child = os.fork()
    if child == 0:
        signal.alarm(request["timeout_s"])
        os.chdir(request["folder"])
        for stream, name in ((0, os.devnull), (1, request["out"]), (2, request["err"])):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC), stream)
        sys.stdin = open(os.devnull)
        sys.argv = ["ganprune", *request["arguments"]]
        cli.main()  # ends the process
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Done(NamedTuple):
    """The result of a command."""

    returncode: int
    stdout: str
    stderr: str


class CommandServer:
    """The server, from `with` on.

    Args:
        environment: Of the commands.
        scratch: A folder for what commands print.
    """

    def __init__(self, environment: dict[str, str], scratch: Path) -> None:
        self._out, self._err = scratch / "stdout.txt", scratch / "stderr.txt"
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stream(self._process.stdin).close()
        self._process.wait()
        self._stream(self._process.stdout).close()

    def run(self, arguments: list[str], folder: Path, timeout_s: int = 900) -> Done:
        """Run one command in a folder; one that takes longer is killed, with a code below 0."""
        request = {"arguments": arguments, "folder": str(folder), "timeout_s": timeout_s}
        request |= {"out": str(self._out), "err": str(self._err)}
        given = self._stream(self._process.stdin)
        given.write(json.dumps(request) + "\n")
        given.flush()
        code = int(self._stream(self._process.stdout).readline())
        return Done(code, *(path.read_text(encoding="utf-8", errors="replace") for path in (self._out, self._err)))

    @staticmethod
    def _stream(stream: IO[str] | None) -> IO[str]:
        assert stream is not None
        return stream
