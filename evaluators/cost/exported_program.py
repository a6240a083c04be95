"""PyTorch as a runtime of `.pt2` files: programs of `torch.export`, without the network's own code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from .pytorch import torch_threads
from .runtime import Arrays, one_line_errors

TITLE = "torch.export"


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
        with one_line_errors(TITLE, path), path.open("rb") as file:
            self.call = torch.export.load(file).module()

    def __call__(self, *arrays: np.ndarray) -> Arrays:
        """Return the program's output."""
        with torch_threads(self.threads), torch.inference_mode(), one_line_errors(TITLE, self.path):
            return (self.call(*(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays)).numpy(),)


def operators(path: Path) -> Mapping[str, int]:
    """Return operator -> calls in a program.

    Raises:
        RuntimeUnavailable: This torch cannot load the file.
    """
    with one_line_errors(TITLE, path), path.open("rb") as file:
        nodes = torch.export.load(file).graph.nodes
    names = [str(node.target).split(".")[1] for node in nodes if isinstance(node.target, torch._ops.OpOverload)]
    return dict(Counter(names))


def open_program(source: str | Path, dtype: str, threads: int, device: str) -> ProgramSession:
    """Open a file; it runs on the CPU, in the data type of its weights."""
    return ProgramSession(Path(source), threads)
