"""Edits of an ONNX graph that quantize it: integer constants, and grids before and after nodes.

Ours, though ONNX Runtime quantizes files by itself: its calibration finds ranges of its own, and the file must have
those that training used. The edits are few and local, so that no rewriter of patterns is needed.
"""

from __future__ import annotations

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor


class QuantizedGraph:
    """Edits of an ONNX graph; nodes are put in order at the end."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.nodes: list[onnx.NodeProto] = list(graph.node)
        self.before: dict[int, list[onnx.NodeProto]] = {}
        self.after: dict[int, list[onnx.NodeProto]] = {}
        self.first: list[onnx.NodeProto] = []

    def consumers(self, tensor: str) -> list[onnx.NodeProto]:
        """Nodes that compute with a weight, through a transposition of it too; not those that ask for its shape."""
        found = []
        for node in self.nodes:
            if tensor in node.input and node.op_type != "Shape":
                found += self.consumers(node.output[0]) if node.op_type == "Transpose" else [node]
        return found

    def weight(self, name: str, weight: Tensor, scale: Tensor, axis: int, unsigned: bool, folded: bool) -> None:
        """Store a weight as integers; a dequantized one of the old name replaces it.

        Where the arithmetic is float (`folded`) that is a cast and a product, which ONNX Runtime computes once, when
        it loads the file; it would run a DequantizeLinear of a constant for every image.
        """
        shape = [1] * weight.ndim
        shape[axis] = -1
        steps = torch.round(weight / scale.reshape(shape if scale.ndim else ()))
        middle = 128 if unsigned else 0
        kind = np.uint8 if unsigned else np.int8
        if folded:
            self._constant(f"{name}.weight_int", steps.numpy().astype(np.int8))
            self._constant(f"{name}.weight_scale", scale.reshape(shape if scale.ndim else ()).numpy())
            self._remove(f"{name}.weight")
            real, names = f"{name}.weight_float", [f"{name}.weight_int", f"{name}.weight_scale"]
            self.first.append(helper.make_node("Cast", names[:1], [real], name=f"{real}_cast", to=TensorProto.FLOAT))
            self.first.append(helper.make_node("Mul", [real, names[1]], [f"{name}.weight"], name=f"{name}.weight_real"))
            return
        self._constant(f"{name}.weight_int", (steps + middle).numpy().astype(kind))
        self._constant(f"{name}.weight_scale", scale.numpy())
        self._constant(f"{name}.weight_zero", np.full(scale.shape, middle, kind))
        self._dequantized(name, "weight", scale.ndim, axis)

    def bias(self, name: str, bias: Tensor, scale: Tensor) -> None:
        """Store a bias as int32."""
        scale = scale.reshape(-1).expand(len(bias)) if scale.ndim else scale
        self._constant(f"{name}.bias_int", torch.round(bias.double() / scale.double()).numpy().astype(np.int32))
        self._constant(f"{name}.bias_grid", scale.numpy())
        self._constant(f"{name}.bias_zero", np.zeros(scale.shape, np.int32))
        self._dequantized(name, "bias", scale.ndim, 0)

    def grid_before(self, node: onnx.NodeProto, name: str, scale: float, zero: int) -> None:
        """Quantize an input of a node."""
        pair = self._pair(node.input[0], name, f"{name}_on_grid", scale, zero)
        node.input[0] = f"{name}_on_grid"
        self.before.setdefault(id(node), []).extend(pair)

    def grid_after(self, node: onnx.NodeProto, name: str, scale: float, zero: int) -> None:
        """Quantize an output of a node."""
        given = node.output[0]
        node.output[0] = f"{name}_off_grid"
        self.after.setdefault(id(node), []).extend(self._pair(node.output[0], name, given, scale, zero))

    def finish(self) -> None:
        """Write the nodes back, each after the nodes that it reads."""
        ordered = list(self.first)
        for node in self.nodes:
            ordered += [*self.before.get(id(node), []), node, *self.after.get(id(node), [])]
        read = {output.name for output in self.graph.output}
        kept = []
        for node in reversed(ordered):  # what made the zeros that stood in for a missing bias is read by none
            if read.intersection(node.output):
                read.update(node.input)
                kept.append(onnx.NodeProto.FromString(node.SerializeToString()))
        constants = [tensor for tensor in self.graph.initializer if tensor.name in read]
        for field, values in (("node", kept[::-1]), ("initializer", constants), ("value_info", [])):
            self.graph.ClearField(field)
            getattr(self.graph, field).extend(values)

    def _constant(self, name: str, value: np.ndarray) -> None:
        self.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name))

    def _dequantized(self, name: str, leaf: str, dimensions: int, axis: int) -> None:
        old = f"{name}.{leaf}"
        self._remove(old)
        scale = f"{name}.weight_scale" if leaf == "weight" else f"{name}.bias_grid"
        node = helper.make_node("DequantizeLinear", [f"{old}_int", scale, f"{old}_zero"], [old], name=f"{old}_real")
        if dimensions:
            node.attribute.append(helper.make_attribute("axis", axis))
        self.first.append(node)

    def _remove(self, name: str) -> None:
        for i, tensor in enumerate(self.graph.initializer):
            if tensor.name == name:
                del self.graph.initializer[i]
                break

    def _pair(self, given: str, name: str, result: str, scale: float, zero: int) -> list[onnx.NodeProto]:
        self._constant(f"{name}_scale", np.array(scale, np.float32))
        self._constant(f"{name}_zero", np.array(zero, np.uint8))
        grid = [f"{name}_scale", f"{name}_zero"]
        return [
            helper.make_node("QuantizeLinear", [given, *grid], [f"{name}_int"], name=f"{name}_quantize"),
            helper.make_node("DequantizeLinear", [f"{name}_int", *grid], [result], name=f"{name}_restore"),
        ]
