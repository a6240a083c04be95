"""Errors of the operating system about files, as one line that names the option of the command line."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ....gan_models.files.errors import UserError, WorkFailed

# A path of the user that cannot be used; a full disk, for one, is not among them.
WRONG_PATH = frozenset(
    {
        errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EACCES, errno.EPERM, errno.EROFS,
        errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.ENXIO,
    }
)  # fmt: skip
LONGEST_PATH = 80


def file_error(error: OSError, arguments: Sequence[str]) -> UserError | WorkFailed:
    """Return an error of the operating system in words, without its number.

    Args:
        error: The error.
        arguments: Words of the command line after the program's name.

    Returns:
        The user's error if one of the arguments is the path or a folder of it; else one of the environment.
    """
    reason = error.strerror or str(error)
    if error.filename is None:
        return WorkFailed(reason)
    path = Path(os.fsdecode(error.filename)).absolute()
    option = next((text for text, named in _given(arguments) if _concerns(named, path)), "")
    if error.errno in WRONG_PATH and option:
        return UserError(
            f"{option} cannot be used: got {_short(str(path))} ({reason}); expected a path that can be read and "
            "written. Try another path"
        )
    return WorkFailed(f"{_short(str(path))} cannot be used: {reason}")


def _given(arguments: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Yield each argument as it is to be named, with each path that it may contain."""
    option = ""
    for word in arguments:
        name, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        if name and not equals:
            option = name
            continue
        named = f"{name or option} {_short(value)}".strip()
        option = ""
        # `sqlite:///FILE`, `FILE::key`, `AtoB=FILE,BtoA=FILE`, `FILE.py:name`
        inner = value.partition(":///")[2] or value
        for part in dict.fromkeys((inner, *re.split(r"[=,]|::|:", inner))):
            if part:
                yield named, Path(part).expanduser().absolute()


def _concerns(given: Path, path: Path) -> bool:
    """Return if a path is a given one, is in it, is a folder that it needs, or is a file in preparation next to it."""
    beside = path.parent == given.parent and path.name.lstrip(".").startswith(given.stem)
    here = Path.cwd()
    needed = path in given.parents and path not in (here, *here.parents)  # every relative path needs this folder
    return path == given or given in path.parents or beside or needed


def _short(path: str) -> str:
    """Return a path, its middle left out if it is long."""
    half = LONGEST_PATH // 2
    return path if len(path) <= LONGEST_PATH else f"{path[:half]}...{path[-half:]}"
