"""A generator as an ONNX file in half precision, except for what overflows or loses there by measurement.

The float32 file is run on calibration inputs. An operator stays in float32 if a value that it reads, gives or sums up
is too large for half precision, or if rounding what it reads changes what it gives by more than a limit. If the whole
file still differs by more than the format allows, the limit is halved and the file is made again. Original to ganprune.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..files.atomic_files import written_beside
from ..files.errors import UserError
from .exporter import ExportJob, file_input
from .onnx_float import write as write_float

LARGEST_FLOAT16 = float(np.finfo(np.float16).max)
HEADROOM = 4.0  # other inputs may be as many times larger than those of the calibration
FIRST_LOSS, LAST_LOSS = (
    2.0**-6,
    2.0**-10,
)  # relative error of one operator's output; half precision alone rounds to 2^-11
TOLERANCE = 0.02  # of the largest output
N_BATCHES, N_EXAMPLES = 2, 4
# Operators whose inputs or outputs of these places are no tensors in half precision, whatever the others are.
FLOAT_INPUTS: Mapping[str, tuple[int, ...]] = {"Resize": (2,), "Upsample": (1,)}
SUMS = ("InstanceNormalization", "GroupNormalization", "LayerNormalization", "GlobalAveragePool")
ONLY_FLOAT = ("Constant", "ConstantOfShape", "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike")

Arrays = tuple[np.ndarray, ...]


@dataclass
class Measured:
    """Measurements of one operator on calibration inputs.

    Attributes:
        largest: Largest absolute value that it reads, gives or sums up.
        loss: Error of its output if what it reads is rounded to half precision, relative to the output.
    """

    largest: float = 0.0
    loss: float = 0.0

    def reason(self, limit: float) -> str:
        """Return the reason against half precision; empty if there is none."""
        if not self.largest * HEADROOM <= LARGEST_FLOAT16:
            return f"values up to {self.largest:.3g}"
        return "" if self.loss <= limit else f"relative error {self.loss:.2g}"


@dataclass
class _Graph:
    """A float32 file with the names of its float values."""

    model: onnx.ModelProto
    constants: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.constants = {each.name: numpy_helper.to_array(each) for each in self.model.graph.initializer}
        self.constants |= {
            node.output[0]: numpy_helper.to_array(attribute.t)
            for node in self.model.graph.node
            if node.op_type == "Constant"
            for attribute in node.attribute
            if attribute.name == "value"
        }


def write(job: ExportJob, path: Path) -> tuple[str, ...]:
    """Write a network in half precision; inputs and outputs stay in float32.

    Returns:
        The operators that stay in float32 with the reasons, and rewritten ones, as notes.

    Raises:
        NotWritable: The network cannot be written as ONNX.
    """
    batches = _batches(job)
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "float.onnx"
        notes = write_float(job, plain)
        graph = _Graph(onnx.load(plain))
    expected = [_run(graph.model, job.names, batch)[0] for batch in batches]
    measured = measure(graph, job.names, batches)
    scale, limit = max(1.0, *(float(np.abs(y).max()) for y in expected)), FIRST_LOSS
    while True:
        kept = {name: found.reason(limit) for name, found in measured.items() if found.reason(limit)}
        half = halved(graph, set(kept))
        found = [_run(half, job.names, batch)[0] for batch in batches]
        worst = max(float(np.abs(a - b).max()) for a, b in zip(found, expected, strict=True))
        if worst <= TOLERANCE / 2 * scale or limit <= LAST_LOSS:
            break
        limit /= 2
    with written_beside(path) as beside:
        helper.set_model_props(half, dict(job.facts))
        onnx.save(half, beside)
    return (*_notes(graph.model, kept), *notes)


def _batches(job: ExportJob) -> list[Arrays]:
    """Return calibration inputs in the form of the file; the job's own inputs if there are none."""
    n = N_EXAMPLES if job.free_batch else 1
    try:
        given: Iterable[tuple[Any, ...]] = [] if job.calibration is None else islice(job.calibration(), N_BATCHES)
        batches = [tuple(file_input(x[:n]).numpy() for x in batch) for batch in given]
    except UserError:  # the study's data is not available: nothing is fitted to it here, values are looked at
        batches = []
    sizes = [x.shape[1:] for x in job.inputs]
    if not job.strides and any([x.shape[1:] for x in batch] != sizes for batch in batches):
        batches = []
    return batches or [tuple(file_input(x[:n]).numpy() for x in job.inputs)]


def _notes(model: onnx.ModelProto, kept: Mapping[str, str]) -> tuple[str, ...]:
    nodes = {_name(i, node): node for i, node in enumerate(model.graph.node)}
    if not kept:
        return (f"all {len(nodes)} operators in half precision",)
    counts = Counter(nodes[name].op_type for name in kept)
    first = {nodes[name].op_type: reason for name, reason in reversed(list(kept.items()))}
    said = ", ".join(f"{n} {kind} ({first[kind]})" for kind, n in counts.items())
    return (f"{len(kept)} of {len(nodes)} operators stay in float32 by measurement: {said}",)


def measure(graph: _Graph, names: Sequence[str], batches: Sequence[Arrays]) -> dict[str, Measured]:
    """Return what each operator of a float32 file does on inputs: its largest values, and its loss in half precision.

    Args:
        graph: The file.
        names: Names of its inputs.
        batches: Of inputs.
    """
    found: dict[str, Measured] = {}
    for batch in batches:
        values = dict(zip(names, batch, strict=True)) | graph.constants | _values(graph.model, names, batch)
        for i, node in enumerate(graph.model.graph.node):
            reads = [values[name] for name in node.input if name in values and values[name].dtype == np.float32]
            gives = [values[name] for name in node.output if name in values and values[name].dtype == np.float32]
            if not gives or not reads or node.op_type in ONLY_FLOAT:
                continue
            entry = found.setdefault(_name(i, node), Measured())
            largest = [float(np.abs(x).max(initial=0)) for x in (*reads, *gives)]
            if node.op_type in SUMS or node.op_type.startswith("Reduce"):
                axes = tuple(range(2, reads[0].ndim)) or None
                largest.append(float(np.square(reads[0], dtype=np.float64).sum(axes).max(initial=0)))
            entry.largest = max(entry.largest, *largest)
            entry.loss = max(entry.loss, _loss(graph.model, node, values))
    return found


def _loss(model: onnx.ModelProto, node: onnx.NodeProto, values: Mapping[str, np.ndarray]) -> float:
    """Return the relative error of an operator's first output if its float inputs are rounded to half precision."""
    fixed = FLOAT_INPUTS.get(node.op_type, ())
    rounded = {
        name: values[name].astype(np.float16).astype(np.float32)
        if values[name].dtype == np.float32 and place not in fixed
        else values[name]
        for place, name in enumerate(node.input)
        if name
    }
    if any(not np.isfinite(x).all() for x in rounded.values() if x.dtype == np.float32):
        return float("inf")
    kind = {name: helper.np_dtype_to_tensor_dtype(x.dtype) for name, x in rounded.items()}
    single = helper.make_graph(
        [node],
        "single",
        [helper.make_tensor_value_info(name, kind[name], x.shape) for name, x in rounded.items()],
        [onnx.ValueInfoProto(name=name) for name in node.output if name],
    )
    content = helper.make_model(single, opset_imports=model.opset_import, ir_version=model.ir_version)
    (first, *_) = _run(content, list(rounded), tuple(rounded.values()))
    expected = values[node.output[0]]
    size = float(np.sqrt(np.square(expected, dtype=np.float64).mean())) if expected.size else 0.0
    error = float(np.sqrt(np.square(first - expected, dtype=np.float64).mean())) if expected.size else 0.0
    return error / size if size else 0.0 if not error else float("inf")


def halved(graph: _Graph, kept: set[str]) -> onnx.ModelProto:
    """Return a file in half precision.

    Args:
        graph: The float32 file; not changed.
        kept: Names of operators that stay in float32.
    """
    model = onnx.ModelProto()
    model.CopyFrom(graph.model)
    inside = model.graph
    is_float = {name: x.dtype == np.float32 for name, x in graph.constants.items()}
    is_float |= {each.name: each.type.tensor_type.elem_type == TensorProto.FLOAT for each in inside.input}
    types = {
        each.name: each.type.tensor_type.elem_type for each in onnx.shape_inference.infer_shapes(model).graph.value_info
    }
    types |= {each.name: each.type.tensor_type.elem_type for each in inside.output}
    is_half: set[str] = set()
    made: dict[tuple[str, bool], str] = {}
    nodes: list[onnx.NodeProto] = []
    results = {each.name for each in inside.output}

    def as_type(name: str, half: bool) -> str:
        """Return a value's name in one of the two types, cast if it is in the other."""
        if not name or not (name in is_half or is_float.get(name)) or (name in is_half) == half:
            return name
        if (name, half) not in made:
            made[name, half] = other = f"{name}_{'half' if half else 'float'}"
            if name in graph.constants and half:
                inside.initializer.append(numpy_helper.from_array(graph.constants[name].astype(np.float16), other))
            else:
                kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
                nodes.append(helper.make_node("Cast", [name], [other], name=f"{other}_cast", to=kind))
        return made[name, half]

    for i, node in enumerate(graph.model.graph.node):
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        gives_float = any(types.get(name) == TensorProto.FLOAT for name in node.output)
        half = gives_float and _name(i, node) not in kept and _can_be_half(node)
        fixed = FLOAT_INPUTS.get(node.op_type, ())
        for place, name in enumerate(node.input):
            copy.input[place] = as_type(name, half and place not in fixed)
        for place, name in enumerate(node.output):
            if half and name in results:
                copy.output[place] = f"{name}_half"
                is_half.add(f"{name}_half")
            elif half:
                is_half.add(name)
            elif types.get(name) == TensorProto.FLOAT:
                is_float[name] = True
        nodes.append(copy)
        if half:
            for name in set(node.output) & results:
                nodes.append(
                    helper.make_node("Cast", [f"{name}_half"], [name], name=f"{name}_cast", to=TensorProto.FLOAT)
                )
                is_float[name] = True
    inside.ClearField("node")
    inside.node.extend(nodes)
    inside.ClearField("value_info")
    read = {name for node in nodes for name in node.input} | results
    constants = [each for each in inside.initializer if each.name in read]
    inside.ClearField("initializer")
    inside.initializer.extend(constants)
    return model


def _can_be_half(node: onnx.NodeProto) -> bool:
    """Return if an operator can be in half precision: not if its values have a fixed type, or if it has a body."""
    has_body = any(
        attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for attribute in node.attribute
    )
    return node.op_type not in (*ONLY_FLOAT, "Cast", "CastLike") and not has_body


def _name(place: int, node: onnx.NodeProto) -> str:
    return f"{place}:{node.op_type}"


def _values(model: onnx.ModelProto, names: Sequence[str], batch: Arrays) -> dict[str, np.ndarray]:
    """Return every value that a file computes."""
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    outputs = {each.name for each in whole.graph.output}
    inner = [name for node in whole.graph.node for name in node.output if name and name not in outputs]
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inner)
    return dict(zip([*(each.name for each in whole.graph.output)], _run(whole, names, batch), strict=True))


def _run(model: onnx.ModelProto, names: Sequence[str], batch: Arrays) -> list[np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    taken = {each.name for each in session.get_inputs()}
    given = zip(names, batch, strict=True)
    return [np.asarray(y) for y in session.run(None, {name: x for name, x in given if name in taken})]
