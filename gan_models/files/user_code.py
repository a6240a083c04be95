"""Users' own Python: an object named as `package.module:name` or `path/to/file.py:name`, found and loaded.

A file is run when it is loaded, as any Python file is: name only files that you trust. Imports no torch.
"""

from __future__ import annotations

import hashlib
import re
import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import UserError
from .kept_copies import located

_NAME = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"


def is_path(reference: str) -> bool:
    """Return whether a text names an object by path, instead of a row of a table."""
    return ":" in reference


def absolute(reference: str) -> str:
    """Return a reference whose file is named by its absolute path, so that other processes find it; others as it is.

    The copy that a study keeps has a name without a folder, and keeps it.
    """
    path = file_of(reference)
    if path is None or (not path.is_file() and located(path).is_file()):
        return reference
    return f"{path.absolute()}:{reference.rpartition(':')[2]}"


def file_of(reference: str) -> Path | None:
    """Return the file that a reference names, as it names it; None if it names a package's module or a table's row."""
    location, _, _ = reference.rpartition(":")
    return Path(location).expanduser() if location.endswith(".py") else None


def load_object(reference: str, kind: str) -> Any:
    """Return the object that `package.module:name` or `path/to/file.py:name` names.

    Args:
        reference: The text.
        kind: What it is to be, for messages: `model`, `method`.

    Raises:
        UserError: It cannot be found or loaded; one line that says what there is.
    """
    location, _, name = reference.rpartition(":")
    if not location or not re.fullmatch(_NAME, name):
        raise UserError(f"{kind} {reference!r} must read package.module:function or path/to/file.py:function")
    if location.endswith(".py"):
        return _attribute(reference, _load_file(located(location), kind))
    if not re.fullmatch(_NAME, location):
        raise UserError(f"{kind} {reference!r}: {location!r} is neither a package.module nor a file ending in .py")
    return _attribute(reference, _import(reference, location, kind))


def load_named(reference: Any, kind: str, package: str | None = None) -> Any:
    """Return the object that a row of a table names; what is no text is the object itself.

    Args:
        reference: `module:name`, `file.py:name`, or the object. A leading dot is relative to `package`.
        kind: What it is to be, for messages: `metric`, `runtime`.
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
        kind: What it is meant to be, for the message.
        reference: Its name by path.
        found: The object.
        expected: What it takes and gives: "takes a seed and returns an Optuna sampler".

    Raises:
        UserError: It cannot.
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
    """Return an error of somebody's code as one line, with its type unless it is a plain ValueError."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"


def _import(reference: str, name: str, kind: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise UserError(
                f"{kind} {reference!r}: there is no module {error.name!r}; install it, put its folder on "
                "PYTHONPATH, or name the file as path/to/file.py:function"
            ) from error
        raise UserError(f"{kind} {reference!r}: importing {name} failed: {one_line(error)}") from error
    except Exception as error:  # somebody else's code may raise anything
        raise UserError(f"{kind} {reference!r}: importing {name} failed: {one_line(error)}") from error


def _load_file(path: Path, kind: str) -> ModuleType:
    """Return the file as a module whose name depends on its place and content: two files never share one."""
    subject = "generator file" if kind == "model" else f"{kind} file"
    try:
        source = path.read_bytes()
    except OSError as error:
        raise UserError(f"{subject} {path} cannot be read: {error.strerror or error}") from error
    digest = hashlib.sha256(f"{path.resolve()}\0".encode() + source).hexdigest()[:16]
    name = f"ganprune_user_code_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise UserError(f"{subject} {path} cannot be loaded as Python")
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickling look a class's module up here
    try:
        exec(compile(source, str(path.resolve()), "exec"), module.__dict__)  # the very bytes that were hashed
    except ModuleNotFoundError as error:
        del sys.modules[name]
        raise UserError(
            f"{subject} {path} imports {error.name!r}, which is not installed: the file must stand "
            "alone or import installed packages only"
        ) from error
    except Exception as error:  # somebody else's code may raise anything
        del sys.modules[name]
        raise UserError(f"{subject} {path} cannot be loaded: {one_line(error)}") from error
    return module


def _attribute(reference: str, module: ModuleType) -> Any:
    place, _, name = reference.rpartition(":")
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            # Only what is defined there: an imported class is rarely what was meant.
            own = [
                key
                for key, value in vars(module).items()
                if not key.startswith("_") and callable(value) and getattr(value, "__module__", None) == module.__name__
            ]
            raise UserError(f"{place} has no {name!r}; it defines {', '.join(own) or 'no function'}")
        found = getattr(found, part)
    return found
