"""The command `push`: a bundle uploaded to the Hugging Face Hub. Imports no torch by itself."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

Bundle = Annotated[Path, typer.Argument(help="Folder that `ganprune export` wrote.", metavar="BUNDLE")]
Repository = Annotated[str, typer.Argument(help="Repository of the Hub.", metavar="USER/NAME")]


def push(
    bundle: Bundle,
    repository: Repository,
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    dry_run: Annotated[
        Path | None,
        typer.Option(help="New folder for what would be uploaded; nothing is uploaded. [default: none]"),
    ] = None,
) -> None:
    """Upload a bundle to the Hugging Face Hub."""
    from ...integrations.hub.repository import HubReference, push_repository, write_repository

    reference = HubReference.parse(repository)
    if dry_run is not None:
        folder = write_repository(bundle, dry_run)
        print(f"{folder} is what `ganprune push {bundle} {reference.name}` uploads")
        return
    with TemporaryDirectory() as place:
        print(push_repository(write_repository(bundle, Path(place) / "bundle"), reference, private))
