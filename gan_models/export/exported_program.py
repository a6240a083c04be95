"""A generator as a program of `torch.export` with its weights, one `.pt2` file: runs in PyTorch without its code."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from ..files.atomic_files import written_beside
from ..files.errors import WorkFailed
from ..groups.surgery import copy_network
from ..tracing.graph.trace_errors import silence
from .exporter import ExportJob, file_input


class NoProgram(WorkFailed):
    """A network of which `torch.export` can make no program; the message gives its reason."""


def write(job: ExportJob, path: Path) -> tuple[str, ...]:
    """Write a network in eval mode and float32.

    Args:
        job: The network; the batch is free if the job says so, heights and widths are those of its inputs.
        path: The file; it is replaced once the new one is whole.

    Returns:
        The PyTorch version that wrote the program, as a note.

    Raises:
        NoProgram: `torch.export` cannot trace the network.
    """
    network, free = copy_network(job.model).cpu().float().eval(), None
    inputs = tuple(file_input(x) for x in job.inputs)
    if job.free_batch:
        # Never traced with a batch of one: torch.export takes a 1 for a constant.
        inputs = tuple(x if len(x) > 1 else torch.cat([x, x]) for x in inputs)
        free = tuple({0: torch.export.Dim("batch")} for _ in inputs)
    try:
        with torch.no_grad(), silence(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.export(network, inputs, dynamic_shapes=free)
    except Exception as error:  # torch raises many kinds
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise NoProgram(
            f"{type(job.model).__name__} cannot be written as a program: {type(error).__name__}: "
            f"{lines[0] if lines else 'no reason given'}"
        ) from error
    with written_beside(path) as beside, beside.open("wb") as file:
        torch.export.save(program, file)
    return (f"made by torch {torch.__version__}",)
