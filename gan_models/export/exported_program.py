"""A generator as a program of `torch.export` with its weights, one `.pt2` file: runs in PyTorch without its code."""

from __future__ import annotations

from pathlib import Path

import torch

from ..files.atomic_files import written_beside
from .exporter import ExportJob
from .file_facts import NAME, facts_json
from .program import trace


def write(job: ExportJob, path: Path) -> tuple[str, ...]:
    """Write a network, in eval mode and float32, as a program of `torch.export`.

    Args:
        job: The network; batch, heights and widths are free if the job says so.
        path: The file; it is replaced once the new one is whole.

    Returns:
        The PyTorch version that wrote the program, as a note.

    Raises:
        NoProgram: `torch.export` cannot trace the network.
    """
    program = trace(job)
    with written_beside(path) as beside, beside.open("wb") as file:
        torch.export.save(program, file, extra_files={NAME: facts_json(job.facts)})
    return (f"made by torch {torch.__version__}",)
