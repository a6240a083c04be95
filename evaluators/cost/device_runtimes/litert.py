"""LiteRT as a runtime: `.tflite` files on the CPU, with XNNPACK."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..fallbacks import Fallbacks
from ..runtime import Arrays, one_line_errors

TITLE = "LiteRT"
DELEGATE = "DELEGATE"  # name of a part of the graph that XNNPACK runs


class LiteRtSession:
    """A LiteRT file, loaded; it takes one batch size, that of its inputs.

    Args:
        path: The file.
        threads: Threads on the CPU.

    Raises:
        RuntimeUnavailable: The file cannot be loaded.
    """

    def __init__(self, path: str | Path, threads: int) -> None:
        self.path = path
        with one_line_errors(TITLE, path):
            self.interpreter = _interpreter(path, threads)
            runner = self.interpreter.get_signature_runner()
            inputs, outputs = runner.get_input_details(), runner.get_output_details()
            self.inputs = [inputs[name] for name in sorted(inputs, key=_place)]
            self.outputs = [outputs[name] for name in sorted(outputs, key=_place)]
        self.batch: int | None = int(self.inputs[0]["shape"][0])

    def __call__(self, *arrays: np.ndarray) -> Arrays:
        """Return every output of the file."""
        with one_line_errors(TITLE, self.path):
            self._place(arrays)
            self.interpreter.invoke()
            return tuple(self.interpreter.get_tensor(each["index"]) for each in self.outputs)

    def bind(self, *arrays: np.ndarray) -> Callable[[], object]:
        """Return a call on these inputs; it was made once already."""
        self(*arrays)
        return self.interpreter.invoke

    def _place(self, arrays: Arrays) -> None:
        for each, array in zip(self.inputs, arrays, strict=True):
            self.interpreter.set_tensor(each["index"], np.ascontiguousarray(array, each["dtype"]))


def open_file(source: str | Path, dtype: str, threads: int, device: str) -> LiteRtSession:
    """Open a file of any data type; the device is the CPU."""
    return LiteRtSession(source, threads)


def operators(path: Path) -> Mapping[str, int]:
    """Return operator -> nodes of a file, as it is before XNNPACK takes its part.

    Raises:
        RuntimeUnavailable: The file cannot be loaded.
    """
    with one_line_errors(TITLE, path):
        details = _interpreter(path, 1, plain=True)._get_ops_details()
    return dict(Counter(each["op_name"] for each in details))


def fallbacks(path: Path, dtype: str, arrays: Arrays) -> Fallbacks:
    """Return the operators that XNNPACK does not take, by LiteRT's own plan; its Python package has no times.

    Args:
        path: The file.
        dtype: Data type of the file.
        arrays: One batch of each input; the plan does not depend on it.

    Raises:
        RuntimeUnavailable: The file cannot be loaded.
    """
    with one_line_errors(TITLE, path):
        nodes = _interpreter(path, 1)._get_ops_details()
    own = [node for node in nodes if node["op_name"] != DELEGATE]
    inside = _inside(own, [node for node in nodes if node["op_name"] == DELEGATE])
    outside = Counter(node["op_name"] for node in own if node["index"] not in inside)
    return Fallbacks("outside XNNPACK", outside, len(own))


def _inside(nodes: Sequence[Mapping[str, Any]], parts: Sequence[Mapping[str, Any]]) -> set[int]:
    """Return the nodes that the parts of a delegate replace: all between a part's outputs and its inputs."""
    maker = {int(tensor): node for node in nodes for tensor in node["outputs"]}
    found = set[int]()
    for part in parts:
        borders, waiting = {int(tensor) for tensor in part["inputs"]}, [int(tensor) for tensor in part["outputs"]]
        while waiting:
            tensor = waiting.pop()
            node = None if tensor in borders else maker.get(tensor)
            if node is not None and node["index"] not in found:
                found.add(node["index"])
                waiting += [int(each) for each in node["inputs"]]
    return found


def _interpreter(path: str | Path, threads: int, plain: bool = False) -> Any:
    litert: Any = import_module("ai_edge_litert.interpreter")

    resolvers = litert.OpResolverType
    kind = resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES if plain else resolvers.AUTO
    with _without_news():
        # From memory: the interpreter maps a file, and a file that is replaced then ends the process.
        interpreter = litert.Interpreter(
            model_content=Path(path).read_bytes(), num_threads=threads, experimental_op_resolver_type=kind
        )
        interpreter.allocate_tensors()
    return interpreter


@contextmanager
def _without_news() -> Iterator[None]:
    """Keep off the screen the line that LiteRT prints, past Python, when it has made its delegate."""
    sys.stderr.flush()
    saved = os.dup(2)
    with open(os.devnull, "wb") as sink:
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def _place(name: str) -> tuple[int, str]:
    """Return the place of an input or output by the number at its name's end."""
    number = name.rpartition("_")[2]
    return (int(number) if number.isdecimal() else -1, name)
