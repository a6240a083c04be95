"""The console of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_PLAIN_WIDTH = 240


def wide_console(stderr: bool = False) -> Console:
    """Return a console that does not wrap tables in a file or a pipe, and prints brackets literally."""
    from rich.console import Console

    console = Console(stderr=stderr, markup=False)
    return console if console.is_terminal else Console(stderr=stderr, markup=False, width=_PLAIN_WIDTH)
