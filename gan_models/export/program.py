"""The program of a network as `torch.export` traces it: what most exporters convert."""

from __future__ import annotations

import warnings
from inspect import Parameter, signature
from typing import Any

import torch

from ..files.errors import WorkFailed
from ..groups.surgery import copy_network
from ..tracing.graph.trace_errors import silence
from .exporter import ExportJob, file_input

BATCH = "batch"
MAX_STRIDES = 2**15  # of a side, in strides


class NoProgram(WorkFailed):
    """A network of which `torch.export` can make no program; the message gives its reason."""


def trace(job: ExportJob) -> torch.export.ExportedProgram:
    """Return the program of a copy of the network in eval mode, on the CPU.

    Floating-point weights and inputs are in float32. The batch, and heights and widths, are free if the job says so.

    Raises:
        NoProgram: `torch.export` cannot trace the network.
    """
    network = copy_network(job.model).cpu().float().eval()
    inputs = tuple(file_input(x) for x in job.inputs)
    if job.free_batch:
        # Never traced with a batch of one: torch.export takes a 1 for a constant.
        inputs = tuple(x if len(x) > 1 else torch.cat([x, x]) for x in inputs)
    try:
        with torch.no_grad(), silence(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.export(network, inputs, dynamic_shapes=free_sizes(job))
    except Exception as error:  # torch raises many kinds
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise NoProgram(
            f"{job.network} cannot be written as a program: {type(error).__name__}: "
            f"{lines[0] if lines else 'no reason given'}"
        ) from error


def free_sizes(job: ExportJob) -> tuple[Any, ...] | None:
    """Return the free sizes of each input: its batch, and height and width if it has a stride; None for none at all."""
    if not job.free_batch and not any(job.strides):
        return None
    batch: dict[int, Any] = {0: torch.export.Dim(BATCH)} if job.free_batch else {}
    sides = [torch.export.Dim(name, min=2, max=MAX_STRIDES) for name in ("height", "width")]
    strides, axes = job.strides or (0,) * len(job.inputs), job.sides or ((2, 3),) * len(job.inputs)
    found = tuple(
        {**batch, **{axis: stride * side if stride > 1 else side for axis, side in zip(own, sides, strict=True)}}
        if stride
        else batch
        for stride, own in zip(strides, axes, strict=True)
    )
    kinds = [parameter.kind for parameter in signature(job.model.forward).parameters.values()]
    # torch.export takes the sizes of `*inputs` as those of one argument.
    return (found,) if Parameter.VAR_POSITIONAL in kinds[:1] else found
