"""ONNX Runtime as a runtime: ONNX files on the CPU."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .fallbacks import Fallbacks, timed_fallbacks
from .runtime import Arrays, one_line_errors

TITLE = "ONNX Runtime"
CONVERSIONS = ("Cast", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")


class OnnxSession:
    """An ONNX file, loaded.

    Args:
        path: The file.
        threads: Threads of one operator; operators run one after the other.

    Attributes:
        batch: The only size of a batch that the file takes; None for any.

    Raises:
        RuntimeUnavailable: The file cannot be loaded.
    """

    def __init__(self, path: str | Path, threads: int) -> None:
        self.path = path
        with one_line_errors(TITLE, path):
            self.session = _session(path, threads)
        self.names = [entry.name for entry in self.session.get_inputs()]
        fixed = {entry.shape[0] for entry in self.session.get_inputs() if entry.shape}
        self.batch: int | None = next((size for size in fixed if isinstance(size, int)), None)

    def __call__(self, *arrays: np.ndarray) -> Arrays:
        """Return every output of the file."""
        with one_line_errors(TITLE, self.path):
            return tuple(self.session.run(None, self._feed(arrays)))

    def bind(self, *arrays: np.ndarray) -> Callable[[], object]:
        """Return a call on these inputs; it was made once already."""
        self(*arrays)
        feed, session = self._feed(arrays), self.session
        return lambda: session.run(None, feed)

    def _feed(self, arrays: Arrays) -> dict[str, np.ndarray]:
        return dict(zip(self.names, arrays, strict=True))


def open_session(source: str | Path, dtype: str, threads: int, device: str) -> OnnxSession:
    """Open a file of either data type; the device is the CPU."""
    return OnnxSession(source, threads)


def operators(path: Path) -> Mapping[str, int]:
    """Return operator -> nodes of the graph that ONNX Runtime makes of a file on this CPU.

    Raises:
        RuntimeUnavailable: The file cannot be loaded.
    """
    import onnx

    with tempfile.TemporaryDirectory() as folder, one_line_errors(TITLE, path):
        optimized = Path(folder) / "optimized.onnx"
        _session(path, 1, optimized)
        return dict(Counter(node.op_type for node in onnx.load(optimized).graph.node))


def fallbacks(path: Path, dtype: str, arrays: Arrays) -> Fallbacks:
    """Return the operators of a file in fewer bits that ONNX Runtime computes in float32, by its own profile.

    Args:
        path: The file.
        dtype: Data type that the file is for; nothing of a float32 file falls back on the CPU.
        arrays: One batch of each input.

    Raises:
        RuntimeUnavailable: The file cannot be run.
    """
    with tempfile.TemporaryDirectory() as folder, one_line_errors(TITLE, path):
        session = _session(path, 1, profile=Path(folder) / "profile")
        session.run(None, dict(zip((entry.name for entry in session.get_inputs()), arrays, strict=True)))
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    nodes = [(event["args"], event["dur"]) for event in events if event["name"].endswith("_kernel_time")]
    return timed_fallbacks(
        "in float32", ((args["op_name"], time, dtype != "float32" and _in_float32(args)) for args, time in nodes)
    )


def _in_float32(node: Mapping[str, Any]) -> bool:
    """Return if a node of a profile computes in float32; conversions between data types do not count."""
    if node["op_name"] in CONVERSIONS:
        return False
    kinds = {kind for each in node.get("input_type_shape", []) for kind in each}
    return "float" in kinds and not kinds & {"float16", "uint8", "int8"}


def _session(path: str | Path, threads: int, optimized: Path | None = None, profile: Path | None = None) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are raised
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    if optimized is not None:
        options.optimized_model_filepath = str(optimized)
    if profile is not None:
        options.enable_profiling, options.profile_file_prefix = True, str(profile)
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
