"""Files of a user's own code that were edited after a study copied them: a resume runs the copies, and says so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..gan_models.files.hashes import file_sha256
from ..gan_models.files.texts.number_text import counted

OWN_FILES = "ganprune.own_files"  # path of a copy in the study's folder of copies -> the file that it was made of
MAX_NAMED_FILES = 8


def edited_note(study: str, origins: Mapping[str, str], copies: Path) -> str:
    """Return a note on the user's files that differ now from the study's copies; empty if none does.

    Files that are gone are not edited ones: a study continues without them.

    Args:
        study: The study's name.
        origins: As recorded under `OWN_FILES`; empty in records of earlier versions.
        copies: The study's folder of copies.
    """
    edited = sorted({_shown(origin) for copy, origin in origins.items() if _differs(Path(origin), copies / copy)})
    if not edited:
        return ""
    rest = f" and {counted(len(edited) - MAX_NAMED_FILES, 'other')}" if len(edited) > MAX_NAMED_FILES else ""
    changed, theirs = ("was", "its copy") if len(edited) == 1 else ("were", "its copies")
    return (
        f"{', '.join(edited[:MAX_NAMED_FILES])}{rest} {changed} edited since this study began, which continues with "
        f"{theirs}. To search with the edited code, give the options of the first search and another name: "
        f"--study {study}-2"
    )


def _shown(origin: str) -> str:
    """Return a file's path as a user types it: relative to the current folder if it is below."""
    path, here = Path(origin), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else origin


def _differs(origin: Path, copy: Path) -> bool:
    """Return True if both files are there and differ."""
    try:
        return origin.is_file() and copy.is_file() and file_sha256(origin) != file_sha256(copy)
    except OSError:  # a file of somebody else's
        return False
