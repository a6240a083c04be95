"""Paths from a layer's output through additions and factors, as from a residual block's last layer to its skip.

Such a layer is fitted to the teacher's sum minus the student's own terms, divided by the branch's factor. It then also
corrects the errors of the student's trunk so far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .layers.call_tape import Call, Tape


@dataclass(frozen=True)
class Term:
    """A term that is added on the path.

    Attributes:
        source: The call that returns it, or -1 - i for input i of the network.
        factor: Its factor in the sum.
    """

    source: int
    factor: float


@dataclass(frozen=True)
class ResidualPath:
    """A sum of factor times the layer's output and terms that are known before the layer is called.

    Attributes:
        end: The call that returns the sum.
        factor: Factor of the layer's output in the sum.
        terms: All other terms of the sum.
    """

    end: int
    factor: float
    terms: tuple[Term, ...]


def residual_path(tape: Tape, start: int) -> ResidualPath | None:
    """Return the longest path from a call's output to a sum, whose other terms are known before the call.

    Args:
        tape: One pass of the network.
        start: Number of the layer's call.

    Returns:
        None if the output is not added to anything, or is also read elsewhere.
    """
    found: ResidualPath | None = None
    here, factor, terms = start, 1.0, ()
    while (users := tape.users.get(here, [])) and len(users) == 1 and users[0] < len(tape.calls):
        number = users[0]
        step = _step(tape.calls[number], here, tape.calls[here].output, start)
        if step is None:
            break
        scale, term = step
        factor *= scale
        terms = tuple(Term(one.source, one.factor * scale) for one in terms)
        if term is not None:
            terms = (*terms, term)
            if factor:
                found = ResidualPath(number, factor, terms)
        here = number
    return found


def _step(call: Call, here: int, value: Tensor, start: int) -> tuple[float, Term | None] | None:
    """Return a call's effect on an output: the factor that it is multiplied by, and the added term.

    None for any other call.
    """
    if not isinstance(call.output, Tensor) or not isinstance(value, Tensor) or call.output.shape != value.shape:
        return None
    if call.name in ("dropout", "contiguous", "clone", "detach", "identity"):
        return 1.0, None  # networks are in eval mode here
    if call.name not in _ARITHMETIC or len(call.args) < 2:
        return None
    own = [call.sources.get(id(one)) == here if isinstance(one, Tensor) else False for one in call.args[:2]]
    if own[0] == own[1]:
        return None
    other = call.args[1] if own[0] else call.args[0]
    sign, flipped = _ARITHMETIC[call.name]
    if sign is None:
        scalar = _scalar(other)
        divides = "div" in call.name
        if scalar is None or (divides and (not own[0] or not scalar)):
            return None
        return (1 / scalar if divides else scalar), None
    alpha = call.kwargs.get("alpha", 1)
    left, right = (sign * alpha, 1.0) if flipped else (1.0, sign * alpha)
    mine, others = (left, right) if own[0] else (right, left)
    if isinstance(other, int | float):
        return None
    source = call.sources.get(id(other)) if isinstance(other, Tensor) else None
    if source is None or source >= start or other.shape != value.shape:
        return None
    return float(mine), Term(source, float(others))


# Name -> (sign of the second operand, True if operands are swapped); a sign of None: a product or a quotient.
_PRODUCTS = ["mul", "imul", "rmul", "multiply", "div", "truediv", "itruediv", "true_divide", "divide"]
_ARITHMETIC: dict[str, tuple[int | None, bool]] = {
    **dict.fromkeys(["add", "iadd", "radd"], (1, False)),
    **dict.fromkeys(["sub", "isub", "subtract"], (-1, False)),
    "rsub": (-1, True),
    **dict.fromkeys(_PRODUCTS, (None, False)),
}


def _scalar(value: Any) -> float | None:
    """Return a plain number, or that of a tensor with one element; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    return float(value) if isinstance(value, Tensor) and value.numel() == 1 else None
