"""The guide for contributors tells the truth: its map, its protocols, and every file and function that it names."""

import ast
import re
from pathlib import Path

import pytest
from ganprune.studies.api import Study

from .command_line import QUICK, call
from .source_tree import ALLOWED, FOLDERS, ROOT, SOURCES

PAGE = (ROOT / "docs" / "developing.md").read_text(encoding="utf-8")
PROSE = PAGE + (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text under a heading."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_map_names_exactly_the_rooms():
    """Every folder that holds modules has a line, and no other has one."""
    named = re.findall(r"^\| `([\w/]+)` \|", section("The map"), flags=re.M)
    rooms = {path.parent.relative_to(ROOT).as_posix() for path in SOURCES if path.name != "__init__.py"}
    assert len(named) == len(set(named))
    assert set(named) == rooms


def test_the_arrows_are_those_that_are_held():
    """The arrows of the page are those of `test_layers`."""
    drawn = dict(re.findall(r"^(\w+) +->(.*)$", section("The map"), flags=re.M))
    assert {name: {to.strip() for to in arrows.split(",") if to.strip()} for name, arrows in drawn.items()} == ALLOWED
    assert list(drawn) == ["studies", "search", "spaces", "evaluators", "gan_models"]


def test_every_protocol_has_its_line():
    """The table lists every `Protocol` of the code, with its file."""
    listed = set(re.findall(r"^\| `(\w+)` \| `([\w/.]+)` \|", section("The protocols"), flags=re.M))
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "Protocol" for base in node.bases):
                found.add((node.name, path.relative_to(ROOT).as_posix()))
    assert listed == found


@pytest.mark.parametrize("reference", sorted(set(re.findall(r"`([\w/]+\.py:[\w.]+)`", PAGE))))
def test_every_function_named_is_there(reference: str):
    """`file.py:Class.method` names something that is defined in that file."""
    path, _, name = reference.partition(":")
    body = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
    for part in name.split("."):
        defined = [n for n in body if isinstance(n, ast.ClassDef | ast.FunctionDef) and n.name == part]
        assert defined, reference
        body = defined[0].body


def test_every_file_named_is_there():
    """Paths in the prose of both guides are files or folders of the repository."""
    named = set(re.findall(rf"`((?:{'|'.join(FOLDERS)}|tests)/[\w/.]+?)(?::[\w.]+)?`", PROSE))
    named |= set(re.findall(r"pytest [^`]*?(tests/[\w/.]+)", PROSE))
    assert len(named) > 60
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_every_table_has_its_contract():
    """A file `test_<table>_contract.py` runs the rows of each open table; networks are run where they are built."""
    tables = {n for path in SOURCES for n in re.findall(r"^(\w+): OpenTable\[", path.read_text("utf-8"), flags=re.M)}
    files = [
        *(ROOT / "tests").rglob("test_*_contract.py"),
        ROOT / "tests" / "gan_models" / "networks" / "test_catalog.py",
    ]
    run = "\n".join(path.read_text(encoding="utf-8") for path in files)
    assert len(tables) >= 11
    assert {name for name in tables if not re.search(rf"\b{name}\b(?! import)", run)} == set()


def test_the_words_are_those_of_the_glossary():
    """Words that the code and the pages use in a meaning of their own are explained."""
    words = {
        word for words in re.findall(r"^\| ([\w, ]+) \|", section("Words"), flags=re.M) for word in words.split(", ")
    }
    assert {"ladder", "rung", "landing", "own plan", "finalist", "set aside", "exact", "published", "bits"} <= words


def test_one_trial_runs_again_alone(tmp_path, monkeypatch, capsys):
    """The page's few lines run a study's trial without engine and database, and come to the same quality."""
    monkeypatch.chdir(tmp_path)
    given = ["--model", "resnet", "--model-args", "ngf=4,n_blocks=1", "--data", "builtin:shapes", "--image-size", 16]
    assert call(monkeypatch, "search", "--study", "shoes", *given, "--budget", "50%", "--trials", 1, *QUICK) == 0
    capsys.readouterr()
    example = re.search(r"^```python\n# one_trial\.py\n(.*?)^```", PAGE, flags=re.S | re.M)[1]
    exec(compile(example, "developing.md", "exec"), {})
    state, now, before = capsys.readouterr().out.split()
    assert state == "COMPLETE"
    assert now == before == str(Study.open("shoes").trials[0].quality)
    assert Path("debugged/generator.safetensors").is_file()
