"""Atomic file writes: a reader, or a crash, leaves the old file or the new one, never a part."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import UserError
from .parsers.structured_text import parse_json
from .plain_values import to_json


@contextmanager
def written_beside(path: str | Path) -> Iterator[Path]:
    """Yield a new path next to `path` to write to; it is renamed to `path` at the end, and removed after an error.

    The folder is created. Content and rename are flushed to the disk, so that they survive a power loss.

    Raises:
        UserError: `path` is a folder.
        OSError: The folder cannot be created, or the file cannot be written.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise UserError(f"a file cannot be written: got {path}, a folder; expected the name of a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.stem}-{secrets.token_hex(8)}{path.suffix}")
    try:
        yield beside
        flush(beside)
        os.replace(beside, path)
        flush(path.parent)  # the rename itself
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_file(path: str | Path, content: bytes) -> Path:
    """Write a file atomically, and return its path."""
    path = Path(path).expanduser()
    with written_beside(path) as beside:
        beside.write_bytes(content)
    return path


def write_json(path: str | Path, value: Any) -> Path:
    """Write a value as a JSON file atomically (`plain_values.to_json`), and return its path."""
    return write_file(path, json.dumps(to_json(value), indent=1, allow_nan=False).encode())


def read_json(path: str | Path) -> dict[str, Any] | None:
    """Return the JSON object in a file; None if the file is missing or is not such JSON."""
    try:
        value = parse_json(Path(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def flush(path: Path) -> None:
    """Flush a file, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
