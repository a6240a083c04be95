"""OpenVINO as a runtime: its intermediate representation on the CPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..fallbacks import Fallbacks, timed_fallbacks
from ..runtime import Arrays, RuntimeUnavailable, one_line_errors

TITLE = "OpenVINO"
PRECISIONS = {"float32": "f32", "float16": "f16", "int8": "f32"}  # of what is not quantized in the file itself


class OpenVinoSession:
    """A model, compiled for the CPU.

    Args:
        path: The `.xml` file, its `.bin` next to it.
        dtype: Data type of the arithmetic. Without it OpenVINO takes a smaller one if the processor has it.
        threads: Threads on the CPU.

    Attributes:
        batch: The only size of a batch that the model takes; None for any.

    Raises:
        RuntimeUnavailable: The file cannot be loaded.
    """

    def __init__(self, path: str | Path, dtype: str, threads: int) -> None:
        self.path = path
        with one_line_errors(TITLE, path):
            self.model = _compiled(path, dtype, threads)
            self.request = self.model.create_infer_request()
            first = self.model.inputs[0].get_partial_shape()[0]
        self.batch: int | None = None if first.is_dynamic else int(first.get_length())

    def __call__(self, *arrays: np.ndarray) -> Arrays:
        """Return every output of the model."""
        with one_line_errors(TITLE, self.path):
            found = self.request.infer([np.ascontiguousarray(array) for array in arrays])
            return tuple(np.array(found[output]) for output in self.model.outputs)

    def bind(self, *arrays: np.ndarray) -> Callable[[], object]:
        """Return a call on these inputs; it was made once already."""
        self(*arrays)
        return self.request.infer


def open_file(source: str | Path, dtype: str, threads: int, device: str) -> OpenVinoSession:
    """Open a model in a data type; the device is the CPU.

    Raises:
        RuntimeUnavailable: An unknown data type, or a file that cannot be loaded.
    """
    if dtype not in PRECISIONS:
        raise RuntimeUnavailable(f"OpenVINO has no such data type: got {dtype}; expected {', '.join(PRECISIONS)}")
    return OpenVinoSession(source, dtype, threads)


def operators(path: Path) -> Mapping[str, int]:
    """Return operator -> nodes that OpenVINO runs of a model on this CPU, after its own fusions.

    Raises:
        RuntimeUnavailable: The file cannot be loaded.
    """
    with one_line_errors(TITLE, path):
        nodes = _compiled(path, "float32", 1).get_runtime_model().get_ops()
        kinds = [node.get_rt_info()["layerType"].astype(str) for node in nodes]
    return dict(Counter(kind for kind in kinds if kind not in ("Const", "Input", "Output", "Parameter", "Result")))


def fallbacks(path: Path, dtype: str, arrays: Arrays) -> Fallbacks:
    """Return the operators for which OpenVINO has only a reference kernel on this CPU, by its own profile.

    Args:
        path: The file.
        dtype: Data type of the arithmetic.
        arrays: One batch of each input.

    Raises:
        RuntimeUnavailable: The file cannot be run.
    """
    with one_line_errors(TITLE, path):
        request = _compiled(path, dtype, 1, profiled=True).create_infer_request()
        request.infer([np.ascontiguousarray(array) for array in arrays])
        run = [each for each in request.get_profiling_info() if each.status == type(each.status).EXECUTED]
    nodes = ((each.node_type, each.real_time.total_seconds(), each.exec_type.startswith("ref")) for each in run)
    return timed_fallbacks("by reference kernels", nodes)


def _compiled(path: str | Path, dtype: str, threads: int, profiled: bool = False) -> Any:
    openvino: Any = import_module("openvino")

    core = openvino.Core()
    if dtype == "float16" and "FP16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise RuntimeUnavailable(
            "OpenVINO does not compute in float16 on this processor, and would run float32 under that name. Try "
            "--dtype float32"
        )
    options = {
        "INFERENCE_PRECISION_HINT": PRECISIONS[dtype],
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "PERF_COUNT": profiled,
    }
    return core.compile_model(str(path), "CPU", options)
