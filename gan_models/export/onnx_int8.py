"""A generator as an ONNX file with 8-bit weights and activations that ONNX Runtime runs on integers.

The float file is exported first; then each quantized layer's weight becomes int8 with its scale, what it reads and
what a convolution gives go through QuantizeLinear and DequantizeLinear, with the scales that training used. ONNX
Runtime fuses these into integer convolutions. Our reconstruction.
"""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import onnx
import onnx_ir
import torch
from onnx import numpy_helper
from onnxscript.optimizer import fold_constants
from torch import nn

from ..files.atomic_files import write_json, written_beside
from ..files.errors import UserError
from ..groups.surgery import copy_network
from ..quantization.calibration import calibrate
from ..quantization.fake_quant import affine_grid, channel_axis, has_output_grid, quantized_layers, weight_scale
from ..quantization.settings import LayerRanges, Quantization, QuantSettings, Range
from .exporter import ExportJob, NoForm, calibration_batches
from .onnx_float import without_origin, write_onnx
from .onnx_graph import QuantizedGraph

TRAINED, CALIBRATED = "trained in 8 bits", "calibrated after training in float32"
QUANTIZATION = "quantisation.json"

INTEGER = (
    "QLinearConv", "ConvInteger", "QGemm", "QLinearMatMul", "MatMulInteger", "MatMulIntegerToFloat",
)  # fmt: skip
FLOAT = {
    "Conv": "convolution that was not fused with its quantizers",
    "FusedConv": "convolution that was not fused with its quantizers",
    "ConvTranspose": "transposed convolution: ONNX Runtime has no integer kernel for it on CPUs; its weights are int8",
    "Gemm": "linear that was not fused with its quantizers",
    "FusedGemm": "linear that was not fused with its quantizers",
    "MatMul": "matrix product that was not fused with its quantizers",
    "InstanceNormalization": "norm: it needs the statistics of each image",
    "BatchNormalization": "norm",
    "LayerNormalization": "norm: it needs the statistics of each image",
    "GroupNormalization": "norm: it needs the statistics of each image",
}
_PER_CHANNEL_OPERATORS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_LARGEST_BIAS = 2**30  # in steps of int32


def split_arithmetic(operators: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """Return the operators that compute on integers, and those that multiply or normalize in float32."""
    integer = {name: operators[name] for name in INTEGER if operators.get(name)}
    return integer, {name: operators[name] for name in FLOAT if operators.get(name)}


def arithmetic_lines(operators: Mapping[str, int]) -> tuple[str, ...]:
    """Return lines for people: what runs on integers, then what stays float and why."""
    integer, floating = split_arithmetic(operators)
    done = ", ".join(f"{n} {name}" for name, n in integer.items()) or "nothing"
    return (f"integer: {done}", *(f"float: {n} {name} ({FLOAT[name]})" for name, n in floating.items()))


def products_saturate() -> bool:
    """Return if this CPU adds pairs of 8-bit products in 16 bits, so that large ones are cut off (x86 without VNNI)."""
    if platform.machine().lower() not in ("x86_64", "amd64", "i686"):
        return False
    try:
        return "vnni" not in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return True


def check_exportable(settings: QuantSettings) -> None:
    """Raise ValueError unless integer arithmetic can compute what the settings simulate."""
    if settings.scheme == "published":
        raise UserError(
            "the published quantizer has 257 levels, one more than 8 bits hold: it is for reproducing GAN Slimming, "
            "and no int8 file can be made of it; train or calibrate with the signed scheme"
        )
    if settings.bits != 8:
        raise UserError(f"an int8 file needs 8 bits, the network has {settings.bits}")


def write(job: ExportJob, path: Path) -> tuple[str, ...]:
    """Write a network in 8 bits, its ranges next to it; calibrate them if training did not quantize it.

    Returns:
        The origin of the ranges.

    Raises:
        NoForm: There is nothing to quantize, or a layer cannot be found in the file.
        UserError: The settings cannot be computed on integers, or there is no data to calibrate with.
        RuntimeError: The network cannot be written as ONNX.
    """
    if not quantized_layers(job.model):
        raise NoForm("the network has no convolution or linear layer of torch.nn, so there is nothing to quantize")
    quantization, origin = job.quantization, TRAINED
    if quantization is None:
        check_exportable(job.settings)
        model = copy_network(job.model).cpu().float().eval()
        quantization, origin = calibrate(model, job.settings, calibration_batches(job)), CALIBRATED
    write_int8(replace(job, quantization=quantization), path)
    if not job.alone:
        write_json(path.parent / QUANTIZATION, quantization)
    return (origin,)


def write_int8(job: ExportJob, path: str | Path, unsigned: bool | None = None) -> None:
    """Write a quantized network as an ONNX file that computes what it does, to rounding.

    Biases become int32 in steps of (input's scale x weight's scale), far finer than any activation's.

    Args:
        job: The network with its quantization; layers without ranges stay float.
        path: The file.
        unsigned: Store weights as uint8 around 128: the same values, slower, exact where products saturate. None:
            where this CPU saturates and the settings do not avoid it by a reduced range.

    Raises:
        NoForm: A layer cannot be found in the file.
        UserError: The settings cannot be computed on integers.
        RuntimeError: The network cannot be written as ONNX.
    """
    assert job.quantization is not None
    check_exportable(job.quantization.settings)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "float.onnx"
        write_onnx(job, plain, optimize=False)
        _write_quantized(plain, job.model, job.quantization, Path(path), unsigned)


def _write_quantized(
    plain: Path, model: nn.Module, quantization: Quantization, path: Path, unsigned: bool | None
) -> None:
    if unsigned is None:
        unsigned = products_saturate() and not quantization.settings.reduce_range
    model_ir = onnx_ir.load(plain)
    fold_constants(model_ir)  # not the exporter's own optimizer, which folds BatchNorm into weights, too
    file = onnx_ir.to_proto(model_ir)
    graph = QuantizedGraph(file.graph)
    layers = quantized_layers(model)
    for name, entry in quantization.ranges.items():
        if name not in layers:
            raise RuntimeError(f"the ranges name a layer {name!r} that the network does not have")
        _quantize_layer(graph, name, layers[name], entry, quantization.settings, unsigned)
    graph.finish()
    without_origin(file)
    with written_beside(path) as beside:
        onnx.save(file, beside)


def stored_bytes(path: str | Path) -> int:
    """Bytes of the parameters in an int8 file: int8 weights and their scales, biases, and what stays float.

    Scales of activations, statistics of norms and constants of the graph are not parameters and are left out.
    """
    total = 0
    for tensor in onnx.load(path).graph.initializer:
        owner, _, leaf = tensor.name.rpartition(".")
        # Constants that the exporter makes have no dot; buffers and grids have other last names.
        if owner and leaf in ("weight_int", "weight_scale", "bias_int", "weight", "bias"):
            total += numpy_helper.to_array(tensor).nbytes
    return total


def _quantize_layer(
    graph: QuantizedGraph, name: str, module: nn.Module, ranges: LayerRanges, settings: QuantSettings, unsigned: bool
) -> None:
    weight, axis = module.get_parameter("weight").detach().cpu().float(), channel_axis(module)
    bias = module._parameters.get("bias")
    nodes = graph.consumers(f"{name}.weight")
    if not nodes or any(node.op_type not in _PER_CHANNEL_OPERATORS for node in nodes):
        raise NoForm(
            f"layer {name} ({type(module).__name__}) has no node of its own in the ONNX graph, so it cannot be put on "
            "a grid there"
        )
    input_scale, _ = _grid(ranges.input, settings)
    scale = weight_scale(weight, settings, axis)
    if bias is not None:
        # A channel without weights has no scale of its own; the bias must fit in int32 in any case.
        least = bias.detach().cpu().float().abs() / (input_scale * _LARGEST_BIAS)
        empty = weight.abs().movedim(axis, 0).flatten(1).amax(1) == 0
        if settings.per_channel:
            scale = torch.where(empty, torch.zeros(()), scale)
            scale = torch.maximum(torch.where(empty, scale.max().clamp(min=1e-8), scale), least)
        else:
            scale = torch.maximum(scale, least.max())
    integer = all(node.op_type in ("Conv", "Gemm") for node in nodes)
    graph.weight(name, weight, scale, axis, unsigned, folded=not integer)
    if bias is not None and integer:
        graph.bias(name, bias.detach().cpu().float(), scale * input_scale)
    for i, node in enumerate(nodes):
        if bias is None and len(node.input) > 2:
            del node.input[2:]  # zeros that the exporter adds
        graph.grid_before(node, f"{name}.input{i or ''}", *_grid(ranges.input, settings))
        if ranges.output is not None and has_output_grid(module, settings):
            graph.grid_after(node, f"{name}.output{i or ''}", *_grid(ranges.output, settings))


def _grid(values: Range, settings: QuantSettings) -> tuple[float, int]:
    scale, zero = affine_grid(torch.tensor(values[0]), torch.tensor(values[1]), settings)
    return float(scale), int(zero)
