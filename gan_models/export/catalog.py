"""The export formats by name, and the ones that are written by default. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..files.errors import UserError
from ..files.open_table import OpenTable
from ..files.packages import Package
from ..quantization.settings import Quantization
from .exporter import INPUT, Exporter, ExportJob

if TYPE_CHECKING:
    from torch import Tensor, nn

_PACKAGE = "ganprune.gan_models.export"
_ONNX_PACKAGES = (Package("onnx"), Package("onnxscript"))

INT8 = "onnx-int8"  # what the flag --int8 stands for
WEB_FLOAT, WEB_INT8 = "onnx", INT8  # what onnxruntime-web reads
FLOAT_FORMATS = ("onnx", "pt2")  # formats of the float32 network that run without its code
# For runtimes of phones: in this order, so that a norm is folded before its convolution is changed.
REWRITTEN_FORMATS = (
    "constants", "batch-norm", "modulated-convolution", "transposed-convolution", "padding", "instance-norm", "prelu",
    "pixel-shuffle", "upsampling",
)  # fmt: skip
QUANTIZED = "the outputs of this format are not float32's, so one step of 255 cannot be promised"
# Rows of the runtimes' rules, by what runs a file.
ON_ONNX, ON_LITERT = ("onnxruntime", "tensorrt"), ("litert", "litert-gpu")

EXPORTERS: OpenTable[Exporter] = OpenTable(
    "format",
    {
        "onnx": Exporter(
            f"{_PACKAGE}.onnx_float:write", "generator.onnx", "onnxruntime", "ONNX", needs=_ONNX_PACKAGES,
            rules=ON_ONNX, free_size=True, written="always",
        ),
        INT8: Exporter(
            f"{_PACKAGE}.onnx_int8:write", "generator-int8.onnx", "onnxruntime", "ONNX in 8 bits", needs=_ONNX_PACKAGES,
            dtype="int8", tolerance=None, examiner=f"{_PACKAGE}.int8_parity:examine", companions=("quantisation.json",),
            rules=ON_ONNX, trained_ranges=True, no_bytes=QUANTIZED, written="if quantized",
        ),
        "onnx-fp16": Exporter(
            f"{_PACKAGE}.onnx_half:write", "generator-fp16.onnx", "onnxruntime", "ONNX in half precision",
            needs=(*_ONNX_PACKAGES, Package("onnxruntime")), dtype="float16", tolerance=0.02, rules=ON_ONNX,
            free_size=True, no_bytes=QUANTIZED,
        ),
        "pt2": Exporter(
            f"{_PACKAGE}.exported_program:write", "generator.pt2", "exported-program", "PyTorch program",
            needs=(Package("torch"),), free_size=True,
        ),
        "litert": Exporter(
            f"{_PACKAGE}.devices.litert:write", "generator.tflite", "litert", "LiteRT",
            needs=(Package("litert_torch", "litert-torch", extra="litert"),), free_batch=False,
            rewrites=REWRITTEN_FORMATS, rules=ON_LITERT,
        ),
        "litert-int8": Exporter(
            f"{_PACKAGE}.devices.litert_int8:write", "generator-int8.tflite", "litert", "LiteRT in 8 bits",
            needs=(
                Package("litert_torch", "litert-torch", extra="litert"),
                Package("ai_edge_quantizer", "ai-edge-quantizer", extra="litert"),
            ),
            dtype="int8", tolerance=None, free_batch=False, rewrites=REWRITTEN_FORMATS, rules=ON_LITERT,
            no_bytes=QUANTIZED, examiner=f"{_PACKAGE}.devices.litert_int8:examine",
        ),
        "ncnn": Exporter(
            f"{_PACKAGE}.devices.ncnn:write", "generator-ncnn.param", "ncnn", "ncnn", parts=(".bin",),
            companions=("generator-ncnn.json",),
            needs=(Package("pnnx", extra="ncnn"),), rules=("ncnn",), free_batch=False, free_size=True,
            no_bytes="its tensors are in floating point, and its own Mat.from_pixels and substract_mean_normalize read "
            "bytes",
        ),
        "openvino": Exporter(
            f"{_PACKAGE}.devices.openvino:write", "generator-openvino.xml", "openvino", "OpenVINO", parts=(".bin",),
            needs=(Package("openvino", extra="openvino"),), rules=("openvino",), free_size=True,
        ),
        "coreml": Exporter(
            f"{_PACKAGE}.devices.core_ml:write", "generator-coreml.zip", "coreml", "Core ML",
            needs=(Package("coremltools", extra="coreml"),), rules=("coreml",), free_batch=False,
            no_bytes="it takes pictures as inputs of an image type of its own, which macOS alone can run and check",
            examiner=f"{_PACKAGE}.devices.core_ml:examine",
        ),
    },
    group="ganprune.exporters",
    row_type=Exporter,
    by_path=True,
)  # fmt: skip


def default_formats(quantization: Quantization | None) -> tuple[str, ...]:
    """Return the formats that are written by default.

    Args:
        quantization: How the network was trained in fewer bits; None for float32.
    """
    # The published quantizer has no integer form: only who asks for such a file is told so.
    quantized = quantization is not None and quantization.settings.scheme != "published"
    wanted = ("always", "if quantized") if quantized else ("always",)
    return tuple(name for name, exporter in EXPORTERS.usable() if exporter.written in wanted)


def check_formats(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of formats, each once, after all were found.

    Raises:
        UserError: One is not a row, or two write the same file.
    """
    unique = tuple(dict.fromkeys(names))
    files: dict[str, str] = {}
    for name in unique:
        exporter = EXPORTERS.find(name)
        for file in exporter.files:
            if file in files:
                raise UserError(f"formats {files[file]} and {name} both write {file}; choose one of them")
            files[file] = name
    return unique


def format_run_by(runtime: str, dtype: str = "float32") -> str | None:
    """Return the first format that a runtime runs in a data type; None if there is none."""
    return next((n for n, e in EXPORTERS.usable() if (e.runtime, e.dtype) == (runtime, dtype)), None)


def format_in(template: str) -> str | None:
    """Return the format whose name stands in braces in a command's template, as `{onnx}`; None if none does."""
    return next((name for name in EXPORTERS if f"{{{name}}}" in template), None)


def latency_writer(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Path], None]:
    """Return what writes a network in a format for inputs of fixed sizes: what a latency is measured of."""

    def write(model: nn.Module, inputs: tuple[Tensor, ...], path: Path) -> None:
        names = (INPUT,) if len(inputs) == 1 else tuple(f"{INPUT}{i}" for i in range(len(inputs)))
        EXPORTERS.find(name).write(ExportJob(model, inputs, names, free_batch=False, alone=True), path)

    return write
