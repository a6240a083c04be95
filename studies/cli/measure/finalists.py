"""The command `measure`: finalists on their device once more. Imports no torch by itself."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ....gan_models.files.plain_values import to_json
from ....search.configuration.flag_text import read_numbers
from ...run_options import DEVICE_COMMAND_HELP
from .. import options as opt


def measure(
    name: opt.Name,
    trials: Annotated[str, typer.Option(help="Numbers of the trials to measure: 3,7. [default: the front]")] = "",
    device_command: Annotated[str, typer.Option(help=f"{DEVICE_COMMAND_HELP} [default: this machine]")] = "",
    allow_busy: Annotated[
        bool,
        typer.Option("--allow-busy", help="Measure although the machine is busy; the record and the tables say so."),
    ] = False,
    storage: opt.Storage = opt.DEFAULT_STORAGE,
    artifacts: opt.Artifacts = None,
    as_json: opt.Json = False,
) -> None:
    """Measure the latency of a study's finalists again."""
    from ...api import Study

    numbers = read_numbers("--trials", trials, int) if trials else []
    found = Study.open(name, storage, artifacts).measure(numbers, device_command, allow_busy)
    if as_json:
        print(json.dumps(to_json(found), indent=1))
        return
    for each in found:
        print("\n".join(each.lines()))
    print(f"`ganprune show {name}:{found[0].trial}` shows all measurements" if found else "nothing was measured")
