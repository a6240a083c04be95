"""Modules of users' projects, loaded under unique names: two projects may have modules of one name.

All modules of a project are in a package whose name contains a hash of their paths and contents. Relative imports
resolve there. Absolute imports of a neighbor do, too, because a project's modules have their own `__import__`.
"""

from __future__ import annotations

import builtins
import hashlib
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

from .project import PACKAGE, Project

PREFIX = "ganprune_user_code_"
_projects: dict[str, Project] = {}


def load_project(project: Project) -> ModuleType:
    """Return the module of a project's file, loaded once per process and content.

    Raises:
        Exception: Any exception that the user's code raises; no partly loaded module remains.
    """
    package = package_of(project)
    name = f"{package}.{project.main}"
    if name in sys.modules:
        return sys.modules[name]
    if _Finder not in map(type, sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    _projects[package] = project
    try:
        return import_module(name)
    except BaseException:
        for loaded in [each for each in sys.modules if each == package or each.startswith(f"{package}.")]:
            del sys.modules[loaded]
        raise


def package_of(project: Project) -> str:
    """Return the name of the package that a project's modules are loaded in."""
    digest = hashlib.sha256(f"{project.path.resolve()}\0{project.main}\0".encode())
    for name, source in sorted(project.sources.items()):
        digest.update(f"{name}\0{len(source)}\0".encode() + source)
    return PREFIX + digest.hexdigest()[:16]


def project_files() -> set[str]:
    """Return the paths of all files of the projects that were loaded in this process."""
    return {str(file) for project in _projects.values() for file in (project.path, *project.files.values())}


def failing_file(project: Project, error: BaseException) -> tuple[Path, int]:
    """Return the project's file and line at which an error was last raised."""
    files = {str(file): file for file in (project.path, *project.files.values())}
    if isinstance(error, SyntaxError) and error.filename in files:
        return files[error.filename], error.lineno or 0
    place, trace = (project.path, 0), error.__traceback__
    while trace is not None:
        if (file := files.get(trace.tb_frame.f_code.co_filename)) is not None:
            place = (file, trace.tb_lineno)
        trace = trace.tb_next
    return place


def circle(error: BaseException) -> bool:
    """Return True if an error came from circular imports."""
    return isinstance(error, ImportError | AttributeError) and "partially initialized module" in str(error)


class _Finder:
    """A finder of the modules of projects by their own names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the specification of a module of a project; None for any other."""
        top, _, name = fullname.partition(".")
        project = _projects.get(top)
        if project is None:
            return None
        if not name or name in project.folders:
            return spec_from_loader(fullname, _Folder(), is_package=True)
        if name not in project.sources:
            return None
        file = project.path if name == project.main else project.files[name]
        package = project.is_package if name == project.main else file.name == PACKAGE
        spec = spec_from_loader(fullname, _Loader(project, name, file), origin=str(file), is_package=package)
        if spec is not None:
            spec.has_location = True  # modules have a `__file__`
        return spec


class _Folder(Loader):
    """A loader of a package without code."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Return None, for an ordinary module."""

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing."""


class _Loader(_Folder):
    """A loader of a project's module, which runs the same bytes that were hashed."""

    def __init__(self, project: Project, name: str, file: Path) -> None:
        self.project, self.name, self.file = project, name, file

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code."""
        if self.project.files:
            module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _Import(self.project)}
        exec(compile(self.project.sources[self.name], str(self.file), "exec", dont_inherit=True), module.__dict__)

    def get_source(self, fullname: str) -> str:
        """Return the code, for tracebacks and `inspect`."""
        return self.project.sources[self.name].decode(errors="replace")


class _Import:
    """The `__import__` of a project's modules: names of neighbors resolve to the project, all others as in Python."""

    def __init__(self, project: Project) -> None:
        self.project, self.package = project, package_of(project)

    def __call__(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        """Import a module as an import statement does."""
        top = name.partition(".")[0]
        if level or top not in self.project.tops:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        found = builtins.__import__(f"{self.package}.{name}", globals, locals, fromlist or (), 0)
        return found if fromlist else sys.modules[f"{self.package}.{top}"]
