"""Copies that a study keeps of files it was given, so that workers and a resume have what was searched."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from ...gan_models.files.errors import UserError
from ...gan_models.files.hashes import file_sha256
from ..config import StudyConfig


def with_own_source(config: StudyConfig, folder: Path) -> StudyConfig:
    """Copy a user's own generator and task to the study's folder; return the configuration that names the copies.

    Raises:
        UserError: There is no such file.
    """
    return replace(config, model=_copied(config.model, "model", folder), task=_copied(config.task, "task", folder))


def _copied(reference: str, kind: str, folder: Path) -> str:
    """Return the reference of the copy of a file in `folder`; of anything but a file as it is."""
    path, _, name = reference.rpartition(":")
    if not path.endswith(".py"):
        return reference
    source = Path(path).expanduser()
    if not source.is_file():
        raise UserError(f"{kind} {reference!r}: {source} is not a file")
    copy = folder / f"{source.stem}-{file_sha256(source)[:8]}.py"
    folder.mkdir(parents=True, exist_ok=True)
    if not copy.is_file():
        shutil.copyfile(source, copy)
    return f"{copy}:{name}"
