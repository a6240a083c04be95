"""Python objects in a configuration: each is replaced by its name by path, under which workers and a resume load it."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from ...gan_models.files.errors import UserError

OBJECT_OPTIONS = ("model", "data", "task", "metric", "objective", "own_training", "sampler")
OBJECT_LIST_OPTIONS = ("methods", "also_measure")
TASK_SETTING_PATHS = (("discriminator", "model"), ("degrade",))  # fields in the task's settings
KEYED_OPTIONS = (("weights", "segmenter"),)
BY_NAME = ("method_settings", "shares")  # fields whose keys are names
TABLES = ("model_args", "task_settings", "method_settings", "shares", "weights", "profiles")
_STDLIB = sysconfig.get_paths()["stdlib"]
_INSTALLED = {"site-packages", "dist-packages"}
_GANPRUNE_PREFIX = "ganprune."
_LOCAL_MARKS = ("<locals>", "<lambda>")


def with_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with given objects replaced by their names.

    Args:
        values: Options by field. Functions, classes and other objects may replace names by path, also as keys of the
            settings and shares of methods.

    Raises:
        UserError: An object cannot be loaded by a name (the message tells how to move it), or only plain values are
            allowed in its place.
    """
    found = {_checked_key(field): value for field, value in values.items()}
    for field in OBJECT_OPTIONS:
        if field in found:
            found[field] = name_of(found[field], field)
    for field in OBJECT_LIST_OPTIONS:
        if isinstance(found.get(field), Sequence) and not isinstance(found[field], str):
            found[field] = tuple(name_of(each, field) for each in found[field])
    for field, key in KEYED_OPTIONS:
        if isinstance(table := found.get(field), Mapping) and key in table:
            found[field] = {**table, key: name_of(table[key], key)}
    for field in BY_NAME:
        if isinstance(table := found.get(field), Mapping):
            found[field] = {name_of(key, "methods"): value for key, value in table.items()}
    if isinstance(settings := found.get("task_settings"), Mapping):
        for path in TASK_SETTING_PATHS:
            settings = _replaced(settings, path)
        found["task_settings"] = settings
    for field in TABLES:
        if isinstance(found.get(field), Mapping):
            _check_plain(found[field], field)
    return found


def _checked_key(field: object) -> str:
    if not isinstance(field, str):
        raise UserError(f"an option's name is not a text: got {field!r}; expected a name such as 'trials'")
    return field


def _check_plain(value: Any, place: str) -> None:
    """Raise UserError unless a value of a table, including nested values, can be recorded with the study."""
    if isinstance(value, Mapping):
        for key, inside in value.items():
            _check_plain(inside, f"{place}.{key}")
    elif isinstance(value, list | tuple):
        for inside in value:
            _check_plain(inside, place)
    elif not isinstance(value, str | int | float | Path | None):
        what = getattr(value, "__qualname__", "").rpartition(".")[2] or f"an object of type {type(value).__name__}"
        raise UserError(
            f"{place} cannot be recorded with the study: got {what}; expected a number, a text, True or False, or a "
            "list or dictionary of these. Try a text that your own code looks up"
        )


def name_of(given: Any, field: str) -> str:
    """Return the name by path of an object: `file.py:name`, or `package.module:name` if it is installed.

    Args:
        given: The object; a text is returned unchanged.
        field: Name of its option, for messages.

    Raises:
        UserError: It is defined in a notebook, a script or a function, or no module has a name for it.
    """
    if isinstance(given, str | Path):
        return str(given)
    if given is None or isinstance(given, int | float | bytes):  # equal numbers are one object in many modules
        raise UserError(
            f"{field} is not a name: got {given!r}; expected a text, or a function, class or object of a file"
        )
    module, name = _place(given)
    kind = name or f"an object of type {type(given).__name__}"
    if module is not None and (module.__name__ == "__main__" or not getattr(module, "__file__", None)):
        raise _refused(field, kind, "which is defined in a notebook or in the running script", name)
    if name is None or any(part in name for part in _LOCAL_MARKS):
        raise _refused(field, kind, "which is created inside a function, or has no name in a module", name)
    assert module is not None
    file = str(Path(str(module.__file__)).absolute())
    installed = module.__name__.startswith(_GANPRUNE_PREFIX) or _is_installed(file) or not file.endswith(".py")
    return f"{module.__name__}:{name}" if installed else f"{file}:{name}"


def _place(given: Any) -> tuple[ModuleType | None, str | None]:
    """Return the module of an object and its name there; None for both if there is none."""
    own = getattr(given, "__module__", None) if hasattr(given, "__qualname__") else type(given).__module__
    name = getattr(given, "__qualname__", None)
    module = sys.modules.get(own or "")
    if name is not None and (any(part in name for part in _LOCAL_MARKS) or _attribute(module, name) is given):
        return module, name
    for each in _modules(module):
        if (key := next((key for key, value in vars(each).items() if value is given), None)) is not None:
            return each, key
    return module, None


def _modules(first: ModuleType | None) -> Iterator[ModuleType]:
    """Yield the modules that may have a name for an object: its class's own, then those that are not installed."""
    if first is not None:
        yield first
    for each in list(sys.modules.values()):
        file = getattr(each, "__file__", None)
        if isinstance(each, ModuleType) and file and each.__name__ != "__main__" and not _is_installed(file):
            yield each


def _is_installed(file: str) -> bool:
    return file.startswith(_STDLIB) or not _INSTALLED.isdisjoint(Path(file).parts)


def _attribute(module: ModuleType | None, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _replaced(settings: Mapping[str, Any], path: tuple[str, ...], field: str = "") -> dict[str, Any]:
    """Return settings with the name of the object at a path, if there is one."""
    first, *rest = path
    field = field or first
    value, found = settings.get(first), dict(settings)
    if rest:
        return found | ({first: _replaced(value, tuple(rest), field)} if isinstance(value, Mapping) else {})
    return found | ({} if value is None else {first: name_of(value, field)})


def _refused(field: str, kind: str, what: str, name: str | None) -> UserError:
    short = (name or "").rpartition(".")[2].strip("<>")
    short = f"my_{field}" if short in ("", "lambda", "locals") else short
    return UserError(
        f"{field} cannot be loaded by workers: got {kind}, {what}; expected one from a file or a package. Try moving "
        f"it into a file, my_{field}.py, and from my_{field} import {short}, or {field}='my_{field}.py:{short}'"
    )
