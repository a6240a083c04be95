"""A generator as one ONNX file in float32.

The exporter over `torch.export` is used: the older one over TorchScript is deprecated, and it writes
InstanceNorm through a training-mode operator and several times as many nodes.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import onnx
import onnx.checker
import onnx.shape_inference
import torch
from onnx import helper, version_converter
from torch import Tensor, nn

from ..checkpoints.state_dicts import first
from ..files.atomic_files import written_beside
from ..files.errors import WorkFailed
from ..groups.surgery import copy_network
from .exporter import ExportJob, file_input
from .file_options import DEFAULT_OPSET
from .program import NoProgram, free_sizes
from .rewrites.catalog import REWRITES
from .rewriting import rewritten

FREE_THE_BATCH = ("constants", "modulated-convolution")  # rewrites
MODULATED = REWRITES.own["modulated-convolution"]
MIN_TORCH_OPSET = 18  # the least operator set that torch writes by itself


class NotWritable(WorkFailed):
    """A network that cannot be written as ONNX; the message gives the exporter's reason."""


def write(job: ExportJob, path: Path) -> tuple[str, ...]:
    """Write a network in float32; return lines for the card.

    Weights that are scaled per image fix the batch. If such convolutions can be rewritten, the file takes any batch.
    """
    try:
        write_onnx(job, path)
    except NotWritable as why:
        prepared, notes = _of_any_batch(job)
        if not notes:
            raise
        try:
            write_onnx(prepared, path)
        except NotWritable:
            raise why from None
        return notes
    return ()


def _of_any_batch(job: ExportJob) -> tuple[ExportJob, tuple[str, ...]]:
    """Return a job whose modulated convolutions have constant weights, and lines for the card; none if it has none."""
    if not job.free_batch:
        return job, ()
    try:
        prepared, notes = rewritten(job, FREE_THE_BATCH)
    except NoProgram:
        return job, ()
    return prepared, notes if MODULATED.title in " ".join(notes) else ()


def write_onnx(job: ExportJob, path: str | Path, optimize: bool = True) -> None:
    """Write a network in eval mode as one ONNX file; nothing is printed.

    Args:
        job: The network; a copy is exported, in float32 on the CPU.
        path: The file; folders are made, a file that is there is replaced once the new one is whole.
        optimize: Let the exporter fold constants, and BatchNorm into the weights before it. Without, every parameter
            is in the file as it is and under its own name.

    Raises:
        NotWritable: The network cannot be traced, needs an operation that ONNX lacks, or fixes its batch.
    """
    examples = tuple(file_input(x) for x in job.inputs)
    if job.free_batch:
        # Never traced with a batch of one: torch.export refuses to leave a 1 free, and the exporter would fall
        # back to ways that trace less faithfully.
        examples = tuple(x if len(x) > 1 else torch.cat([x, x]) for x in examples)
    _export(job, examples, Path(path), free_sizes(job), optimize)


def _export(job: ExportJob, examples: tuple[Tensor, ...], path: Path, dynamic: Any, optimize: bool) -> None:
    exported = copy_network(job.model).cpu().float().eval()
    if assigned := _assigned(exported, examples):
        raise NotWritable(
            f"{job.network} cannot be written as ONNX: its forward assigns the data of {first(assigned)}. "
            "Try to compute the value in forward, or by torch.nn.utils.parametrize"
        )
    with written_beside(path) as beside:
        try:
            with _quiet():
                torch.onnx.export(
                    exported,
                    examples,
                    beside,
                    dynamo=True,
                    input_names=list(job.names),
                    output_names=[job.output] if dynamic else None,
                    dynamic_shapes=dynamic,
                    external_data=False,
                    verbose=False,
                    optimize=optimize,
                    # The int8 file's graph is edited in the exporter's own set.
                    opset_version=max(job.opset or DEFAULT_OPSET, MIN_TORCH_OPSET) if optimize else None,
                )
            content = onnx.load(beside)
            if optimize:
                content = _in_opset(content, job)
            if dynamic and not all(x.type.tensor_type.shape.dim[0].dim_param for x in content.graph.input):
                raise NotWritable(
                    f"{job.network} cannot be written as ONNX for batches of any size: its forward fixes "
                    "the size. Try x.shape[0] instead of len(x)"
                )
            without_origin(content)
            if any(job.strides):
                _without_expressions(content.graph)
            helper.set_model_props(content, dict(job.facts))
            onnx.save(content, beside)
        except NotWritable:
            raise
        except Exception as error:  # the exporter raises many kinds
            cause = error.__cause__ or error
            lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
            raise NotWritable(
                f"{job.network} cannot be written as ONNX: {type(cause).__name__}: "
                f"{lines[0] if lines else 'no reason given'}"
            ) from error


def _in_opset(content: onnx.ModelProto, job: ExportJob) -> onnx.ModelProto:
    """Return a file in the operator set of a job: as it is if its operators are the same there, or converted.

    Raises:
        NotWritable: An operator has no form in the set that was asked for.
    """
    wanted, written = job.opset or DEFAULT_OPSET, {each.domain: each.version for each in content.opset_import}[""]
    if wanted == written:
        return content
    same = onnx.ModelProto()
    same.CopyFrom(content)
    for each in same.opset_import:
        if not each.domain:
            each.version = wanted
    reason = ""
    for make in (lambda: same, lambda: version_converter.convert_version(content, wanted)):
        try:
            found = make()
            onnx.checker.check_model(found, full_check=True)
        except Exception as error:  # the checker and the converter raise many kinds
            reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            continue
        return found
    if not job.opset:
        return content
    raise NotWritable(
        f"{job.network} cannot be written as ONNX of operator set {wanted}: {reason[:200]}. Try --opset {written}"
    )


def _assigned(network: nn.Module, examples: tuple[Tensor, ...]) -> list[str]:
    """Return the parameters whose data a forward replaces: the exporter does not refuse them, it ends the process."""
    before = {name: parameter.data_ptr() for name, parameter in network.named_parameters()}
    with torch.no_grad(), contextlib.suppress(Exception):  # the exporter says better why a network cannot run
        network(*examples)
    return [name for name, parameter in network.named_parameters() if parameter.data_ptr() != before[name]]


def _without_expressions(graph: onnx.GraphProto) -> None:
    """Take out sizes that are long expressions of the input's: of inner values, and of outputs if they divide."""
    graph.ClearField("value_info")
    for output in graph.output:
        for axis, size in enumerate(output.type.tensor_type.shape.dim):
            if "/" in size.dim_param:
                size.dim_param = f"{output.name}_{axis}"


def without_origin(message: Any) -> None:
    """Take out of an ONNX message, with all that is in it, where the exporter found each part; in place.

    That is the path and the text of source lines on the disk of the exporting machine, and more than half of a small
    file.

    Args:
        message: a model, a graph, a node, ...
    """
    for field, value in list(message.ListFields()):
        if field.name in ("metadata_props", "doc_string"):
            message.ClearField(field.name)
        elif field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                without_origin(part)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's warnings, log lines and printed graphs: nothing that a user could act on."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
