"""Atomic folders: written under another name, then renamed."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .atomic_files import flush
from .errors import UserError


@contextmanager
def fresh_folder(out: str | Path, marker: str, overwrite: bool = False) -> Iterator[Path]:
    """Yield a new folder next to `out` to write to; it is renamed to `out` at the end, and removed after an error.

    Args:
        out: Path of the folder; its parents are created.
        marker: Name of a file in every folder of this kind. Only such a folder is overwritten, so that a mistyped path
            deletes no files.
        overwrite: True if a folder of this kind, or an empty one, may be replaced.

    Raises:
        UserError: `out` exists and may not be replaced.
    """
    out = Path(out).expanduser().absolute()
    if out.exists() or out.is_symlink():
        _check_replaceable(out, marker, overwrite)
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}")
    beside.mkdir()
    try:
        yield beside
        _flush(beside)
        _swap(beside, out)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _check_replaceable(out: Path, marker: str, overwrite: bool) -> None:
    if not overwrite:
        raise UserError(f"{out} exists. Try another name for --out, or --overwrite to replace it")
    if out.is_symlink() or not out.is_dir() or (any(out.iterdir()) and not (out / marker).is_file()):
        raise UserError(f"{out} was not written by an export: got a folder without {marker}. Try to remove it yourself")


def _swap(beside: Path, out: Path) -> None:
    if not out.exists():
        os.rename(beside, out)
        return
    old = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}.old")
    os.rename(out, old)
    try:
        os.rename(beside, out)
    except OSError:
        os.rename(old, out)  # the old folder is better than none
        raise
    shutil.rmtree(old, ignore_errors=True)


def _flush(folder: Path) -> None:
    """Flush all files of a folder: their content must be on the disk before the folder's new name is."""
    for path in [*(p for p in folder.rglob("*") if p.is_file()), folder]:
        flush(path)
