"""ncnn as a runtime: `.param` files, with `.bin` next to them, on the CPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime import Arrays, RuntimeUnavailable, one_line_errors

TITLE = "ncnn"
WEIGHTS = ".bin"
# Winograd with tiles of 6 is the one float32 option of ncnn that loses three digits in deep networks.
HALF = ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage", "use_winograd63_convolution")
DTYPES = ("float32", "float16")


class NcnnSession:
    """A network of ncnn, loaded; it has no batch axis and takes one example at a time.

    Args:
        path: The `.param` file.
        dtype: `float32` turns off what ncnn does in half precision by default.
        threads: Threads on the CPU.

    Raises:
        RuntimeUnavailable: The files cannot be loaded.
    """

    batch: int | None = 1

    def __init__(self, path: str | Path, dtype: str, threads: int) -> None:
        self.path = path
        with one_line_errors(TITLE, path):
            self.sizes = _sizes(Path(path))
            self.net = _network(Path(path), dtype, threads)
            self.inputs, self.outputs = _numbered(self.net.input_names()), _numbered(self.net.output_names())

    def __call__(self, *arrays: np.ndarray) -> Arrays:
        """Return every output of the network."""
        with one_line_errors(TITLE, self.path):
            return tuple(np.array(found)[None] for found in self._run(self._mats(arrays)))

    def bind(self, *arrays: np.ndarray) -> Callable[[], object]:
        """Return a call on these inputs; it was made once already."""
        self(*arrays)
        mats = self._mats(arrays)
        return lambda: self._run(mats)

    def _mats(self, arrays: Arrays) -> list[Any]:
        ncnn: Any = import_module("ncnn")

        for name, array in zip(self.inputs, arrays, strict=True):
            if len(array) != 1:
                raise ValueError(f"got a batch of {len(array)}; expected one example")
            # ncnn reads past the end of an input that is too small.
            expected = self.sizes.get(name, ())
            fits = [want in (0, side) for want, side in zip(expected, array.shape[1:], strict=False)]
            if expected and not (len(expected) == array.ndim - 1 and all(fits)):
                raise ValueError(f"input {name} has sizes {array.shape[1:]}; expected {expected}, 0 for any")
        kinds = {"i": np.int32, "u": np.int32}
        # A copy: ncnn reads the memory of what it is given, and Python may free it before.
        return [
            ncnn.Mat(np.ascontiguousarray(array[0], kinds.get(array.dtype.kind, np.float32))).clone()
            for array in arrays
        ]

    def _run(self, mats: list[Any]) -> list[Any]:
        extractor = self.net.create_extractor()
        for name, mat in zip(self.inputs, mats, strict=True):
            if extractor.input(name, mat):
                raise ValueError(f"input {name} is not taken")
        found = []
        for name in self.outputs:
            code, mat = extractor.extract(name)
            if code or mat.empty():
                raise ValueError(f"output {name} cannot be computed from inputs of these sizes")
            found.append(mat)
        return found


def open_file(source: str | Path, dtype: str, threads: int, device: str) -> NcnnSession:
    """Open a network in a data type; the device is the CPU.

    Raises:
        RuntimeUnavailable: An unknown data type, or files that cannot be loaded.
    """
    if dtype not in DTYPES:
        raise RuntimeUnavailable(f"ncnn has no such data type: got {dtype}; expected {' or '.join(DTYPES)}")
    return NcnnSession(source, dtype, threads)


def operators(path: Path) -> Mapping[str, int]:
    """Return layer -> how often it stands in the graph; inputs and copies for several readers are left out.

    Raises:
        RuntimeUnavailable: The file cannot be read.
    """
    with one_line_errors(TITLE, path):
        layers = [line.split()[0] for line in path.read_text(encoding="utf-8").splitlines()[2:] if line.strip()]
    return dict(Counter(layer for layer in layers if layer not in ("Input", "Split")))


def _sizes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return input -> its sizes without the batch, of a graph that says them; 0 for a free side."""
    found = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split()
        if words[:1] == ["Input"]:
            found[words[1]] = tuple(int(word.partition("=")[2]) for word in reversed(words[5:]))
    return found


def _network(path: Path, dtype: str, threads: int) -> Any:
    ncnn: Any = import_module("ncnn")

    net = ncnn.Net()
    net.opt.num_threads = threads
    for name in HALF:
        setattr(net.opt, name, dtype == "float16")
    # Text that is no graph ends the process inside ncnn; the magic number is the first line of every one.
    if path.read_text(encoding="utf-8", errors="replace").split("\n", 1)[0].strip() != "7767517":
        raise ValueError("it is not a graph of ncnn")
    if net.load_param(str(path)) or net.load_model(str(path.with_suffix(WEIGHTS))):
        raise ValueError("its graph or its weights cannot be loaded")
    return net


def _numbered(names: list[str]) -> list[str]:
    """Return `in0`, `in1`, ... by their numbers."""
    return sorted(names, key=lambda name: int("".join(filter(str.isdecimal, name)) or -1))
