"""A generator as a Core ML program (`.mlpackage`, zipped), by coremltools: iPhones, iPads and Macs."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from ...files.atomic_files import written_beside
from ...files.errors import WorkFailed
from ..exporter import ExportJob, FileRunner, Findings, file_input
from ..program import trace
from .converter import converting

TITLE = "Core ML"
PACKAGE = "generator.mlpackage"  # the folder in the archive


def write(job: ExportJob, path: Path) -> tuple[str, ...]:
    """Write a network in float32, for one example at a time of exactly the inputs' sizes.

    Returns:
        The place of the package in the archive, as a note.

    Raises:
        NoProgram: `torch.export` cannot trace the network.
        NotConverted: Core ML has no form for one of its operators.
    """
    traced = trace(job)
    with converting(job.network, TITLE), tempfile.TemporaryDirectory() as folder:
        coremltools: Any = import_module("coremltools")
        program = traced.run_decompositions({})

        inputs = [
            coremltools.TensorType(name, tuple(x.shape), np.float32 if x.is_floating_point() else np.int32)
            for name, x in zip(job.names, map(file_input, job.inputs), strict=True)
        ]
        model: Any = coremltools.convert(
            program,
            inputs=inputs,
            outputs=[coremltools.TensorType(job.output)],
            convert_to="mlprogram",
            compute_precision=coremltools.precision.FLOAT32,
            minimum_deployment_target=coremltools.target.iOS16,
            skip_model_load=True,
        )
        model.user_defined_metadata.update(dict(job.facts))
        model.license = job.facts.get("license", "")
        package = Path(folder) / PACKAGE
        model.save(str(package))
        with written_beside(path) as beside, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(each for each in package.rglob("*") if each.is_file()):
                entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), (1980, 1, 1, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, file.read_bytes())
    return (f"the archive holds {PACKAGE}, for iOS 16, macOS 13 and later",)


def examine(path: Path, model: nn.Module, inputs: tuple[Tensor, ...], runner: FileRunner) -> Findings:
    """Return the operators of a program, after its inputs were compared with the network's; nothing is run.

    Raises:
        WorkFailed: The archive holds no program, or one of other inputs.
    """
    program = read_program(path)
    shapes = [tuple(each.type.multiArrayType.shape) for each in program.description.input]
    expected = [tuple(x[:1].shape) for x in inputs]
    if shapes != expected:
        raise WorkFailed(f"{path.name} takes {shapes}, the network {expected}")
    operators: Counter[str] = Counter()
    for function in program.mlProgram.functions.values():
        for block in function.block_specializations.values():
            operators.update(each.type for each in block.operations if each.type != "const")
    return Findings(
        summary=f"a program of {sum(operators.values())} operators, read again; its inputs are the network's",
        operators=dict(operators),
    )


def read_program(path: Path) -> Any:
    """Return the program in an archive, in the form of Core ML's protocol buffers; nothing is compiled.

    Raises:
        WorkFailed: There is none.
    """
    try:
        with tempfile.TemporaryDirectory() as folder, converting(path.name, TITLE):
            coremltools: Any = import_module("coremltools")
            with zipfile.ZipFile(path) as archive:
                archive.extractall(folder)
            return coremltools.models.MLModel(os.path.join(folder, PACKAGE), skip_model_load=True).get_spec()
    except (OSError, zipfile.BadZipFile) as error:
        raise WorkFailed(f"{path} holds no Core ML program: {' '.join(str(error).split())}") from error
