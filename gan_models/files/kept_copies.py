"""Copies of users' files in study folders, found by name in the folders of the studies that this process works on.

A copy's name ends in a hash of its content, so it may be looked for in the folders of several studies.
"""

from __future__ import annotations

from pathlib import Path

from .atomic_files import write_file
from .errors import UserError
from .projects.project import INDEX, copied_files, neighbors_folder, read_project

SOURCE = "source"  # folder in a study's folder with copies of the user's files
_folders: list[Path] = []  # the last folder added comes first
_bundles: set[Path] = set()


def look_in(folder: str | Path) -> None:
    """Search this folder for copies, too, before all folders added so far.

    Args:
        folder: A study's folder of copies; it need not exist.
    """
    path = Path(folder).absolute()
    if path in _folders:
        _folders.remove(path)
    _folders.insert(0, path)


def located(path: str | Path) -> Path:
    """Return a file's path if it exists, else that of a copy of its name, else the path unchanged."""
    given = Path(path).expanduser()
    if given.is_file():
        return given
    return next((folder / given.name for folder in _folders if (folder / given.name).is_file()), given)


def holds_copies(folder: str | Path) -> None:
    """Mark a folder as one of copies, such as a bundle, whose files are not searched for elsewhere."""
    _bundles.add(Path(folder).absolute())


def is_copy(path: str | Path) -> bool:
    """Return True if a file is a copy, or in a folder of copies: no other file around it is then its neighbor."""
    return not _bundles.union(_folders).isdisjoint(Path(path).absolute().parents)


def keep(path: str | Path, folder: Path, kind: str) -> str:
    """Copy a file, with the neighbors that it imports, to a study's folder of copies, and return the copy's name.

    Args:
        path: The file; one that is a copy already is not copied again.
        folder: The study's folder of copies; it is searched from now on.
        kind: Kind of the file's object, for messages: `method`.

    Raises:
        UserError: There is no such file.
    """
    look_in(folder)
    source = located(path)
    if not source.is_file():
        raise UserError(f"{kind} file is missing: got {path}; expected a Python file. Try its absolute path.")
    if source.absolute().parent == folder.absolute():
        return source.name
    name = _copys_name(source)
    if not (folder / name).is_file():
        copy_with_neighbors(source, folder / name)
    return name


def _copys_name(source: Path) -> str:
    return f"{source.stem}-{read_project(source, is_copy(source)).sha256[:8]}{source.suffix}"


def originals(path: Path) -> dict[str, str]:
    """Return the origins of the copies that `keep` makes of a file and of the neighbors that it imports.

    Args:
        path: The file; not a copy.

    Returns:
        Path of a copy, relative to the folder of copies -> absolute path of its original.
    """
    project, name = read_project(path, is_copy(path)), _copys_name(path)
    folder = neighbors_folder(Path(name))
    found = {name: str(path.absolute())}
    return found | {(folder / project.place(each)).as_posix(): str(file) for each, file in project.files.items()}


def copy_with_neighbors(source: Path, target: Path) -> list[Path]:
    """Copy a Python file; its neighbors go to a folder of the copy's name next to it.

    Args:
        source: The file.
        target: The copy; it is written last.

    Returns:
        All files that were written.
    """
    project = read_project(source, is_copy(source))
    folder = neighbors_folder(target)
    contents = {folder / project.place(name): project.sources[name] for name in project.files}
    if project.files:
        contents[folder / INDEX] = project.index().encode()
    contents[target] = project.sources[project.main]
    for path, content in contents.items():
        write_file(path, content)
    return list(contents)


def with_neighbors(path: Path) -> list[Path]:
    """Return a file and all that is copied with it: the files in a copy's index, or the neighbors that it imports."""
    project = read_project(path, is_copy(path))
    if project.is_copy:
        return [path, *copied_files(path)]
    return [path, *project.files.values()]


def code_sha256(path: Path) -> str:
    """Return the hash of a Python file; if it has neighbors, of all their contents and names."""
    return read_project(path, is_copy(path)).sha256
