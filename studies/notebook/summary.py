"""A study in one line, and as its front in HTML."""

from __future__ import annotations

import base64
from collections import Counter
from html import escape

from ...gan_models.files.errors import UserError
from ..database.reader import StudyRecord
from ..results.outcome import Outcome, outcome_of
from ..results.plots import plot_front
from ..results.tables import columns, front_rows, remarks

MAX_LINE_CHARACTERS = 200  # characters of the line
MAX_UNBROKEN_CHARACTERS = 40  # characters of a cell that is not broken into lines


def line_of(record: StudyRecord) -> str:
    """Return a study in one line: what is searched, trials by state, and how many are on the front."""
    states = Counter(trial.state for trial in record.trials)
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    try:
        outcome = outcome_of(record)
        config = outcome.config
        said = f": {config.model} on {config.data_name}, budget {', '.join(config.budgets)}"
        front = f"; {len(outcome.front)} on the front"
    except UserError:  # of another program, or of a later version
        said, front = "", ""
    text = " ".join(f"{record.name!r}{said}; {len(record.trials)} trials ({counts or 'none yet'}){front}".split())
    return text if len(text) <= MAX_LINE_CHARACTERS else f"{text[: MAX_LINE_CHARACTERS - 3]}..."


def _unbroken(text: str) -> str:
    """Return a cell whose short text is not broken into lines: a number stays next to its interval."""
    return escape(text).replace(" ", "&nbsp;") if len(text) <= MAX_UNBROKEN_CHARACTERS else escape(text)


def html_of(outcome: Outcome) -> str:
    """Return a study's front in HTML: the plot, the table, and the remarks; everything is escaped."""
    parts = [f"<p><b>{escape(line_of(outcome.study))}</b></p>"]
    try:
        picture = base64.b64encode(plot_front(outcome)).decode()
        title = escape(f"{outcome.metric} against {outcome.cost}", quote=True)
        parts.append(f'<img alt="{title}" style="max-width:100%;width:760px" src="data:image/png;base64,{picture}">')
    except UserError as error:
        parts.append(f"<p>{escape(str(error))}</p>")
    rows = front_rows(outcome)
    shown = columns(rows, outcome)
    head = "".join(f"<th>{escape(column.head)}</th>" for column in shown)
    body = "".join(f"<tr>{''.join(f'<td>{_unbroken(column.cell(row))}</td>' for column in shown)}</tr>" for row in rows)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    parts.append(f'<div style="overflow-x:auto">{table}</div>')
    parts += [f"<p>{escape(line)}</p>" for line in remarks(outcome)]
    return "".join(parts)
