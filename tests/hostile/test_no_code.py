"""Commands with `--no-code` under the guard: a bundle's code is neither run nor imported, by any of them."""

import subprocess
import sys
from pathlib import Path

import pytest

from .bundles import KINDS
from .guard import MARK

ROOT = Path(__file__).parents[2]
SCRIPT = """
import os, sys
from pathlib import Path
from tests.hostile.guard import Forbidden, Guard
from ganprune.studies.bundles import inference, verify
from ganprune.studies.cli import main
from ganprune.studies.comparison import compare, fid
from tests.hostile.catalog import KINDS
place, arguments = Path(sys.argv[1]), sys.argv[2:]
os.chdir(place / "results")
os.environ["GANPRUNE_CACHE"] = str(place / "results" / "cache")
guard, code = Guard(), 0
sys.argv = ["ganprune", *arguments]
try:
    with guard.watching(place, place / "results", place / "outside"):
        try:
            main.main()
        except SystemExit as ended:
            code = ended.code
except Forbidden as error:
    print("forbidden:", error)
print("seen:", guard.seen, "code:", code)
"""
COMMANDS = {
    "verify": ("verify", "{bundle}", "--no-code"),
    "verify on images": ("verify", "{bundle}", "--no-code", "--input", "{images}"),
    "run": ("run", "{bundle}", "--no-code", "--input", "{images}", "--out", "o"),
    "run a file": ("run", "{bundle}", "--no-code", "--input", "{images}", "--out", "o", "--format", "onnx"),
    "benchmark": ("run", "{bundle}", "--no-code", "--benchmark"),
    "fid": ("fid", "{bundle}", "{images}", "--no-code", "--metric", "shapes"),
    "compare": (
        "compare",
        "{bundle}",
        "{images}",
        "--real",
        "{images}",
        "--no-code",
        "--metric",
        "shapes",
        "--data",
        "builtin:shapes",
    ),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A bundle with code of its own, whose code touches a file when it runs, and images."""
    folder = tmp_path_factory.mktemp("no-code")
    for name in ("results", "outside", "seeds"):
        (folder / name).mkdir()
    KINDS["bundles"].seeds(folder / "seeds")
    return folder


@pytest.fixture(scope="module")
def images(place) -> Path:
    import numpy as np
    from PIL import Image

    (place / "images").mkdir()
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(place / "images" / f"{number}.png")
    return place / "images"


def performed(place: Path, *arguments: str) -> tuple[str, str]:
    done = subprocess.run([sys.executable, "-c", SCRIPT, place, *arguments], capture_output=True, text=True, cwd=ROOT)
    return done.stdout, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_runs_the_code_of_a_bundle(name, place, images):
    """The command refuses, or does what needs no code; the guard sees neither."""
    given = {"bundle": str(place / "seeds" / "own"), "images": str(images)}
    out, err = performed(place, *(part.format(**given) for part in COMMANDS[name]))
    assert "seen: []" in out, out + err
    assert "Traceback" not in err
    assert (
        "not in the catalog and would run its own code" in out + err
        or "of a task" in out + err
        or "does not take" in err
    )


def test_the_guard_sees_the_code_of_a_bundle_that_is_trusted(place, images):
    """Without `--no-code` the same command runs it, so that the tests above can fail."""
    out, _ = performed(place, "verify", str(place / "seeds" / "own"))
    assert "ran code of the input" in out or "compiled" in out
    assert MARK in out or "source" in out
