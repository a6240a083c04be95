"""Compute of training: multiply-accumulates of all forward and backward passes; a backward counts as two forwards.

Every operator of a pass is counted by `torch.utils.flop_counter`'s own formulas: convolutions, linear layers, products
of matrices, attention. Batches, optimizers and norms are not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ..reconstruction.layers.call_tape import tensors

BACKWARD = 2  # number of forward passes that a backward pass counts as
_GRADIENTS = ("backward", "grad")  # calls of the backward pass, which are counted with the forward pass


class _Operators(TorchDispatchMode):
    """A counter of the multiply-accumulates of every operator that runs."""

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        output = func(*args, **kwargs)
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None and not any(tensor.is_meta for tensor in tensors(output)):  # shapes alone cost nothing
            self.macs += formula(*args, **kwargs, out_val=output) // 2
        return output


class PassCount(TorchFunctionMode):
    """A context that counts the compute of all passes made in it.

    Attributes:
        macs: Exact multiply-accumulates; threefold for a forward pass with a gradient.
    """

    def __init__(self) -> None:
        super().__init__()
        self.macs, self._paused = 0, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self._paused or getattr(func, "__name__", "") in _GRADIENTS:
            return func(*args, **kwargs)
        with _Operators() as operators:
            output = func(*args, **kwargs)
        if operators.macs:
            trained = any(tensor.requires_grad for tensor in tensors(output))
            self.macs += operators.macs * (1 + BACKWARD * trained)
        return output

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Return a context in which nothing is counted."""
        self._paused += 1
        try:
            yield
        finally:
            self._paused -= 1


class RunCompute:
    """The compute of one training run.

    Steps of one kind have the same passes: the first of each kind is counted, and the others cost the same. Code marks
    passes that only some steps have (`charge`, `uncounted`).

    Args:
        macs: Multiply-accumulates before an interruption.
        unknown_steps: Number of steps of unknown compute; each is charged like the next step.

    Attributes:
        macs: Multiply-accumulates of all steps.
    """

    def __init__(self, macs: int = 0, unknown_steps: int = 0) -> None:
        self.macs, self._unknown = macs, unknown_steps
        self._of_kind: dict[Hashable, int] = {}
        self._count: PassCount | None = None

    @contextmanager
    def step(self, kind: Hashable) -> Iterator[None]:
        """Return the context of one step of a kind."""
        token = _RUNNING.set(self)
        try:
            if kind not in self._of_kind:
                with PassCount() as self._count:
                    yield
                self._of_kind[kind] = self._count.macs
            else:
                yield
        finally:
            self._count = None
            _RUNNING.reset(token)
        self.macs += self._of_kind[kind] * (1 + self._unknown)
        self._unknown = 0

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """Return a context of work that only some steps of a kind do."""
        if self._count is None:
            yield
        else:
            with self._count.paused():
                yield


_RUNNING: ContextVar[RunCompute | None] = ContextVar("running", default=None)


@contextmanager
def uncounted() -> Iterator[None]:
    """Return a context of passes that only some steps of a kind have: reading a batch, or passes charged separately."""
    running = _RUNNING.get()
    if running is None:
        yield
    else:
        with running.uncounted():
            yield


def charge(macs: int) -> None:
    """Add the compute of passes in an `uncounted` context to the current step, if there is one.

    Args:
        macs: Number of multiply-accumulates.
    """
    running = _RUNNING.get()
    if running is not None:
        running.macs += macs


class ChargedCalls:
    """A network that only some steps call: each pass is charged by the compute of one example.

    Args:
        network: The network, called without a gradient.
    """

    def __init__(self, network: Callable[..., Any]) -> None:
        self._network = network
        self._per_example: dict[tuple[tuple[int, ...], ...], int] = {}

    def __call__(self, *inputs: Any) -> Any:
        """Return the network's output for inputs [N, ...]."""
        shapes, n = tuple(tuple(x.shape[1:]) for x in inputs), len(inputs[0])
        with uncounted():
            if shapes not in self._per_example:
                with PassCount() as count:
                    output = self._network(*inputs)
                self._per_example[shapes] = count.macs // n
            else:
                output = self._network(*inputs)
        charge(n * self._per_example[shapes])
        return output
