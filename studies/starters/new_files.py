"""The writing of a file to start from, and of its test, under a name that a user chose."""

from __future__ import annotations

import ast
import builtins
import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ...gan_models.files.errors import UserError
from ...gan_models.files.texts.near_names import near_names
from .catalog import STARTERS, Starter, camel_case

MAX_NAME = 60  # characters
UNUSED_NAMES = {"snake": "unused_name", "camel": "UnusedName"}


@dataclass(frozen=True)
class NewFiles:
    """Files that were written.

    Attributes:
        code: The file to start from.
        test: Its test.
        reference: The object in it as options take it, `file.py:name`.
        starter: The kind.
    """

    code: Path
    test: Path
    reference: str
    starter: Starter

    @property
    def usage(self) -> str:
        """A search that uses the object."""
        return self.starter.usage.format(object=self.reference)


def write_new(kind: str, name: str, folder: Path) -> NewFiles:
    """Write a working file of a kind, and its test. Nothing is overwritten.

    Args:
        kind: A kind of `catalog.STARTERS`.
        name: Name of the file without `.py`: lower case with underscores.
        folder: The folder.

    Raises:
        UserError: The kind is unknown, the name is not a name for a module or that of an installed one, or a file of
            its name exists.
        OSError: The folder cannot be written to.
    """
    if kind not in STARTERS:
        near = near_names(kind, STARTERS)
        raise UserError(
            f"kind {kind!r} is unknown: got {kind}; expected one of {', '.join(STARTERS)}. Try ganprune new "
            f"{near[0] if near else next(iter(STARTERS))} NAME"
        )
    _check_name(name)
    starter = STARTERS[kind]
    made = NewFiles(folder / f"{name}.py", folder / f"test_{name}.py", f"{name}.py:{starter.name_of(name)}", starter)
    for path in (made.code, made.test):
        if path.exists() or path.is_symlink():
            other = _free_name(name, folder)
            raise UserError(f"file {path.name} exists: got the name {name}; expected one that is free. Try {other}")
    _check_hides_nothing(name, folder)
    own, templates = starter.name_of(name), {made.code: f"{kind}.py", made.test: f"{kind}_test.py"}
    if hasattr(builtins, own) or any(own in _bound(_text(each, UNUSED_NAMES)) for each in templates.values()):
        raise UserError(f"name {name!r} is used in the file itself: got {own}; expected another name. Try my_{name}")
    _write({path: _text(template, _names(name)) for path, template in templates.items()})
    return made


def _check_name(name: str) -> None:
    """Check that a name is one for a module, a class and a function. Raises UserError."""
    reserved = keyword.iskeyword(name) or name.startswith("test_") or name == "conftest"
    if re.fullmatch(r"[a-z][a-z0-9_]*", name) and len(name) <= MAX_NAME and not reserved:
        return
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.removesuffix(".py")).lower()
    better = re.sub(r"[^a-z0-9]+", "_", words).strip("_0123456789")[: MAX_NAME - len("my_")].removeprefix("test_")
    if not better or keyword.iskeyword(better) or better in ("test", "conftest"):
        better = f"my_{better or 'own'}"
    raise UserError(
        f"name is not possible: got {name[:80]!r}; expected lower-case letters, digits and underscores, at most "
        f"{MAX_NAME}, a letter first, no word of Python, no test_ in front. Try {better}"
    )


def _check_hides_nothing(name: str, folder: Path) -> None:
    """Check that a module of this name is not installed: the new file would hide it. Raises UserError."""
    try:
        found = find_spec(name)
    except (ImportError, ValueError):
        return
    if found is not None and (found.origin is None or Path(found.origin).parent != folder.absolute()):
        raise UserError(
            f"name {name!r} would hide an installed module: got {found.origin or name}; expected a name of your own. "
            f"Try my_{name}"
        )


def _free_name(name: str, folder: Path) -> str:
    """Return a name with a number behind it, of which no file exists."""
    number = 2
    while (folder / f"{name}{number}.py").exists() or (folder / f"test_{name}{number}.py").exists():
        number += 1
    return f"{name}{number}"


def _names(name: str) -> dict[str, str]:
    """Return the names of a file's object in both spellings, as templates take them."""
    return {"snake": name, "camel": camel_case(name)}


def _bound(text: str) -> set[str]:
    """Return the names that a file binds at its top: imports, classes, functions and values."""
    found: set[str] = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def _text(template: str, names: Mapping[str, str]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    place = FileSystemLoader(Path(__file__).with_name("templates"))
    return (
        Environment(loader=place, undefined=StrictUndefined, keep_trailing_newline=True)
        .get_template(f"{template}.jinja")
        .render(names)
    )


def _write(contents: Mapping[Path, str]) -> None:
    """Write new files: all of them, or none."""
    written: list[Path] = []
    try:
        for path, text in contents.items():
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(text)
    except FileExistsError as error:  # made by someone else since the check
        _remove(written)
        raise UserError(f"file {error.filename} exists: got it just now; expected a free name. Try another") from error
    except OSError:
        _remove(written)
        raise


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
