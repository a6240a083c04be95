"""The documentation's site names every page, its references every command, option, row and name, and it builds."""

import re
import subprocess
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import ganprune
import pytest
import typer
from ganprune.search.configuration.option import options_of
from ganprune.search.configuration.sections import SECTIONS
from ganprune.studies.cli.main import app

ROOT = Path(__file__).parent.parent
PACKAGES = ("search", "spaces", "evaluators", "gan_models", "studies")


def loaded(name: str):
    spec = spec_from_file_location(name, ROOT / "docs" / "site" / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


references = loaded("references")


def test_the_navigation_names_every_page():
    """Each page under docs/ and each generated one is in mkdocs.yml exactly once."""
    named = re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), flags=re.M)
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} | set(references.PAGES) | {"index.md", "changelog.md"}
    assert sorted(named) == sorted(pages)


def test_the_commands_page_has_every_option():
    """Each command is a heading, and each of its options a row of its table."""
    page = references.commands()
    for name, command in typer.main.get_command(app).commands.items():
        section = page.split(f"### ganprune {name}\n")[1].split("\n### ")[0]
        for parameter in command.params:
            spelling = (
                max(parameter.opts, key=len)
                if parameter.param_type_name == "option"
                else (parameter.metavar or parameter.name.upper())
            )
            assert spelling in section, f"{name} {spelling}"


def test_the_configuration_page_has_every_field():
    """Each field that a user may set is a row below its table's name."""
    page = references.configuration()
    for table, section in SECTIONS.items():
        rows = page.split(f"## [{table}]\n")[1].split("\n## ")[0]
        assert [n for n, o in options_of(section).items() if not o.internal and f"| `{n}` |" not in rows] == []


def test_the_catalogs_page_has_every_row():
    """Every open table of the code is on the page, and each of its rows has a description."""
    page = references.catalogs()
    sources = [path.read_text("utf-8") for folder in PACKAGES for path in (ROOT / folder).rglob("catalog.py")]
    tables = {name for source in sources for name in re.findall(r"^(\w+): OpenTable\[", source, flags=re.M)}
    assert {name for _, name, _ in references.CATALOGS} == tables
    for table, title in references.tables():
        rows = page.split(f"## {title.capitalize()}\n")[1].split("\n## ")[0]
        listed = dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", rows, flags=re.M))
        assert [name for name in table.own if not listed.get(name)] == []


def test_the_python_page_has_every_public_name():
    """Each name of the package has a heading and its docstring's first sentence."""
    page = references.python()
    for name in ganprune.__all__:
        if not name.startswith("_"):
            section = page.split(f"## ganprune.{name}\n")[1].split("\n## ")[0]
            assert references.first_sentence(getattr(ganprune, name)) in " ".join(section.split())


@pytest.mark.long
@pytest.mark.skipif(
    find_spec("mkdocs") is None or find_spec("material") is None, reason="mkdocs-material is not installed"
)
def test_the_site_builds_without_a_warning(tmp_path):
    """A strict build ends with 0: no link and no anchor of any page is broken."""
    build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", tmp_path]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "reference" / "commands" / "index.html").is_file()
