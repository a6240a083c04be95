"""The command that writes files to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..starters.catalog import STARTERS
from ..starters.new_files import write_new

Kind = Annotated[
    str,
    typer.Argument(
        help=f"Kind of file. {'. '.join(f'{kind}: {row.note}' for kind, row in STARTERS.items())}.", metavar="KIND"
    ),
]
Name = Annotated[str, typer.Argument(help="Name of the file without .py: lower case with underscores.", metavar="NAME")]


def new(kind: Kind, name: Name) -> None:
    """Write a working file of your own code, with its test, into this folder."""
    made = write_new(kind, name, Path())
    print(f"{made.code}: {made.starter.note}")
    print(f"{made.test}: its test. Run it with pytest {made.test}")
    print(f"use it: {made.usage}")
