"""Hashes of content: files, texts and JSON values."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any


def file_sha256(path: str | Path) -> str:
    """Return a file's sha256, hexadecimal.

    Raises:
        OSError: The file cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remembered_sha256(path: str | Path) -> str:
    """Return a file's sha256, hexadecimal, computed once per process unless its size or modification time changes.

    Raises:
        OSError: The file cannot be read.
    """
    known = Path(path).absolute()
    status = known.stat()
    return _remembered(known, status.st_size, status.st_mtime_ns)


@lru_cache(1 << 17)  # images of a large data set
def _remembered(path: Path, _size: int, _changed: int) -> str:
    return file_sha256(path)


def text_sha256(text: str) -> str:
    """Return a text's sha256, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def json_sha256(value: Any) -> str:
    """Return the sha256, hexadecimal, of a JSON value; the order of keys does not matter."""
    return text_sha256(json.dumps(value, sort_keys=True))
