"""A rule of a runtime: operators that it does not run as one would wish, and where that is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..rewrites.call import Call

Kind = Literal["unsupported", "falls back", "slow", "inexact"]
KINDS: tuple[Kind, ...] = ("unsupported", "falls back", "slow", "inexact")  # the worst first


@dataclass(frozen=True)
class Rule:
    """One entry of a runtime's rules.

    Attributes:
        kind: `unsupported`: the converter or the runtime rejects it. `falls back`: it runs on a slower unit.
            `slow`: it runs there, and slower than its multiplications suggest. `inexact`: its outputs may be wrong.
        operators: Names of PyTorch's operators without namespace and overload, such as `conv2d`.
        text: The reason, as a part of a sentence.
        source: The address of the page that says so.
        when: Returns if the rule concerns a call; None for every call of the operators.
        dtypes: Data types of the file that it concerns; empty for all.
    """

    kind: Kind
    operators: tuple[str, ...]
    text: str
    source: str
    when: Callable[[Call], bool] | None = None
    dtypes: tuple[str, ...] = ()

    def concerns(self, call: Call, dtype: str) -> bool:
        """Return if the rule concerns a call in a file of a data type."""
        if self.dtypes and dtype not in self.dtypes:
            return False
        return operator_name(call) in self.operators and (self.when is None or self.when(call))


def operator_name(call: Call) -> str:
    """Return an operator's name without namespace and overload."""
    return call.operator.split(".")[1]


def is_computed(call: Call, name: str) -> bool:
    """Return if an argument is a tensor that depends on the network's inputs."""
    given = call.arguments.get(name)
    return hasattr(given, "op") and call.constant(given) is None


def differs_from(call: Call, name: str, usual: int) -> bool:
    """Return if any number of an argument, such as a dilation, is not the usual one."""
    given = call.arguments.get(name)
    return any(each != usual for each in (given if isinstance(given, list | tuple) else [given or usual]))
