"""The command `scoreboard`: published results next to a study's own. Imports no torch by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ....gan_models.files.texts.number_text import counted
from .. import options as opt
from ..console import wide_console
from ..help.completion import study_names


def scoreboard(
    name: Annotated[
        str,
        typer.Argument(
            help="Name of a study whose front is compared with the published results. [default: none]",
            metavar="STUDY",
            autocompletion=study_names,
            show_default=False,
        ),
    ] = "",
    data: Annotated[
        str,
        typer.Option(
            help="Set of images, such as horse2zebra; that of the study, if its folder has another name. "
            "[default: the study's, or all]"
        ),
    ] = "",
    rows: Annotated[
        list[Path] | None, typer.Option(help="CSV file of further published results; repeatable. [default: none]")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="CSV file of all rows shown. [default: none]")] = None,
    storage: opt.Storage = opt.DEFAULT_STORAGE,
    artifacts: opt.Artifacts = None,
    as_json: opt.Json = False,
) -> None:
    """Show published results, and a study's own where the protocol is the same."""
    from ....gan_models.files.atomic_files import write_file
    from ...scoreboard.board import boards, with_study
    from ...scoreboard.catalog import published_results
    from ...scoreboard.comparability import set_of
    from ...scoreboard.tables import boards_json, csv_text, remarks, rich_board

    results = published_results(tuple(rows or ()))
    found, others, own = boards(results, data), 0, data
    if name:
        from ...api import Study
        from ...results.outcome import outcome_of

        outcome = outcome_of(Study.open(name, storage, artifacts).record)
        own = set_of(outcome, data)
        every = tuple(with_study(board, outcome, data) for board in boards(results))
        found = tuple(board for board in every if board.data == own)
        others = len(every) - len(found)
    if csv is not None:
        write_file(csv, csv_text(found).encode())
    if as_json:
        shown = {"study": name or None, "data": own or None, "boards": boards_json(found)}
        print(json.dumps(shown, indent=1, allow_nan=False))
        return
    console = wide_console()
    for board in found:
        console.print(rich_board(board))
        for line in remarks(board):
            console.print(line, highlight=False)
    if name and not found:
        console.print(
            f"not comparable: no published result is on the images of study {name}, {own}. Try --data NAME if they are "
            "a published set",
            highlight=False,
        )
    elif others:
        console.print(f"{counted(others, 'other table')} of other images: ganprune scoreboard", highlight=False)
