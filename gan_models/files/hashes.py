"""Hashes of content: files, texts and JSON values."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def file_sha256(path: str | Path) -> str:
    """Return a file's sha256, hexadecimal.

    Raises:
        OSError: The file cannot be read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_sha256(text: str) -> str:
    """Return a text's sha256, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def json_sha256(value: Any) -> str:
    """Return the sha256, hexadecimal, of a JSON value; the order of keys does not count."""
    return text_sha256(json.dumps(value, sort_keys=True))
