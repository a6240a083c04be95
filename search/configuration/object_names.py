"""Objects of Python in a configuration: each becomes the name by path under which workers and a resume load it."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from ...gan_models.files.errors import UserError

ONE = ("model", "data", "task", "metric", "objective", "own_training", "sampler")
SEVERAL = ("methods", "also_measure")
OF_TASK = (("discriminator", "model"), ("degrade",))  # in the task's settings
_STDLIB = sysconfig.get_paths()["stdlib"]
_INSTALLED = {"site-packages", "dist-packages"}
_OURS = "ganprune."
_LOCAL = ("<locals>", "<lambda>")


def with_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with the names of objects that were given in their place.

    Args:
        values: Options by field. Functions, classes and other objects may stand where a name by path may.

    Raises:
        UserError: An object cannot be loaded by a name; one line that says how to move it.
    """
    found = dict(values)
    for field in ONE:
        if field in found:
            found[field] = name_of(found[field], field)
    for field in SEVERAL:
        if isinstance(found.get(field), Sequence) and not isinstance(found[field], str):
            found[field] = tuple(name_of(each, field) for each in found[field])
    if isinstance(settings := found.get("task_settings"), Mapping):
        for path in OF_TASK:
            settings = _replaced(settings, path)
        found["task_settings"] = settings
    return found


def name_of(given: Any, field: str) -> str:
    """Return the name by path of an object: `file.py:name`, or `package.module:name` if it is installed.

    Args:
        given: The object; a text is returned as it is.
        field: The option that it is given for, for messages.

    Raises:
        UserError: It is of a notebook, a script or a function, or no module has a name for it.
    """
    if isinstance(given, str | Path):
        return str(given)
    module, name = _place(given)
    kind = name or type(given).__name__
    if module is not None and (module.__name__ == "__main__" or not getattr(module, "__file__", None)):
        raise _refused(field, kind, "an object of a notebook or of the script that runs")
    if name is None or any(part in name for part in _LOCAL):
        raise _refused(field, kind, "an object that is made inside a function, or that no module has a name for")
    assert module is not None
    file = str(Path(str(module.__file__)).absolute())
    installed = module.__name__.startswith(_OURS) or _is_installed(file) or not file.endswith(".py")
    return f"{module.__name__}:{name}" if installed else f"{file}:{name}"


def _place(given: Any) -> tuple[ModuleType | None, str | None]:
    """Return the module of an object and its name there; nothing if no module has one."""
    own = getattr(given, "__module__", None) if hasattr(given, "__qualname__") else type(given).__module__
    name = getattr(given, "__qualname__", None)
    module = sys.modules.get(own or "")
    if name is not None and (any(part in name for part in _LOCAL) or _attribute(module, name) is given):
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


def _replaced(settings: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """Return settings with the name of the object at a path, if there is one."""
    first, *rest = path
    value, found = settings.get(first), dict(settings)
    if rest:
        return found | ({first: _replaced(value, tuple(rest))} if isinstance(value, Mapping) else {})
    return found | ({} if value is None else {first: name_of(value, first)})


def _refused(field: str, name: str, what: str) -> UserError:
    short = name.rpartition(".")[2].strip("<>") or "name"
    short = "name" if short in ("lambda", "locals") else short
    return UserError(
        f"{field} cannot be loaded by workers: got {name}, {what}; expected one of a file or a package. Try moving it "
        f"into a file, my_{field}.py, and from my_{field} import {short}, or {field}='my_{field}.py:{short}'"
    )
