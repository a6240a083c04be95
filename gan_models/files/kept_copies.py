"""Copies of a user's files that studies keep: found by name in the folders of the studies that this process works on.

A copy's name ends in a hash of its content, so it may be looked for in the folders of several studies.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from .errors import UserError
from .hashes import file_sha256

SOURCE = "source"  # in a study's folder: copies of the user's files
_folders: list[Path] = []  # the last one named comes first


def look_in(folder: str | Path) -> None:
    """Look for copies in this folder too, before all that were named so far.

    Args:
        folder: A study's folder of copies; it need not exist.
    """
    path = Path(folder).absolute()
    if path in _folders:
        _folders.remove(path)
    _folders.insert(0, path)


def located(path: str | Path) -> Path:
    """Return a file's path as given if it is there, else that of a copy of its name, else as given."""
    given = Path(path).expanduser()
    if given.is_file():
        return given
    return next((folder / given.name for folder in _folders if (folder / given.name).is_file()), given)


def keep(path: str | Path, folder: Path, kind: str) -> str:
    """Copy a file to a study's folder of copies, and return the copy's name.

    Args:
        path: The file; one that is a copy already is not copied again.
        folder: The study's folder of copies; it is looked in from now on.
        kind: What the file holds, for messages: `method`.

    Raises:
        UserError: There is no such file.
    """
    look_in(folder)
    source = located(path)
    if not source.is_file():
        raise UserError(f"{kind} file is missing: got {path}; expected a Python file. Try its absolute path.")
    if source.absolute().parent == folder.absolute():
        return source.name
    name = f"{source.stem}-{file_sha256(source)[:8]}{source.suffix}"
    if not (folder / name).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)
    return name
