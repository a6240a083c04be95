"""Arrays of NumPy in files (`.npy`, `.npz`), read without unpickling.

NumPy parses a file's header as a literal of Python, and its readers raise a dozen kinds of exceptions on damaged files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np


def load_array(path: str | Path, mapped: bool = False) -> np.ndarray:
    """Return the array of an `.npy` file.

    Args:
        path: The file.
        mapped: Map the file into memory, and read only what is used.

    Raises:
        OSError: The file cannot be opened.
        ValueError: It is not a file of one array.
    """
    array = _loaded(lambda: np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False))
    if not isinstance(array, np.ndarray):
        array.close()
        raise ValueError("it contains several arrays; expected one")
    return array


def load_arrays(path: str | Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Return those of the named arrays that an `.npz` file contains.

    Raises:
        OSError: The file cannot be opened.
        ValueError: It is not a file of named arrays.
    """

    def read() -> dict[str, np.ndarray]:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: np.asarray(arrays[name]) for name in names if name in arrays}

    return _loaded(read)


def _loaded(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except OSError:
        raise
    except Exception as error:  # ValueError, EOFError, TokenError, SyntaxError, BadZipFile, MemoryError, ...
        text = " ".join(str(error).split())[:200]
        raise ValueError(f"it is not an array of NumPy, or damaged: {text or type(error).__name__}") from error
