"""The command `rerun`: a trial trained again, compared with its record. Imports no torch by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ....gan_models.files.errors import UserError
from .. import options as opt
from ..help.completion import trial_references

Trial = Annotated[
    str,
    typer.Argument(help="The trial, as STUDY:NUMBER.", metavar="STUDY:TRIAL", autocompletion=trial_references),
]


def rerun(
    trial: Trial,
    out: Annotated[
        Path | None, typer.Option(help="New folder for the trained generator. [default: it is not kept]")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads; the trial had --cpus-per-trial.")] = 1,
    storage: opt.Storage = opt.DEFAULT_STORAGE,
    artifacts: opt.Artifacts = None,
    as_json: opt.Json = False,
) -> None:
    """Train a trial again by its seed, and compare it with its record."""
    from ...api import Study
    from ...rerun import rerun_trial
    from ...results.trial_page import trial_reference

    name, number = trial_reference(trial)
    if number is None:
        raise UserError(f"{trial} names no trial: got a study alone; expected STUDY:NUMBER. Try {trial}:0")
    found = rerun_trial(Study.open(name, storage, artifacts), number, out, threads)
    print(json.dumps(found.to_json(), indent=1, allow_nan=False) if as_json else "\n".join(found.lines()))
    if not found.equal:
        raise typer.Exit(1)
