"""The package as users install it: a wheel in a bare environment, away from the checkout."""

import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("ganprune", "search", "spaces", "evaluators", "gan_models", "studies")
FILES = ("setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Build the wheel from a copy of the sources."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in FILES:
        shutil.copy(ROOT / file, source)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", out, source]
    subprocess.run(build, check=True, capture_output=True)
    return next(out.glob("ganprune-*.whl"))


def sources() -> set[str]:
    """Name every file of the packages as the wheel must have it."""
    found = set()
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
                inside = path.relative_to(ROOT).as_posix()
                found.add(inside if folder == "ganprune" else f"ganprune/{inside}")
    return found


def test_links_of_the_description_are_absolute_or_text():
    """A package index has no files of the repository: links name its address, or are text if none is known."""
    build = runpy.run_path(str(ROOT / "setup.py"))
    page = "![plot](docs/a.png) [data](docs/data.md#pairs), [site](https://example.org) and [below](#glossary)"
    given = build["index_description"](page, "https://host/o/r")
    assert given == (
        "![plot](https://host/o/r/raw/main/docs/a.png) [data](https://host/o/r/blob/main/docs/data.md#pairs), "
        "[site](https://example.org) and [below](#glossary)"
    )
    assert build["index_description"](page, "") == " data, [site](https://example.org) and [below](#glossary)"
    readme = build["index_description"]((ROOT / "README.md").read_text(encoding="utf-8"), "https://host/o/r")
    assert not re.search(r"\]\((?!https?:|#)", readme)
    assert build["addresses"]("") == {}


@pytest.mark.long
def test_the_wheel_has_every_file(wheel):
    """Modules, templates, weights and `py.typed` of the checkout are in the wheel, and nothing else is."""
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert inside == sources()
    assert "ganprune/py.typed" in inside


@pytest.mark.long
def test_the_demo_runs_from_the_wheel(wheel, tmp_path):
    """`ganprune demo --small` ends with a verified bundle in an environment that has the wheel and no checkout."""
    environment, requirements = tmp_path / "environment", tmp_path / "requirements"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    requirements.mkdir()
    for folder in (Path(place) for place in sys.path if place.endswith("site-packages")):
        for entry in folder.iterdir():  # all but ganprune, its editable finder and its example plugins
            if "ganprune" not in entry.name and not (requirements / entry.name).is_symlink():
                (requirements / entry.name).symlink_to(entry)
    packages = next((environment / "lib").glob("python3*")) / "site-packages"
    (packages / "requirements.pth").write_text(f"{requirements}\n")
    install = [sys.executable, "-m", "pip", "--python", environment / "bin" / "python", "install", "--quiet"]
    subprocess.run([*install, "--no-deps", "--no-index", wheel], check=True, capture_output=True)
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [environment / "bin" / "ganprune", "demo", "--small", "--out", "tried"],
        cwd=tmp_path,
        env={**variables, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok   onnx" in done.stdout
    assert (tmp_path / "tried" / "bundle" / "generator.onnx").is_file()
