"""Where the command line writes."""

from __future__ import annotations

from rich.console import Console

_PLAIN_WIDTH = 160


def wide_console(stderr: bool = False) -> Console:
    """A console that does not fold tables where nobody watches (a file, a pipe), and shows brackets as they are."""
    console = Console(stderr=stderr, markup=False)
    return console if console.is_terminal else Console(stderr=stderr, markup=False, width=_PLAIN_WIDTH)
