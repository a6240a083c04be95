"""Where the command line writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_PLAIN_WIDTH = 240


def wide_console(stderr: bool = False) -> Console:
    """Return a console that folds no tables in a file or a pipe, and shows brackets as they are."""
    from rich.console import Console

    console = Console(stderr=stderr, markup=False)
    return console if console.is_terminal else Console(stderr=stderr, markup=False, width=_PLAIN_WIDTH)
