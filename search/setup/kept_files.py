"""Copies that a study keeps of files it was given, so that workers and a resume have what was searched."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from ...gan_models.files.errors import UserError
from ...gan_models.files.hashes import file_sha256
from ..config import StudyConfig


def with_own_source(config: StudyConfig, folder: Path) -> StudyConfig:
    """Copy a generator's own file to the study's folder; return the configuration that names the copy.

    Raises:
        UserError: There is no such file.
    """
    path, _, function = config.model.rpartition(":")
    if not path.endswith(".py"):
        return config
    source = Path(path).expanduser()
    if not source.is_file():
        raise UserError(f"model {config.model!r}: {source} is not a file")
    digest = file_sha256(source)[:8]
    copy = folder / f"{source.stem}-{digest}.py"
    folder.mkdir(parents=True, exist_ok=True)
    if not copy.is_file():
        shutil.copyfile(source, copy)
    return replace(config, model=f"{copy}:{function}")
