"""Users' own Python objects, named `package.module:name` or `path/to/file.py:name`, and loaded by that name.

A file runs when it is loaded, like any Python file: name only files that you trust. Imports no torch.
"""

from __future__ import annotations

import inspect
import re
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import UserError, WorkFailed
from .kept_copies import is_copy, located
from .projects.project import Project, TooLarge, read_project
from .projects.project_modules import circle, failing_file, load_project, package_of, project_files

_PACKAGES = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib"))
_FOLDERS = ("gan_models", "evaluators", "spaces", "search", "studies")
_GANPRUNE_FOLDERS = tuple(f"{Path(__file__).parents[2] / name}/" for name in _FOLDERS)
_NAME = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
_imported: set[str] = set()  # files of modules that users named
_tolerated: list[WorkFailed | UserError] = []  # failures that ended no work, until a log takes them


class UserCodeFailed(WorkFailed):
    """A failure of a user's own code: it raised, or its result is invalid.

    Attributes:
        traceback: Traceback of that code, for a log; empty if it did not raise.
    """

    traceback: str = ""


def tolerate(error: WorkFailed | UserError) -> None:
    """Note a failure of a user's own code that ends no work: its traceback goes to the log of what is running."""
    if str(error) not in map(str, _tolerated):
        _tolerated.append(error)


def take_tolerated() -> list[WorkFailed | UserError]:
    """Return the failures that were noted since the last call."""
    found = list(_tolerated)
    _tolerated.clear()
    return found


def is_path(reference: str) -> bool:
    """Return True if a text names an object by path, instead of a row of a table."""
    return ":" in reference


def names_object(text: str) -> bool:
    """Return True if a text has the form of an object's name by path; folders, URLs and built-in sets have another."""
    location, colon, name = text.rpartition(":")
    module = bool(re.fullmatch(_NAME, location)) and bool(re.fullmatch(_NAME, name)) and location != "builtin"
    return bool(colon) and (location.endswith(".py") or module)


def absolute(reference: str) -> str:
    """Return a reference with the absolute path of its file, so that other processes find it; others unchanged.

    A study's copy is named without a folder, and stays so.
    """
    path = file_of(reference)
    if path is None or (not path.is_file() and located(path).is_file()):
        return reference
    return f"{path.absolute()}:{reference.rpartition(':')[2]}"


def file_of(reference: str) -> Path | None:
    """Return the file of a reference, as written; None if it names a package's module or a table's row."""
    location, _, _ = reference.rpartition(":")
    return Path(location).expanduser() if location.endswith(".py") else None


def check_file(reference: str, kind: str) -> None:
    """Check that the file of a reference exists, without running it.

    Raises:
        UserError: It is missing.
    """
    path = file_of(reference)
    try:
        missing = path is not None and not located(path).is_file()
    except (OSError, ValueError, RuntimeError):  # too long, a zero byte, or a user that is not there
        missing = True
    if missing:
        raise UserError(f"{kind} file is missing: got {path}; expected a Python file. Try its absolute path")


def load_object(reference: str, kind: str) -> Any:
    """Return the object that `package.module:name` or `path/to/file.py:name` names.

    Args:
        reference: The text.
        kind: Kind of the object, for messages: `model`, `method`.

    Raises:
        UserError: It cannot be found or loaded; the one line lists what exists.
    """
    location, _, name = reference.rpartition(":")
    if not location or not re.fullmatch(_NAME, name):
        raise UserError(
            f"{kind} is not named by path: got {reference!r}; expected package.module:function or "
            f"path/to/file.py:function"
        )
    if location.endswith(".py"):
        return _attribute(reference, _load_file(located(location), kind))
    if not re.fullmatch(_NAME, location):
        raise UserError(
            f"{kind} {reference!r} names no module: got {location!r}; expected package.module or a file ending in .py"
        )
    return _attribute(reference, _import(reference, location, kind))


def load_named(reference: Any, kind: str, package: str | None = None) -> Any:
    """Return the object that a row of a table names; an object that is not a text is returned unchanged.

    Args:
        reference: `module:name`, `file.py:name`, or the object. A leading dot is relative to `package`.
        kind: Kind of the object, for messages: `metric`, `runtime`.
        package: The package of the table: its module's `__package__`.

    Raises:
        UserError: It cannot be found or loaded.
    """
    if not isinstance(reference, str):
        return reference
    if not reference.startswith("."):
        return load_object(reference, kind)
    module, _, name = reference.partition(":")
    return getattr(import_module(module, package), name)


def check_callable(kind: str, reference: str, found: Any, expected: str) -> None:
    """Check that a user's own object of a kind can be called.

    Args:
        kind: Kind of the object, for the message.
        reference: Its path.
        found: The object.
        expected: Its arguments and result: "takes a seed and returns an Optuna sampler".

    Raises:
        UserError: It cannot be called.
    """
    if not callable(found):
        raise UserError(
            f"{kind} {reference!r} cannot be called: got {type(found).__name__}; expected a class or function that "
            f"{expected}"
        )


def first_line(found: Any) -> str:
    """Return the first line of an object's docstring; empty if it has none."""
    return (found.__doc__ or "").strip().partition("\n")[0]


def one_line(error: Exception) -> str:
    """Return an error of third-party code as one line, with its type unless it is a plain ValueError."""
    text = " ".join(str(error).split())
    text = text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"
    if isinstance(error, FileNotFoundError) and isinstance(error.filename, str) and is_copy(Path(error.filename)):
        text += (
            "; only code is copied into studies and bundles, not the files that it reads. Try to pass such a file's "
            "absolute path as an argument, or write its values into the code"
        )
    return text


def place_of(*found: Any) -> str:
    """Return the location of a user's function or method as text to append: ` (my_metric.py, line 3)`.

    Args:
        found: Functions, methods, classes or their instances; the first one defined in a user's file is used.

    Returns:
        Empty text if none is.
    """
    for one in found:
        try:
            function = inspect.unwrap(getattr(one, "__func__", one)) if callable(one) else type(one)
            file, line = inspect.getsourcefile(function), inspect.getsourcelines(function)[1]
        except (TypeError, OSError):  # a built-in function, or a deleted file
            continue
        if file is not None and _is_users(file):
            return f" ({Path(file).name}, line {line})"
    return ""


def _is_users(file: str) -> bool:
    """Return True if a file belongs neither to ganprune nor to an installed package."""
    return not file.startswith((*_PACKAGES, *_GANPRUNE_FOLDERS, "<"))


def failed(what: str, error: Exception, *called: Any) -> UserCodeFailed:
    """Return an error that attributes a failure to a user's own code.

    Args:
        what: The kind and name of the failed object: `metric my_metric.py:score`.
        error: The exception that it raised.
        called: The object that was called; its location is given if no line of the user's code ran, as with wrong
            arguments.
    """
    raised = UserCodeFailed(_raised(what, error, *called))
    raised.traceback = "".join(traceback.format_exception(error))
    return raised


def refused(what: str, error: Exception) -> UserError:
    """Return the same failure as an error in the user's input, for code that runs before any training.

    Args:
        what: As in `failed`.
        error: The exception that it raised.
    """
    raised = UserError(_raised(what, error))
    raised.traceback = "".join(traceback.format_exception(error))
    return raised


def blamed(error: Exception) -> UserCodeFailed | None:
    """Return an exception as a failure of the user's own code if that is in its traceback, else None.

    Errors with a message for the user, and those of full memory or disk, are not converted.

    Args:
        error: Any exception.
    """
    full = isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    if full or isinstance(error, UserError | WorkFailed) or not any(map(_was_named, files)):
        return None
    return failed("your own code", error)


@contextmanager
def blaming() -> Iterator[None]:
    """Convert exceptions of the user's own code inside the context to errors in their input.

    Raises:
        UserError: The user's code raised an exception.
    """
    try:
        yield
    except Exception as error:
        found = blamed(error)
        if found is None:
            raise
        wrong = UserError(str(found))
        wrong.traceback = found.traceback
        raise wrong from error


def _raised(what: str, error: Exception, *called: Any) -> str:
    """Return one line with the failed object, its error, and the last line of the user's own code."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_users(frame.filename) or _was_named(frame.filename)]
    place = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else place_of(*called)
    text = one_line(error).removeprefix(f"{type(error).__name__}: ")[:300]
    return f"{what} raised {type(error).__name__}: {text}{place}"


def _was_named(file: str) -> bool:
    """Return True if a user named a file, its module, or a file that imports it."""
    return (file in _imported or file in project_files()) and not file.startswith(_GANPRUNE_FOLDERS)


def _import(reference: str, name: str, kind: str) -> ModuleType:
    try:
        module = import_module(name)
        _imported.update(filter(None, (getattr(module, "__file__", None),)))
        return module
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise UserError(
                f"{kind} {reference!r}: there is no module {error.name!r}. Try to install it, put its folder on "
                f"PYTHONPATH, or name the file as path/to/file.py:function"
            ) from error
        raise UserError(f"{kind} {reference!r}: importing {name} failed: {one_line(error)}") from error
    except Exception as error:  # third-party code may raise anything
        raise UserError(f"{kind} {reference!r}: importing {name} failed: {one_line(error)}") from error


def _load_file(path: Path, kind: str) -> ModuleType:
    """Return the file as a module whose name depends on its path and content: no two files share a module."""
    subject = "generator file" if kind == "model" else f"{kind} file"
    try:
        project = read_project(path, is_copy(path))
    except OSError as error:
        raise UserError(f"{subject} {error.filename or path} cannot be read: {error.strerror or error}") from error
    except TooLarge as error:
        raise UserError(f"{subject} {error}") from error
    try:
        return load_project(project)
    except Exception as error:  # third-party code may raise anything
        raise UserError(_refusal(subject, project, error)) from error


def _refusal(subject: str, project: Project, error: Exception) -> str:
    """Return the reason that a file could not be loaded, on one line."""
    file, line = failing_file(project, error)
    where = f"{subject} {project.path}" if file == project.path else f"{subject} {project.path}: its neighbor {file}"
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        return f"{where} imports {_missing(project, error.name)}"
    if circle(error):
        return (
            f"{where}, line {line}, imports a file that is still being loaded: got {_said(project, error)}; expected "
            f"no circular imports. Try importing inside the function that needs it"
        )
    return f"{where} cannot be loaded: {_said(project, error)}"


def _missing(project: Project, name: str) -> str:
    """Return the part of a message after "imports" for a missing module."""
    package = package_of(project)
    local = name.startswith(f"{package}.")  # a relative import, or a part of a neighbor
    name = name.removeprefix(f"{package}.")
    install = f"pip install {name.partition('.')[0]}"
    if project.is_copy:
        return (
            f"{name!r}, which is neither installed nor among the files that were copied with it; expected an "
            f"installed package. Try {install}"
        )
    file = f"{name.replace('.', '/')}.py"
    if local:
        place = ", ".join(map(str, project.searched[:1])) or project.path.parent
        return f"{name!r}, which does not exist: searched for {file} in {place}; expected a file. Try putting it there"
    places = ", ".join(map(str, project.searched)) or "no folder, because it is in an installed package"
    return (
        f"{name!r}, which is neither installed nor next to it: searched for {file} in {places}; expected an installed "
        f"package, or a file there. Try {install}"
    )


def _said(project: Project, error: Exception) -> str:
    """Return an error of a project's code as one line, with modules named as in their files."""
    return one_line(error).replace(f"{package_of(project)}.", "")


def _attribute(reference: str, module: ModuleType) -> Any:
    place, _, name = reference.rpartition(":")
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            # Only names defined there: an imported class is rarely the intended one.
            own = [
                key
                for key, value in vars(module).items()
                if not key.startswith("_") and callable(value) and getattr(value, "__module__", None) == module.__name__
            ]
            raise UserError(f"{place} has no {name!r}; it defines {', '.join(own) or 'no function'}")
        found = getattr(found, part)
    return found
