"""A file with the neighbors that it imports: which ones are found, how they are loaded, copied and refused."""

import inspect
import shutil
import sys
from pathlib import Path

import pytest
from ganprune.gan_models.files import kept_copies
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.kept_copies import code_sha256, keep, with_neighbors
from ganprune.gan_models.files.projects import project as project_module
from ganprune.gan_models.files.projects.project import read_project
from ganprune.gan_models.files.user_code import load_object


@pytest.fixture(autouse=True)
def no_folders(monkeypatch, tmp_path):
    """Nothing of other tests is looked in, and the working folder holds nothing."""
    monkeypatch.setattr(kept_copies, "_folders", [])
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")


def written(root: Path, files: dict[str, str]) -> Path:
    """Write files, and return the folder."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def refused(reference: object, kind: str = "model") -> str:
    """Return the one line with which an object is refused."""
    with pytest.raises(UserError) as caught:
        load_object(str(reference), kind)
    assert "\n" not in str(caught.value)
    assert "ganprune_user_code" not in str(caught.value)
    return str(caught.value)


PACKAGE = {
    "proj/models/__init__.py": "READY = True\n",
    "proj/models/gen.py": "from . import READY\nfrom .blocks.conv import width\nfrom ..extra import more\n"
    "def make():\n    from .late import last\n    return READY, width(), more, last\n",
    "proj/models/late.py": "last = 'late'\n",
    "proj/models/blocks/__init__.py": "",
    "proj/models/blocks/conv.py": "from ..sizes import SIZE\ndef width():\n    return SIZE\n",
    "proj/models/sizes.py": "SIZE = 7\n",
    "proj/extra.py": "more = 'extra'\n",
    "proj/models/unused.py": "raise RuntimeError('never imported')\n",
}
LAYOUTS = {
    "a package": (PACKAGE, "proj/models/gen.py", (True, 7, "extra", "late"), 6),
    "a folder without __init__.py": (
        {"p/gen.py": "from .layers import f\ndef make():\n    return f()\n", "p/layers.py": "def f():\n    return 1\n"},
        "p/gen.py", 1, 1,
    ),
    "a folder whose name is none": (
        {"my proj.v2/gen-1.2.py": "from .layers import f\nfrom . import more\ndef make():\n    return f(), more.N\n",
         "my proj.v2/layers.py": "from .more import N\ndef f():\n    return N\n", "my proj.v2/more.py": "N = 2\n"},
        "my proj.v2/gen-1.2.py", (2, 2), 2,
    ),
    "relative and absolute of one name": (
        {"p/.git/HEAD": "", "p/layers.py": "N = 1\n", "p/nets/layers.py": "N = 2\n",
         "p/nets/gen.py": "from .layers import N as own\nfrom more import N\ndef make():\n    return own, N\n",
         "p/more.py": "from layers import N\n"},
        "p/nets/gen.py", (2, 1), 3,
    ),
    "absolute in the folder": (
        {"p/gen.py": "from layers import f\nimport sizes as s\ndef make():\n    return f(), s.N\n",
         "p/layers.py": "from sizes import N\ndef f():\n    return N + 1\n", "p/sizes.py": "N = 2\n"},
        "p/gen.py", (3, 2), 2,
    ),
    "absolute from the project": (
        {"p/.git/HEAD": "", "p/nets/deep/gen.py": "import parts.conv\nimport parts.pool as pool\n"
         "def make():\n    return parts.conv.N, pool.N\n", "p/parts/conv.py": "N = 4\n", "p/parts/pool.py": "N = 5\n"},
        "p/nets/deep/gen.py", (4, 5), 2,
    ),
    "absolute by the folder's own name": (
        {"p/nets/gen.py": "from nets.conv import N\nfrom nets import pool\ndef make():\n    return N, pool.N\n",
         "p/nets/conv.py": "N = 4\n", "p/nets/pool.py": "N = 5\n"},
        "p/nets/gen.py", (4, 5), 2,
    ),
    "a package's __init__.py": (
        {"p/nets/__init__.py": "from .conv import N\ndef make():\n    return N\n", "p/nets/conv.py": "N = 4\n"},
        "p/nets/__init__.py", 4, 1,
    ),
    "names that also are modules": (
        {"p/gen.py": "from nets import conv, N\ndef make():\n    return conv.N, N\n",
         "p/nets/__init__.py": "N = 1\n", "p/nets/conv.py": "N = 4\n"},
        "p/gen.py", (4, 1), 2,
    ),
    "an import that may fail": (
        {"p/gen.py": "try:\n    from fast import N\nexcept ImportError:\n    from slow import N\n"
         "def make():\n    return N\n", "p/slow.py": "N = 4\n"},
        "p/gen.py", 4, 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_neighbors_are_found_and_copied(layout, tmp_path):
    """A file runs with its neighbors from its place; a copy has those that it imports, and runs without the project."""
    files, name, made, n_neighbors = LAYOUTS[layout]
    written(tmp_path, files)
    file = tmp_path / name
    assert load_object(f"{file}:make", "model")() == made
    assert len(with_neighbors(file)) == 1 + n_neighbors
    kept = keep(file, tmp_path / "study", "model")
    digest = code_sha256(file)
    shutil.rmtree(tmp_path / Path(name).parts[0])
    assert load_object(f"{kept}:make", "model")() == made
    copy = tmp_path / "study" / kept
    assert code_sha256(copy) == digest
    assert {path.name for path in with_neighbors(copy)} == {
        kept, "modules.json", *(path.name for path in (tmp_path / "study" / copy.stem).rglob("*.py"))
    }  # fmt: skip


def test_a_copy_of_a_copy_is_the_same_code(tmp_path):
    """A file that was copied to a study is copied to a bundle with its neighbors."""
    file = written(tmp_path, PACKAGE) / "proj/models/gen.py"
    first = tmp_path / "one" / keep(file, tmp_path / "one", "model")
    kept_copies.copy_with_neighbors(first, tmp_path / "bundle" / "source.py")
    shutil.rmtree(tmp_path / "proj")
    shutil.rmtree(tmp_path / "one")
    assert load_object(f"{tmp_path / 'bundle' / 'source.py'}:make", "model")() == (True, 7, "extra", "late")
    assert (tmp_path / "bundle/source/proj/models/blocks/conv.py").is_file()
    assert not (tmp_path / "bundle/source/proj/models/unused.py").exists()


def test_modules_of_one_name_in_two_projects_do_not_mix(tmp_path):
    """`layers.py` of each project is its own, in both orders of loading, and none is left in `sys.modules` by its name."""
    for name in ("a", "b"):
        text = "from layers import N\ndef make():\n    import layers\n    return N, layers.N, layers.__name__\n"
        written(tmp_path / name, {"gen.py": text, "layers.py": f"N = {name!r}\n"})
    first, second = (load_object(f"{tmp_path / name}/gen.py:make", "model") for name in ("a", "b"))
    assert (first()[:2], second()[:2], first()[:2]) == (("a", "a"), ("b", "b"), ("a", "a"))
    assert "layers" not in sys.modules
    assert first()[2] != second()[2]


def test_a_changed_neighbor_is_another_code(tmp_path):
    """The hash, the copy's name and what is loaded follow each neighbor, and nothing that is not imported."""
    file = written(tmp_path, PACKAGE) / "proj/models/gen.py"
    before, kept = code_sha256(file), keep(file, tmp_path / "study", "model")
    assert load_object(f"{file}:make", "model")()[1] == 7
    (tmp_path / "proj/models/unused.py").write_text("anything = 1\n")
    assert code_sha256(file) == before
    (tmp_path / "proj/models/sizes.py").write_text("SIZE = 9\n")
    assert code_sha256(file) != before
    assert load_object(f"{file}:make", "model")()[1] == 9
    assert keep(file, tmp_path / "study", "model") != kept
    assert load_object(f"{kept}:make", "model")()[1] == 7


def test_a_file_that_stands_alone_runs_nothing_around_it(tmp_path):
    """Without imports of neighbors, its package is not run, and its copy is one file named by its content."""
    written(
        tmp_path, {"p/__init__.py": "raise RuntimeError('not needed')\n", "p/gen.py": "def make():\n    return 1\n"}
    )
    assert load_object(f"{tmp_path}/p/gen.py:make", "model")() == 1
    kept = keep(tmp_path / "p/gen.py", tmp_path / "study", "model")
    assert [path.name for path in (tmp_path / "study").iterdir()] == [kept]


def test_installed_packages_are_not_copied(tmp_path):
    """A file of a package's name does not hide it from itself, nor does a folder of data; the standard library is first."""
    written(
        tmp_path,
        {
            "p/torch.py": "import torch\nimport json\nimport numpy\ndef make():\n    return torch.__version__\n",
            "p/json.py": "raise RuntimeError('the standard library has one')\n",
            "p/numpy/numbers.csv": "1\n",
            "p/.git/HEAD": "",
        },
    )
    import torch

    assert load_object(f"{tmp_path}/p/torch.py:make", "model")() == torch.__version__
    assert len(with_neighbors(tmp_path / "p/torch.py")) == 1


def test_a_copy_looks_for_nothing_around_it(tmp_path):
    """Beside a copy without the module, a file of its name is not run: it is not what was copied."""
    written(tmp_path, {"p/gen.py": "from layers import N\ndef make():\n    return N\n", "p/layers.py": "N = 1\n"})
    kept = keep(tmp_path / "p/gen.py", tmp_path / "study", "model")
    shutil.rmtree(tmp_path / "study" / Path(kept).stem)
    (tmp_path / "study" / "layers.py").write_text("N = 2\n")
    message = refused(f"{tmp_path}/study/{kept}:make")
    assert "imports 'layers'" in message
    assert "nor among the files" in message


def test_a_missing_import_names_file_module_and_places(tmp_path):
    """A missing module of the file or a neighbor is one line with its name and the folders that were searched."""
    written(tmp_path, {"p/gen.py": "from . import blocks\n", "p/blocks.py": "import no_such.thing\n"})
    message = refused(f"{tmp_path}/p/gen.py:make")
    assert message.startswith(
        f"generator file {tmp_path}/p/gen.py: its neighbor {tmp_path}/p/blocks.py imports 'no_such"
    )
    assert f"searched for no_such.py in {tmp_path}, {tmp_path}/p" in message
    assert "pip install no_such" in message
    written(tmp_path, {"q/gen.py": "from .layers import f\n"})
    message = refused(f"{tmp_path}/q/gen.py:make", "metric")
    assert message.startswith(f"metric file {tmp_path}/q/gen.py imports 'q.layers', which does not exist")
    assert f"searched for q/layers.py in {tmp_path};" in message


def test_a_circle_of_imports_is_named(tmp_path):
    """Files that import each other's names while they are loaded are said to do so."""
    written(
        tmp_path,
        {"p/gen.py": "from one import A\n", "p/one.py": "from two import B\nA = 1\n", "p/two.py": "from one import A\nB = 1\n"},
    )  # fmt: skip
    message = refused(f"{tmp_path}/p/gen.py:make")
    assert f"{tmp_path}/p/two.py, line 1, imports a file that is still being loaded" in message
    assert "'A' from partially initialized module 'one'" in message
    assert "Try importing inside the function" in message


@pytest.mark.parametrize(("text", "said"), [("1 / 0\n", "ZeroDivisionError"), ("def f(:\n", "SyntaxError")])
def test_a_broken_neighbor_is_named(text, said, tmp_path):
    """An error of a neighbor names it; nothing half loaded stays, and a mended file loads."""
    written(tmp_path, {"p/gen.py": "from layers import N\ndef make():\n    return N\n", "p/layers.py": text})
    loaded = set(sys.modules)
    message = refused(f"{tmp_path}/p/gen.py:make")
    assert f"its neighbor {tmp_path}/p/layers.py cannot be loaded: {said}" in message
    assert set(sys.modules) == loaded
    (tmp_path / "p/layers.py").write_text("N = 3\n")
    assert load_object(f"{tmp_path}/p/gen.py:make", "model")() == 3


def test_data_beside_the_code_is_out_of_reach_of_a_copy(tmp_path):
    """A neighbor that reads a file beside it runs in its place; its copy says that only code is copied."""
    read = "from pathlib import Path\nN = (Path(__file__).parent / 'n.txt').read_text()\n"
    written(
        tmp_path, {"p/gen.py": "from layers import N\ndef make():\n    return N\n", "p/layers.py": read, "p/n.txt": "5"}
    )
    assert load_object(f"{tmp_path}/p/gen.py:make", "model")() == "5"
    kept = keep(tmp_path / "p/gen.py", tmp_path / "study", "model")
    message = refused(f"{kept}:make")
    assert "n.txt" in message
    assert "only code is copied" in message


def test_an_index_does_not_lead_out_of_its_folder(tmp_path):
    """An index that names a file elsewhere is refused: it was not copied there."""
    written(tmp_path, {"p/gen.py": "from layers import N\n", "p/layers.py": "N = 1\n", "evil.py": "N = 2\n"})
    kept = tmp_path / "study" / keep(tmp_path / "p/gen.py", tmp_path / "study", "model")
    index = tmp_path / "study" / kept.stem / "modules.json"
    index.write_text(index.read_text().replace('"layers.py"', '"../../evil.py"'))
    assert "outside its folder" in refused(f"{kept}:make")


def test_a_whole_program_is_not_copied(tmp_path, monkeypatch):
    """More files than a small package has are refused with the cure."""
    monkeypatch.setattr(project_module, "MAX_FILES", 2)
    written(tmp_path, {"p/gen.py": "import a, b, c\n", "p/a.py": "", "p/b.py": "", "p/c.py": ""})
    message = refused(f"{tmp_path}/p/gen.py:make")
    assert "got 3 files" in message
    assert "package.module:name" in message


def test_sources_are_at_hand_for_inspection(tmp_path):
    """Classes of neighbors are inspected, compared and copied like any other: their modules are real."""
    import copy
    from dataclasses import fields

    written(
        tmp_path,
        {
            "p/gen.py": "from .parts import Part\ndef make():\n    return Part(3)\n",
            "p/parts.py": "from __future__ import annotations\nfrom dataclasses import dataclass\n"
            "@dataclass\nclass Part:\n    size: int\n",
        },
    )
    made = load_object(f"{tmp_path}/p/gen.py:make", "model")()
    assert copy.deepcopy(made) == made
    assert [field.name for field in fields(made)] == ["size"]
    assert "class Part" in inspect.getsource(type(made))
    assert read_project(tmp_path / "p/gen.py") is read_project(tmp_path / "p/gen.py")
