"""A user's file with the neighboring files that it imports, directly or indirectly.

The file's package is found as in Python, upwards while there is an `__init__.py`. Absolute imports are searched for in
the folder that contains the package, in the file's own folder, in the project's folder (with a `.git`, `setup.py`,
...), and in the working folder if it contains the file. A module in none of them is an installed package, and not
copied.

A copy of such a file, `gen.py`, has its neighbors in a folder of its name, `gen/`. An index lists them, and no other
files are used.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from ..parsers.structured_text import parse_json
from .import_statements import ImportStatement, import_statements

INDEX = "modules.json"  # name of the index in the folder of a copy's neighbors
PACKAGE = "__init__.py"
MARKS = (".git", "pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "environment.yml")
MAX_FOLDERS_ABOVE = 6  # number of folders above a file that are searched
MAX_FILES, MAX_BYTES = 300, 10_000_000
_INSTALLED = ("site-packages", "dist-packages")
_FOREIGN_MODULES = frozenset({*sys.stdlib_module_names, "ganprune"})


class TooLarge(ValueError):
    """An error: a file imports too many neighbors for a small package."""


@dataclass(frozen=True)
class Project:
    """A file and its neighbors, as read from disk.

    Attributes:
        path: The file.
        main: Its name as a module: `models.generator`.
        files: Module -> file, of each neighbor; packages are named by their `__init__.py`.
        sources: Module -> content, including the file itself.
        folders: Packages without an `__init__.py`.
        searched: Folders in which absolute imports were searched for.
        is_copy: True if only the files of an index are used.
        is_package: True if the file is a package's `__init__.py`.
    """

    path: Path
    main: str
    files: Mapping[str, Path] = field(default_factory=dict)
    sources: Mapping[str, bytes] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()
    searched: tuple[Path, ...] = ()
    is_copy: bool = False
    is_package: bool = False

    @cached_property
    def sha256(self) -> str:
        """Hash of the file; with neighbors, of all contents and names."""
        own = {name: hashlib.sha256(source).hexdigest() for name, source in self.sources.items()}
        if not self.files:
            return own[self.main]
        return hashlib.sha256(json.dumps([self.main, own], sort_keys=True).encode()).hexdigest()

    @cached_property
    def tops(self) -> frozenset[str]:
        """First parts of the neighbors' names."""
        return frozenset(name.partition(".")[0] for name in (*self.files, *self.folders))

    def place(self, name: str) -> Path:
        """Return the path of a neighbor's copy, relative to the folder of neighbors."""
        inside = Path(*name.split("."))
        return inside / PACKAGE if self.files[name].name == PACKAGE else inside.with_name(f"{inside.name}.py")

    def index(self) -> str:
        """Return the content of the index of a copy."""
        names = {name: self.place(name).as_posix() for name in sorted(self.files)}
        return json.dumps({"main": self.main, "package": self.is_package, "modules": names}, indent=1) + "\n"


_PROJECTS: dict[Path, Project] = {}


def read_project(path: Path, is_copy: bool = False) -> Project:
    """Return a file with its neighbors, read from disk.

    Args:
        path: The file.
        is_copy: True for a copy in a study or bundle: its neighbors are those of its index, if there is one.

    Raises:
        OSError: A file cannot be read.
        TooLarge: There are more files than a small package has.
    """
    path = path.absolute()
    known = _PROJECTS.get(path)
    if known is None or known.is_copy != (is_copy or _index_of(path).is_file()) or not _as_read(known):
        known = _copy(path) if is_copy or _index_of(path).is_file() else _Search(path).project()
        _PROJECTS[path] = known
    return known


def neighbors_folder(path: Path) -> Path:
    """Return the folder of a copy's neighbors."""
    return path.with_suffix("")


def copied_files(path: Path) -> list[Path]:
    """Return the files that belong to a copy: the index and each neighbor; an empty list if it has none."""
    project, folder = read_project(path, is_copy=True), neighbors_folder(path)
    return [folder / INDEX, *(folder / project.place(name) for name in project.files)] if project.files else []


def _index_of(path: Path) -> Path:
    return neighbors_folder(path) / INDEX


def _as_read(project: Project) -> bool:
    """Return True if all files still have the content that was read."""
    try:
        return all(
            (project.path if name == project.main else project.files[name]).read_bytes() == source
            for name, source in project.sources.items()
        )
    except OSError:
        return False


def _copy(path: Path) -> Project:
    source, folder = path.read_bytes(), neighbors_folder(path)
    if not _index_of(path).is_file():
        name = path.stem.replace(".", "_")
        return Project(path, name, sources={name: source}, is_copy=True)
    index = parse_json((folder / INDEX).read_text(encoding="utf-8"))
    files = {name: folder / place for name, place in index["modules"].items()}
    if any(folder.resolve() not in file.resolve().parents for file in files.values()):
        raise OSError(0, "its index names files outside its folder", str(folder / INDEX))
    sources = {name: file.read_bytes() for name, file in files.items()} | {index["main"]: source}
    parents = {parent for name in sources for parent in _parents(name)}
    empty = frozenset(parents - sources.keys())
    return Project(path, index["main"], files, sources, empty, (folder,), True, index["package"])


def _parents(name: str) -> list[str]:
    parts = name.split(".")[:-1]
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


class _Search:
    """The search for a file's neighbors."""

    def __init__(self, path: Path) -> None:
        self.path, self.folder = path, path.parent
        self.source = path.read_bytes()
        self.installed = any(part in _INSTALLED for part in path.parts)
        self.files: dict[str, Path] = {}
        self.folders: dict[str, Path] = {}
        self.main, self.top = self._package()
        self.sources: dict[str, bytes] = {self.main: self.source}
        self.roots = list(self._roots())

    def project(self) -> Project:
        """Return the file with all that it imports."""
        packages = {
            name: self.top.joinpath(*self.path.relative_to(self.top).parts[: name.count(".") + 1])
            for name in _parents(self.main)
        }
        self.folders |= {name: place for name, place in packages.items() if not (place / PACKAGE).is_file()}
        for name in packages.keys() - self.folders.keys():
            self._take(name, packages[name] / PACKAGE)
        self._follow(self.main, self.source)
        folders, searched = frozenset(self.folders), tuple(self.roots)
        return Project(
            self.path, self.main, self.files, self.sources, folders, searched, is_package=self._is_package(self.main)
        )

    def _package(self) -> tuple[str, Path]:
        """Return the file's name as a module, and the folder that holds its package.

        A file without relative imports needs no package, so the package's own code is not run.
        """
        levels = max((one.level for one in import_statements(self.source)), default=0)
        outermost = self.folder
        while outermost.parent != outermost and (outermost / PACKAGE).is_file():
            outermost = outermost.parent
        stem = self.path.stem.replace(".", "_")
        if not levels:
            return stem, outermost
        top, parts = self.folder, [] if self.path.name == PACKAGE else [stem]
        needed = levels + len(parts)
        while top.parent != top and (outermost in top.parents or len(parts) < needed):
            parts, top = [top.name.replace(".", "_"), *parts], top.parent
        return ".".join(parts), top

    def _roots(self) -> Iterator[Path]:
        """Yield the folders in which absolute imports are searched for, each once."""
        if self.installed:
            return
        above = [self.folder, *self.folder.parents][: MAX_FOLDERS_ABOVE + 1]
        marked = next((each for each in above if any((each / mark).exists() for mark in MARKS)), None)
        working = Path.cwd() if Path.cwd() in self.folder.parents and len(Path.cwd().parts) > 1 else None
        yield from dict.fromkeys(each for each in (self.top, self.folder, marked, working) if each is not None)

    def _follow(self, name: str, source: bytes) -> None:
        """Add the imports of a module, recursively."""
        package = name if self._is_package(name) else name.rpartition(".")[0]
        for one in import_statements(source):
            target = self._target(package, one)
            if target is None:
                continue
            for wanted in (target, *(f"{target}.{each}" if target else each for each in one.names)):
                if wanted:
                    self._add(wanted, one.level > 0)

    def _target(self, package: str, one: ImportStatement) -> str | None:
        """Return the module that a statement names, resolved from the package of its file."""
        if not one.level:
            return one.module
        parts = package.split(".") if package else []
        if one.level - 1 > len(parts):
            return None  # above the top folder; Python reports it when the file is run
        return ".".join([*parts[: len(parts) - one.level + 1], *([one.module] if one.module else [])])

    def _add(self, name: str, relative: bool) -> None:
        """Add a module and the packages around it, if it is a neighbor."""
        for each in (*_parents(name), name):
            if each in self.sources or each in self.folders:
                continue
            found = self._found(each, relative)
            if found is None:
                return
            if found.is_dir():
                self.folders[each] = found
                continue
            self._take(each, found)

    def _take(self, name: str, file: Path) -> None:
        """Add a file and its imports."""
        if name not in self.sources:
            self.files[name], self.sources[name] = file, file.read_bytes()
            if len(self.files) > MAX_FILES or sum(map(len, self.sources.values())) > MAX_BYTES:
                raise TooLarge(
                    f"{self.path} imports too many neighboring files: got {len(self.files)} "
                    f"files, {sum(map(len, self.sources.values())):,} bytes; expected at most {MAX_FILES} files and "
                    f"{MAX_BYTES:,} bytes. Try installing the project, and naming the object as package.module:name"
                )
            self._follow(name, self.sources[name])

    def _found(self, name: str, relative: bool) -> Path | None:
        """Return the file of a module, or the folder of a package without `__init__.py`; None if there is neither."""
        parent, _, last = name.rpartition(".")
        if parent:
            return self._inside(self._folder_of(parent), last)
        if not relative and (last in _FOREIGN_MODULES or self.installed):
            return None
        named = (each.parent for each in (self.folder, *self.folder.parents[:MAX_FOLDERS_ABOVE]) if each.name == last)
        places = [self.top, *self.roots] if relative else [*self.roots, *named]
        for place in places:
            found = self._inside(place, last)
            # If a package of this name is installed, it wins over a plain folder and over the file itself.
            weak = found is not None and not relative and (found.is_dir() or found == self.path)
            if found is not None and not (weak and _is_installed(last, found)):
                return found
        return None

    def _inside(self, folder: Path, last: str) -> Path | None:
        for place in (folder / last / PACKAGE, folder / f"{last}.py"):
            if place.is_file():
                return place
        inside = folder / last
        code = inside.is_dir() and any(any(inside.glob(pattern)) for pattern in ("*.py", "*/*.py"))
        return inside if code else None

    def _is_package(self, name: str) -> bool:
        if name == self.main:
            return (
                self.path.name == PACKAGE and name != self.path.stem
            )  # a file without relative imports needs no package
        return name in self.files and self.files[name].name == PACKAGE

    def _folder_of(self, package: str) -> Path:
        if package in self.folders:
            return self.folders[package]
        if not self._is_package(package):
            return self.path / "none"
        return self.folder if package == self.main else self.files[package].parent


def _is_installed(name: str, beside: Path) -> bool:
    """Return True if a module of this name can be imported from another place than where it was found."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return False
    places = [] if spec is None else [*(spec.submodule_search_locations or ()), spec.origin or "built-in"]
    return bool(places) and str(beside) not in places
