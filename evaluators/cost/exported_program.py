"""PyTorch as a runtime of `.pt2` files: programs of `torch.export`, without the network's own code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from .pytorch import torch_threads
from .runtime import Arrays, RuntimeUnavailable


class ProgramSession:
    """A program on the CPU.

    Args:
        path: The file.
        threads: Threads of torch while it runs.

    Raises:
        RuntimeUnavailable: This torch cannot load the file.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self.path, self.threads = path, threads
        try:
            with path.open("rb") as file:
                self.call = torch.export.load(file).module()
        except Exception as error:  # torch raises many kinds
            raise self._unavailable(error) from error

    def __call__(self, *arrays: np.ndarray) -> Arrays:
        """Return the program's output."""
        with torch_threads(self.threads), torch.inference_mode():
            try:
                return (self.call(*(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays)).numpy(),)
            except Exception as error:  # torch raises many kinds
                raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> RuntimeUnavailable:
        return RuntimeUnavailable(f"torch.export cannot run {self.path}: {' '.join(str(error).split())[:300]}")


def open_program(source: str | Path, dtype: str, threads: int, device: str) -> ProgramSession:
    """Open a file; it runs on the CPU, in the data type of its weights."""
    return ProgramSession(Path(source), threads)
