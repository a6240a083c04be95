"""Scoreboards on screen, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from .board import Board, BoardRow

_ARROWS = {"lower": "↓", "higher": "↑"}
_NAMES = {"fid": "FID", "miou": "mIoU %"}
_CSV = (
    "data", "metric", "protocol", "method", "network", "published_gmacs", "exact_gmacs", "mparams", "value", "low",
    "high", "epochs", "evidence", "source", "note",
)  # fmt: skip


def rich_board(board: Board) -> Table:
    """Return a scoreboard as a table for the screen; a study's rows are marked by a star."""
    metric = f"{_NAMES.get(board.metric, board.metric)} {_ARROWS[board.better]}"
    table = Table(title=f"{board.data}, {board.protocol}", title_justify="left", caption=board.note or None)
    table.caption_justify = "left"
    for head in ("method", "network"):
        table.add_column(head, overflow="fold")
    for head in ("GMACs published", "GMACs exact", "Mparams", metric, "epochs"):
        table.add_column(head, justify="right")
    for head in ("evidence", "source"):
        table.add_column(head, overflow="fold")
    for row in board.rows:
        cells = [f"{row.method} *" if row.own else row.method, row.network]
        cells += [_number(row.published_gmacs), _number(row.exact_gmacs), _number(row.mparams), _value(row)]
        cells += ["" if row.epochs is None else f"{row.epochs:.0f}", row.evidence]
        cells += [f"{row.source} ({row.note})" if row.note else row.source]
        table.add_row(*(Text(cell, style="bold" if row.own else "") for cell in cells))
    return table


def remarks(board: Board) -> list[str]:
    """Return the reasons that a study, or some of its generators, are not on a board, one per line."""
    if board.unlike:
        return [f"not comparable with {board.protocol}: {board.unlike}"]
    return [f"not comparable: {line}" for line in board.left_out]


def boards_json(found: Sequence[Board]) -> list[dict[str, Any]]:
    """Return scoreboards as plain JSON; unknown numbers are null."""
    return [
        {
            "data": board.data,
            "metric": board.metric,
            "better": board.better,
            "protocol": board.protocol,
            "protocol_note": board.note,
            "not_comparable": board.unlike or None,
            "left_out": list(board.left_out),
            "rows": [_record(board, row) for row in board.rows],
        }
        for board in found
    ]


def csv_text(found: Sequence[Board]) -> str:
    """Return all rows of scoreboards as CSV with a header."""
    text = io.StringIO()
    writer: csv.DictWriter[str] = csv.DictWriter(text, _CSV, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_record(board, row) for board in found for row in board.rows)
    return text.getvalue()


def _record(board: Board, row: BoardRow) -> dict[str, Any]:
    return {"data": board.data, "metric": board.metric, "protocol": board.protocol} | asdict(row)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if value < 1 else f"{value:.2f}"


def _value(row: BoardRow) -> str:
    """Return a value with its interval; a dash if none was found in print."""
    if row.value is None:
        return "-"
    if row.low is None or row.high is None:
        return f"{row.value:.4g}"
    return f"{row.value:.4g} [{row.low:.4g}, {row.high:.4g}]"
