"""An export format: the program of `torch.export` with its weights, one `.pt2` file."""

from __future__ import annotations

from pathlib import Path

from ganprune.gan_models.export.exporter import Exporter, ExportJob
from ganprune.gan_models.files.packages import Package


def write(job: ExportJob, path: Path) -> tuple[str, ...]:
    """Write the network in eval mode; the batch is free if the job says so."""
    import copy

    import torch
    from ganprune.gan_models.files.atomic_files import written_beside

    network = copy.deepcopy(job.model).cpu().float().eval()
    inputs, free = tuple(x.detach().cpu() for x in job.inputs), None
    if job.free_batch:
        inputs = tuple(x if len(x) > 1 else torch.cat([x, x]) for x in inputs)
        free = tuple({0: torch.export.Dim("batch")} for _ in inputs)
    with torch.no_grad():
        program = torch.export.export(network, inputs, dynamic_shapes=free)
    with written_beside(path) as beside, beside.open("wb") as file:
        torch.export.save(program, file)
    return (f"{len(program.graph.nodes)} nodes, made by torch {torch.__version__}",)


PT2 = Exporter(
    write, "generator.pt2", "torch-export", "PyTorch exported program", needs=(Package("torch"),), tolerance=1e-4
)
