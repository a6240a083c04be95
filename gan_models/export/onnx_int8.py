"""A generator as an ONNX file with 8-bit weights and activations that ONNX Runtime runs on integers.

The float file is exported first; then each quantised layer's weight becomes int8 with its scale, what it reads and
what a convolution gives go through QuantizeLinear and DequantizeLinear, with the scales that training used. ONNX
Runtime fuses these into integer convolutions. Our reconstruction.
"""

from __future__ import annotations

import copy
import platform
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import onnx_ir
import torch
from onnx import numpy_helper
from onnxscript.optimizer import fold_constants
from torch import Tensor, nn

from ..files.atomic_files import written_beside
from ..files.errors import UserError, WorkFailed
from ..quantization.calibration import calibrate
from ..quantization.fake_quant import affine_grid, channel_axis, has_output_grid, quantised_layers, weight_scale
from ..quantization.settings import LayerRanges, Quantisation, QuantSettings, Range
from .onnx_float import export_fixed, export_onnx, session_of, without_origin
from .onnx_graph import QuantisedGraph

INTEGER = (
    "QLinearConv", "ConvInteger", "QGemm", "QLinearMatMul", "MatMulInteger", "MatMulIntegerToFloat",
)  # fmt: skip
FLOAT = {
    "Conv": "convolution that was not fused with its quantisers",
    "FusedConv": "convolution that was not fused with its quantisers",
    "ConvTranspose": "transposed convolution: ONNX Runtime has no integer kernel for it on CPUs; its weights are int8",
    "Gemm": "linear that was not fused with its quantisers",
    "FusedGemm": "linear that was not fused with its quantisers",
    "MatMul": "matrix product that was not fused with its quantisers",
    "InstanceNormalization": "norm: it needs the statistics of each image",
    "BatchNormalization": "norm",
    "LayerNormalization": "norm: it needs the statistics of each image",
    "GroupNormalization": "norm: it needs the statistics of each image",
}
_MAPPED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_LARGEST_BIAS = 2**30  # in steps of int32


@dataclass(frozen=True)
class Arithmetic:
    """What ONNX Runtime computes on integers in its optimised graph, and what in float32.

    Attributes:
        integer: Operator -> nodes.
        floating: Operator -> nodes, of those that multiply or normalise.
    """

    integer: Mapping[str, int]
    floating: Mapping[str, int]

    @property
    def convolutions(self) -> int:
        """Integer convolutions."""
        return sum(n for name, n in self.integer.items() if "Conv" in name)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"integer": dict(self.integer), "floating": dict(self.floating)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Arithmetic:
        """What `to_json` wrote."""
        return cls(dict(data["integer"]), dict(data["floating"]))

    def lines(self) -> list[str]:
        """For people: what runs on integers, then what stays float and why."""
        done = ", ".join(f"{n} {name}" for name, n in self.integer.items()) or "nothing"
        return [f"integer: {done}"] + [f"float: {n} {name} ({FLOAT[name]})" for name, n in self.floating.items()]


def products_saturate() -> bool:
    """Whether this CPU adds pairs of 8-bit products in 16 bits, so that large ones are cut off (x86 without VNNI)."""
    if platform.machine().lower() not in ("x86_64", "amd64", "i686"):
        return False
    try:
        return "vnni" not in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return True


def check_exportable(settings: QuantSettings) -> None:
    """Raises ValueError unless integer arithmetic can compute what the settings simulate."""
    if settings.scheme == "published":
        raise UserError(
            "the published quantiser has 257 levels, one more than 8 bits hold: it is for reproducing GAN Slimming, "
            "and no int8 file can be made of it; train or calibrate with the signed scheme"
        )
    if settings.bits != 8:
        raise UserError(f"an int8 file needs 8 bits, the network has {settings.bits}")


def export_int8(
    model: nn.Module, quantisation: Quantisation, example: Tensor, path: str | Path, unsigned: bool | None = None
) -> None:
    """Write `model` as an ONNX file that computes what the quantised network does, to rounding.

    Biases become int32 in steps of (input's scale x weight's scale), far finer than any activation's.

    Args:
        model: float weights; not changed.
        quantisation: settings and ranges from training or calibration; layers without ranges stay float.
        example: as for `export_onnx`.
        path: where.
        unsigned: store weights as uint8 around 128: the same values, slower, exact where products saturate. None:
            where this CPU saturates and the settings do not avoid it by a reduced range.

    Raises:
        ValueError: the settings cannot be computed on integers.
        RuntimeError: the network cannot be written as ONNX, or its layers cannot be found in the file.
    """
    check_exportable(quantisation.settings)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "float.onnx"
        export_onnx(model, example, plain, optimise=False)
        _write_quantised(plain, model, quantisation, Path(path), unsigned)


def export_int8_fixed(model: nn.Module, inputs: tuple[Tensor, ...], path: str | Path) -> None:
    """Write `model` in 8 bits as one ONNX file for inputs of exactly these sizes: what a latency is measured of.

    Ranges are calibrated on these very inputs: no time depends on them.

    Args:
        model: any number of input tensors; not changed.
        inputs: one of each, batch included.
        path: where.

    Raises:
        ValueError: nothing in the network can be quantised.
        RuntimeError: as `export_int8`.
    """
    model = copy.deepcopy(model).cpu().float().eval()
    quantisation = calibrate(model, QuantSettings(per_channel=True), [inputs])
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "float.onnx"
        export_fixed(model, inputs, plain, optimise=False)
        _write_quantised(plain, model, quantisation, Path(path), None)


def _write_quantised(
    plain: Path, model: nn.Module, quantisation: Quantisation, path: Path, unsigned: bool | None
) -> None:
    if unsigned is None:
        unsigned = products_saturate() and not quantisation.settings.reduce_range
    model_ir = onnx_ir.load(plain)
    fold_constants(model_ir)  # not the exporter's own optimiser, which folds BatchNorm into weights, too
    file = onnx_ir.to_proto(model_ir)
    graph = QuantisedGraph(file.graph)
    layers = quantised_layers(model)
    for name, entry in quantisation.ranges.items():
        if name not in layers:
            raise RuntimeError(f"the ranges name a layer {name!r} that the network does not have")
        _quantise_layer(graph, name, layers[name], entry, quantisation.settings, unsigned)
    graph.finish()
    without_origin(file)
    with written_beside(path) as beside:
        onnx.save(file, beside)


def arithmetic(path: str | Path) -> Arithmetic:
    """What ONNX Runtime really runs of a file on this CPU, by its optimised graph. Raises RuntimeError."""
    with tempfile.TemporaryDirectory() as folder:
        optimised = Path(folder) / "optimised.onnx"
        session_of(path, optimised)
        nodes = Counter(node.op_type for node in onnx.load(optimised).graph.node)
    integer = {name: nodes[name] for name in INTEGER if nodes[name]}
    return Arithmetic(integer, {name: nodes[name] for name in FLOAT if nodes[name]})


def stored_bytes(path: str | Path) -> int:
    """Bytes of the parameters in an int8 file: int8 weights and their scales, biases, and what stays float.

    Scales of activations, statistics of norms and constants of the graph are no parameters and are left out.
    """
    total = 0
    for tensor in onnx.load(path).graph.initializer:
        owner, _, leaf = tensor.name.rpartition(".")
        # Constants that the exporter makes have no dot; buffers and grids have other last names.
        if owner and leaf in ("weight_int", "weight_scale", "bias_int", "weight", "bias"):
            total += numpy_helper.to_array(tensor).nbytes
    return total


def _quantise_layer(
    graph: QuantisedGraph, name: str, module: nn.Module, ranges: LayerRanges, settings: QuantSettings, unsigned: bool
) -> None:
    weight, axis = module.get_parameter("weight").detach().cpu().float(), channel_axis(module)
    bias = module._parameters.get("bias")
    nodes = graph.consumers(f"{name}.weight")
    if not nodes or any(node.op_type not in _MAPPED for node in nodes):
        raise WorkFailed(f"layer {name} cannot be found in the ONNX graph, so no int8 file can be made")
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
