"""The guard of hostile input: what it forbids, and what it lets pass."""

import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# In a process of its own, because an audit hook stays until the end.
SCRIPT = """
import os, pickle, sys, tempfile, dataclasses, subprocess, collections
from pathlib import Path
from tests.hostile.guard import Forbidden, Guard
place = Path(sys.argv[1])
for name in ("input", "results", "outside"):
    (place / name).mkdir(parents=True)
(place / "input" / "evil.py").write_text("hostile_mark = 1")
(place / "outside" / "secret").write_text("x")
os.chdir(place / "results")
guard = Guard()
try:
    with guard.watching(place / "input", place / "results", place / "outside"):
        {statement}
    print("passed")
except Forbidden as error:
    print("forbidden:", error)
"""
FORBIDDEN = {
    "exec('hostile_mark = 1')": "compiled",
    "sys.path.insert(0, str(place / 'input')); import evil": "input/evil.py",
    "subprocess.run(['true'])": "subprocess.Popen",
    "os.system('true')": "os.system",
    "pickle.loads(b'cbuiltins\\nlen\\n.')": "unpickled builtins.len",
    "import antigravity": "imported antigravity",
    "open('../stolen', 'w')": "wrote ../stolen",
    "Path(place / 'outside' / 'new').mkdir()": "os.mkdir",
    "(place / 'input' / 'evil.py').unlink()": "os.remove",
    "open(place / 'outside' / 'secret').read()": "outside of its input",
    "__import__('socket').create_connection(('127.0.0.1', 9))": "socket.",
}
ALLOWED = (
    "open('result.txt', 'w').write('x')",
    "open(place / 'input' / 'evil.py').read()",
    "dataclasses.make_dataclass('A', ['x'])",
    "collections.namedtuple('B', 'x')",
    "__import__('ast').literal_eval('[1, 2]')",
    "tempfile.TemporaryFile().write(b'x')",
    "import wave",
)


def performed(statement: str, folder: Path) -> str:
    script = textwrap.dedent(SCRIPT).replace("{statement}", statement)
    done = subprocess.run(
        [sys.executable, "-c", script, folder],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done.stdout.strip() or done.stderr


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_what_no_reader_may_do_is_forbidden(statement, tmp_path):
    """Each is stopped, and named."""
    told = performed(statement, tmp_path / "case")
    assert told.startswith("forbidden: ")
    assert FORBIDDEN[statement] in told


def test_what_readers_do_passes(tmp_path):
    """Reading the input, writing results, and the code that libraries generate."""
    assert performed("\n        ".join(ALLOWED), tmp_path / "case") == "passed"


def test_a_pickle_of_plain_values_needs_no_global():
    """So that the rule on globals forbids no plain pickle."""
    assert b"builtins" not in pickle.dumps({"a": [1, 2.5, "x", None]})
