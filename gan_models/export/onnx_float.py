"""A generator as one ONNX file, and how far ONNX Runtime's outputs are from PyTorch's.

The exporter over `torch.export` is used: the older one over TorchScript is deprecated, and it writes
InstanceNorm through a training-mode operator and several times as many nodes.
"""

import copy
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from ..files.atomic_files import written_beside
from ..files.errors import WorkFailed

INPUT, OUTPUT, BATCH = "input", "output", "batch"


def export_onnx(model: nn.Module, example: Tensor, path: str | Path, optimise: bool = True) -> None:
    """Write `model` in eval mode as one ONNX file whose batch size is free; nothing is printed.

    Args:
        model: one input tensor, one output tensor; not changed (a copy is exported, in float32 on the CPU).
        example: a batch (N, ...); the other sizes are fixed in the file.
        path: where; folders are made, a file that is there is replaced once the new one is whole.
        optimise: let the exporter fold constants, and BatchNorm into the weights before it; without, every
            parameter is in the file as it is and under its own name.

    Raises:
        RuntimeError: the network cannot be traced, needs an operation that ONNX lacks, or fixes its batch.
    """
    # Never traced with a batch of one: torch.export refuses to leave a 1 free, and the exporter would fall
    # back to ways that trace less faithfully.
    example = example.detach().cpu().float()
    example = example if len(example) > 1 else torch.cat([example, example])
    _write(model, (example,), Path(path), [INPUT], ({0: torch.export.Dim(BATCH)},), optimise)


def export_fixed(model: nn.Module, inputs: tuple[Tensor, ...], path: str | Path, optimise: bool = True) -> None:
    """Write `model` in eval mode as one ONNX file for inputs of exactly these sizes: what a latency is measured of.

    Args:
        model: any number of input tensors, one output tensor or several; not changed.
        inputs: one of each, batch included.
        path: as `export_onnx`.
        optimise: as `export_onnx`.

    Raises:
        RuntimeError: the network cannot be traced, or needs an operation that ONNX lacks.
    """
    examples = tuple(x.detach().cpu().float() for x in inputs)
    _write(model, examples, Path(path), [f"{INPUT}{i}" for i in range(len(examples))], None, optimise)


def _write(
    model: nn.Module,
    examples: tuple[Tensor, ...],
    path: Path,
    names: list[str],
    dynamic: tuple[dict[int, torch.export.Dim], ...] | None,
    optimise: bool,
) -> None:
    exported = copy.deepcopy(model).cpu().float().eval()
    with written_beside(path) as beside:
        try:
            with _quiet():
                torch.onnx.export(
                    exported,
                    examples,
                    beside,
                    dynamo=True,
                    input_names=names,
                    output_names=[OUTPUT] if dynamic else None,
                    dynamic_shapes=dynamic,
                    external_data=False,
                    verbose=False,
                    optimize=optimise,
                )
            content = onnx.load(beside)
            without_origin(content)
            onnx.save(content, beside)
        except Exception as error:  # the exporter raises many kinds
            cause = error.__cause__ or error
            lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
            raise WorkFailed(
                f"{type(model).__name__} cannot be written as ONNX: {type(cause).__name__}: "
                f"{lines[0] if lines else 'no reason given'}"
            ) from error


def without_origin(message: Any) -> None:
    """Takes out of an ONNX message, with all that is in it, where the exporter found each part; in place.

    That is the path and the text of source lines on the disk of whoever exported, and more than half of a small file.

    Args:
        message: a model, a graph, a node, ...
    """
    for field, value in list(message.ListFields()):
        if field.name in ("metadata_props", "doc_string"):
            message.ClearField(field.name)
        elif field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                without_origin(part)


def compare_onnx(path: str | Path, model: nn.Module, inputs: Tensor) -> float:
    """Largest absolute difference between ONNX Runtime's (CPU) and PyTorch's outputs on `inputs`.

    Args:
        path: a file of `export_onnx`.
        model: the network it was made from; run in eval mode where it lies, its mode is put back.
        inputs: a batch (N, ...) of the exported sizes.

    Returns:
        The difference, in the unit of the outputs; NaN if either side gives a NaN.

    Raises:
        RuntimeError: the file cannot be run, or the outputs differ in shape.
    """
    return float(onnx_difference(path, model, inputs).max())


def onnx_difference(path: str | Path, model: nn.Module, inputs: Tensor) -> Tensor:
    """Absolute difference at each output; arguments and errors as for `compare_onnx`."""
    theirs = run_onnx(path, inputs)
    ours = _run(model, inputs).cpu().float()
    if ours.shape != theirs.shape:
        raise WorkFailed(f"ONNX file {path} gives {tuple(theirs.shape)} where PyTorch gives {tuple(ours.shape)}")
    return (ours - theirs).abs()


def run_onnx(path: str | Path, inputs: Tensor) -> Tensor:
    """ONNX Runtime's (CPU) outputs on one batch. Raises RuntimeError: the file cannot be run."""
    return OnnxGenerator(path)(inputs)


class OnnxGenerator:
    """An ONNX file as a callable on tensors, run by ONNX Runtime on the CPU, by as many threads as PyTorch may use.

    Args:
        path: a file with one input and one output.

    Raises:
        RuntimeError: the file cannot be loaded, or, when called, run.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self.session = session_of(path)
        self.input = self.session.get_inputs()[0].name

    def __call__(self, inputs: Tensor) -> Tensor:
        """Outputs (N, ...) in float32 on the CPU."""
        feed = {self.input: inputs.detach().cpu().float().numpy()}
        with _one_line(self.path):
            return torch.from_numpy(self.session.run(None, feed)[0])


def session_of(path: str | Path, optimised: Path | None = None) -> Any:
    """An ONNX Runtime session on the CPU, with as many threads as PyTorch may use.

    Args:
        path: an ONNX file.
        optimised: where to write the graph that is really run; None: nowhere.

    Raises:
        RuntimeError: the file cannot be loaded.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    options.intra_op_num_threads = torch.get_num_threads()
    if optimised is not None:
        options.optimized_model_filepath = str(optimised)
    with _one_line(path):
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@contextmanager
def _one_line(path: str | Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # ONNX Runtime's errors have no common parent
        message = " ".join(str(error).split())
        raise WorkFailed(f"ONNX file {path} cannot be run: {message[:300]}") from error


def _run(model: nn.Module, inputs: Tensor) -> Tensor:
    parameter = next(model.parameters(), None)
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            return model(inputs if parameter is None else inputs.to(parameter.device, parameter.dtype))
    finally:
        for module, training in modes.items():
            module.training = training


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
