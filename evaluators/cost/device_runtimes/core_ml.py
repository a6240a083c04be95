"""Core ML as a runtime: zipped programs, on macOS alone."""

from __future__ import annotations

import tempfile
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime import Arrays, one_line_errors

TITLE = "Core ML"


class CoreMlSession:
    """A program, compiled by macOS for its CPU.

    Args:
        path: The archive.

    Raises:
        RuntimeUnavailable: The program cannot be loaded.
    """

    batch: int | None = 1

    def __init__(self, path: str | Path) -> None:
        coremltools: Any = import_module("coremltools")

        self.path = path
        self.folder = tempfile.TemporaryDirectory()
        with one_line_errors(TITLE, path):
            with zipfile.ZipFile(path) as archive:
                archive.extractall(self.folder.name)
            package = next(Path(self.folder.name).glob("*.mlpackage"))
            self.model: Any = coremltools.models.MLModel(str(package), compute_units=coremltools.ComputeUnit.CPU_ONLY)
            description = self.model.get_spec().description
            self.inputs = [each.name for each in description.input]
            self.outputs = [each.name for each in description.output]

    def __call__(self, *arrays: np.ndarray) -> Arrays:
        """Return every output of the program."""
        with one_line_errors(TITLE, self.path):
            found = self.model.predict(dict(zip(self.inputs, arrays, strict=True)))
            return tuple(np.asarray(found[name]) for name in self.outputs)


def open_file(source: str | Path, dtype: str, threads: int, device: str) -> CoreMlSession:
    """Open a program; macOS chooses the threads."""
    return CoreMlSession(source)
