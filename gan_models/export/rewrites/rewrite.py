"""A rewrite: other operators instead of one call in a traced network, with the same outputs. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .call import Call, Replacement

Rewriter = Callable[["Call"], "Replacement | None"]


@dataclass(frozen=True)
class Rewrite:
    """One row of the rewrites.

    Attributes:
        rewriter: A function that returns what replaces a call, or None to leave it; or its name,
            `package.module:function`.
        title: The change for people.
        operators: The operators that it is given; empty for every one.
    """

    rewriter: str | Rewriter
    title: str
    operators: tuple[str, ...] = ()
