"""PyTorch as a runtime: a network as it is, or compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .runtime import Arrays, RuntimeUnavailable


class PyTorchSession:
    """A network in eval mode on a device.

    Args:
        model: The network; moved to the device and put into eval mode. In half precision it is a copy that runs.
        threads: Threads of torch while it runs.
        device: `cpu`, `cuda`.
        dtype: `float32` or `float16`.
    """

    def __init__(self, model: nn.Module, threads: int, device: str, dtype: str = "float32") -> None:
        self.half = dtype == "float16"
        self.model = deepcopy(model).half().eval().to(device) if self.half else model.eval().to(device)
        self.threads, self.device = threads, device
        self.forward: Callable[..., object] = self.model

    def __call__(self, *arrays: np.ndarray) -> Arrays:
        """Return the network's outputs on the CPU."""
        with torch_threads(self.threads), torch.inference_mode():
            outputs = self.forward(*self.placed(arrays))
            found = outputs if isinstance(outputs, tuple | list) else (outputs,)
            return tuple(output.float().cpu().numpy() for output in found if isinstance(output, Tensor))

    def bind(self, *arrays: np.ndarray) -> Callable[[], object]:
        """Return a call on inputs that lie on the device already."""
        placed, forward = self.placed(arrays), self.forward
        if self.half:
            _in_half(lambda: forward(*placed))
        return lambda: forward(*placed)

    def placed(self, arrays: Arrays) -> tuple[Tensor, ...]:
        """Return the inputs as tensors on the device."""
        tensors = (torch.from_numpy(np.ascontiguousarray(array)).to(self.device) for array in arrays)
        return tuple(x.half() if self.half and x.is_floating_point() else x for x in tensors)


class CompiledSession(PyTorchSession):
    """A network compiled by torch.compile for the sizes of its first inputs."""

    def bind(self, *arrays: np.ndarray) -> Callable[[], object]:
        """Return a call of the compiled network, compiled already."""
        placed, fast = self.placed(arrays), self.forward
        _compiling(lambda: fast(*placed))
        return lambda: fast(*placed)

    def __call__(self, *arrays: np.ndarray) -> Arrays:
        """Return the compiled network's outputs on the CPU."""
        return _compiling(lambda: super(CompiledSession, self).__call__(*arrays))


def open_eager(source: nn.Module, dtype: str, threads: int, device: str) -> PyTorchSession:
    """Open a network as it is, or a copy in half precision.

    Raises:
        RuntimeUnavailable: PyTorch has no such data type.
    """
    _check_dtype(dtype)
    return PyTorchSession(source, threads, device, dtype)


def open_compiled(source: nn.Module, dtype: str, threads: int, device: str) -> CompiledSession:
    """Open a network to be compiled.

    Raises:
        RuntimeUnavailable: torch.compile does not work here, or PyTorch has no such data type.
    """
    _check_dtype(dtype)
    torch.compiler.reset()  # else many shapes of one block count as recompilations, and torch gives up
    session = CompiledSession(source, threads, device, dtype)
    session.forward = _compiling(lambda: torch.compile(session.model, dynamic=False, fullgraph=True))
    return session


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let torch use a number of threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _check_dtype(dtype: str) -> None:
    if dtype not in ("float32", "float16"):
        raise RuntimeUnavailable(
            f"PyTorch runs generators in float32 or float16 here: got {dtype}; use --runtime onnxruntime"
        )


def _in_half(call: Callable[[], Any]) -> Any:
    """Return what a call gives; an operator that PyTorch has not in half precision on this device is one line."""
    try:
        return call()
    except RuntimeError as error:
        line = next((part.strip() for part in str(error).splitlines() if part.strip()), type(error).__name__)
        raise RuntimeUnavailable(
            f"PyTorch cannot run it in float16 here ({line[:200]}); use --dtype float32, or another runtime"
        ) from error


def _compiling(call: Callable[[], Any]) -> Any:
    """Return what a call that compiles gives; a compiler that fails is one line."""
    try:
        return call()
    except Exception as error:  # the compiler raises many kinds
        line = next((part.strip() for part in str(error).splitlines() if part.strip()), type(error).__name__)
        raise RuntimeUnavailable(
            f"torch.compile does not work here ({line[:200]}); install a C++ compiler, or use --runtime eager or "
            "onnxruntime"
        ) from error
