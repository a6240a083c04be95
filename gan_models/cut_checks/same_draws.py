"""Random numbers in a network's forward pass, made equal in networks of any width."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

DRAWN_VALUE = 0.5
_DRAWS = frozenset(
    (
        "rand_like", "randn_like", "rand", "randn", "normal", "normal_", "normal_functional", "uniform", "uniform_",
        "bernoulli", "bernoulli_", "exponential_", "log_normal_", "cauchy_",
    )
)  # fmt: skip


class SameDraws(TorchDispatchMode):
    """A context in which all random draws are one number; otherwise a narrower network would draw other numbers.

    Only calls that return draws are changed; dropout, which is off in eval mode, is not.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__ in _DRAWS and isinstance(result, Tensor):
            result.fill_(DRAWN_VALUE)
        return result
