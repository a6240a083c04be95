"""The shape of the tree: imports run one way, without cycles; rooms stay small; light modules stay light."""

import ast
import configparser
import json
import re
import subprocess
import sys
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from .source_tree import ALLOWED, FOLDERS, ROOT, SOURCES, imports_of

BOTTOM = ("gan_models", "files")  # imports nothing of ours, and may be imported from everywhere


def test_imports_run_one_way():
    """No folder imports one that stands above it; the bottom room imports nothing of ours."""
    wrong = [
        f"{path.relative_to(ROOT)} imports {'.'.join(module)}"
        for path in SOURCES
        for module in imports_of(path)
        if module[:2] != BOTTOM
        and (
            path.relative_to(ROOT).parts[:2] == BOTTOM
            or module[0] not in {path.relative_to(ROOT).parts[0], *ALLOWED[path.relative_to(ROOT).parts[0]]}
        )
    ]
    assert wrong == []


def test_evaluators_know_files_and_no_network():
    """Evaluators import only the room `files` of `gan_models`, which itself imports nothing of ours."""
    for folder, allowed in (
        ("evaluators", ("evaluators", "gan_models.files")),
        ("gan_models/files", ("gan_models.files",)),
    ):
        imported = {".".join(module) for path in (ROOT / folder).rglob("*.py") for module in imports_of(path)}
        assert [name for name in sorted(imported) if not name.startswith(allowed)] == []


def test_rooms_form_no_cycle():
    """Rooms can be put in an order in which the files of each import only files of earlier ones."""
    graph: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for path in SOURCES:
        room = path.relative_to(ROOT).parent.parts
        imported = {m[:-1] if ROOT.joinpath(*m).with_suffix(".py").is_file() else m for m in imports_of(path)}
        graph.setdefault(room, set()).update(imported - {room})
    list(TopologicalSorter(graph).static_order())  # raises CycleError, which names the cycle


def test_tests_mirror_the_rooms():
    """Each folder of tests about the five folders is a room, and no test file imports another."""
    tests = ROOT / "tests"
    folders = {path.parent.relative_to(tests) for folder in FOLDERS for path in (tests / folder).rglob("*.py")}
    assert [str(folder) for folder in sorted(folders) if not (ROOT / folder).is_dir()] == []
    imported = re.compile(r"^\s*from \.[\w.]*\btest_\w+ import|^\s*from \.+ import test_", flags=re.M)
    assert [str(p) for p in tests.rglob("*.py") if imported.search(p.read_text(encoding="utf-8"))] == []


def test_no_cycles():
    """Modules can be put in an order in which each imports only earlier ones."""
    graph = {path.relative_to(ROOT).with_suffix("").parts: imports_of(path) for path in SOURCES}
    done: set[tuple[str, ...]] = set()

    def visit(module: tuple[str, ...], trail: tuple[tuple[str, ...], ...]) -> None:
        assert module not in trail, " -> ".join(".".join(m) for m in (*trail[trail.index(module) :], module))
        if module in graph and module not in done:
            for imported in graph[module]:
                visit(imported, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_packages_are_empty_and_names_say_something(path: Path):
    """An `__init__.py` holds a docstring alone, and no file has a name that fits anything."""
    assert path.stem not in ("utils", "helpers", "common", "base", "core", "manager")
    if path.name == "__init__.py":
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert len(body) == 1
        assert isinstance(body[0], ast.Expr)


MAX_FILES_PER_ROOM = 12


def test_rooms_are_small():
    """No folder holds more files than a reader takes in at a glance (`__init__.py` not counted)."""
    rooms = Counter(path.parent.relative_to(ROOT) for path in SOURCES if path.name != "__init__.py")
    assert {str(room): count for room, count in rooms.items() if count > MAX_FILES_PER_ROOM} == {}


def test_the_package_list_is_what_is_on_disk():
    """`setup.cfg` names every folder with an `__init__.py`, and maps it to the place where it stands."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    options = parser["options"]
    on_disk = {".".join(("ganprune", *p.parent.relative_to(ROOT).parts)) for p in SOURCES if p.name == "__init__.py"}
    on_disk.add("ganprune")  # the facade, which is mapped to the folder of its own name
    assert set(options["packages"].split()) == on_disk
    mapped = dict(line.split(" = ") for line in options["package_dir"].strip().splitlines())
    assert mapped == {name: name.removeprefix("ganprune.").replace(".", "/") for name in on_disk}


def test_the_facade_is_light():
    """`import ganprune` loads nothing; its names say where they come from, and each is there."""
    code = (
        "import json, sys, ganprune\nbefore = sorted(sys.modules)\n[getattr(ganprune, n) for n in ganprune.__all__]\n"
        "print(json.dumps([m for m in before if m.split('.')[0] in ('torch', 'numpy', 'ray', 'optuna')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


LIGHT = [
    "ganprune.studies.cli.main", "ganprune.studies.run_options", "ganprune.search.configuration.flags",
    "ganprune.search.config", "ganprune.search.strategy.proposals",
    "ganprune.spaces.budget", "ganprune.spaces.widths", "ganprune.spaces.methods",
    *(f"ganprune.{'.'.join(path.relative_to(ROOT).with_suffix('').parts)}" for path in SOURCES if path.stem == "catalog"),
]  # fmt: skip


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_import_no_torch(module: str):
    """Help, configuration, spaces and every table of rows load without torch, by what `sys.modules` holds."""
    code = f"import json, sys, {module}; print(json.dumps([m for m in sys.modules if m.split('.')[0] in ('torch', 'ray')]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_no_network_is_named_where_pruning_is_defined():
    """Groups, plan, cost, surgery, spaces and pruning know no network of the catalog and no layer by name."""
    from ganprune.gan_models.networks.catalog import DISCRIMINATORS, NETWORKS

    rooms = ("spaces", "gan_models/groups", "gan_models/costs", "gan_models/pruning")
    general = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    assert len(general) > 40
    known = {*NETWORKS, *DISCRIMINATORS, "resnet", "patchgan", "conv_block", "model.10"} - {
        "basic",
        "pixel",
        "n_layers",
    }
    for path in general:
        words = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
        strings = [word for word in words if isinstance(word, str) and "\n" not in word]
        assert not [s for s in strings for name in known if name in s], path


def test_no_task_is_named_outside_the_room_of_the_tasks():
    """Differences between tasks come from the task: no other room holds a task's name or compares it."""
    from ganprune.gan_models.tasks.catalog import TASKS

    wrong = []
    for path in SOURCES:
        if path.is_relative_to(ROOT / "gan_models" / "tasks"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Constant) and node.value in list(TASKS.own)
            compared = isinstance(node, ast.Compare) and any(
                isinstance(side, ast.Attribute) and side.attr == "name" and ast.unparse(side.value).endswith("task")
                for side in (node.left, *node.comparators)
            )
            if named or compared:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
    assert wrong == []


KNOW_LATENCY = ("gan_models/latency", "gan_models/costs", "evaluators/cost", "search/latency")


def test_no_profiled_cost_is_named_outside_of_its_rooms():
    """Needs of budgets in ms come from the row of their cost: no other room compares its name or its unit."""
    from ganprune.gan_models.costs.catalog import COSTS

    rows = [row for row in COSTS.own.values() if not row.exact]
    named = {text for row in rows for text in (row.name, row.unit, *(row.int8_names or ()), *(row.keys or ()))}
    wrong = []
    for path in SOURCES:
        if any(path.is_relative_to(ROOT / room) for room in KNOW_LATENCY):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            constant = isinstance(node, ast.Constant) and node.value in named
            imported = isinstance(node, ast.ImportFrom) and any(a.name.startswith("LATENCY") for a in node.names)
            if constant or imported:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
    assert wrong == []


def test_no_export_format_is_named_outside_of_its_table():
    """Studies and searches loop over the formats; none is chosen by name but where version 0.1.0's cards are read."""
    from ganprune.gan_models.export.catalog import EXPORTERS

    named = {*EXPORTERS.own, *(row.filename for row in EXPORTERS.own.values())}
    for path in [p for folder in ("search", "studies") for p in (ROOT / folder).rglob("*.py")]:
        words = {n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant)}
        assert path.name == "first_cards.py" or not words & named, path
