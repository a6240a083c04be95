"""One HTML file that tells what a study did and found; it needs no network and no other file."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from ..evaluators.measurement import Measurement
from ..search.artifacts import StudyFolder
from ..spaces.budget import UNITS
from .card import with_interval
from .outcome import TEACHER, VERSION, Outcome, measurements_of, outcome_of
from .pictures import picture_grid
from .plots import plot_front
from .reader import StudyRecord
from .tables import Row, cells, front_rows, headings, remarks, trial_rows
from .weights import ArtifactError

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: .8em 0; font-size: 13px } td, th { padding: .25em .7em; text-align: left }
tr:nth-child(even) { background: #f4f4f4 } th { border-bottom: 2px solid #888 } td { vertical-align: top }
tr.front td { font-weight: 600 } tr.teacher td { font-style: italic } img { max-width: 100% }
code { background: #f4f4f4 } h2 { margin-top: 1.6em; border-bottom: 1px solid #ccc }
"""


def write_report(study: StudyRecord, artifacts_root: str | Path, path: str | Path, pictures: bool = True) -> Path:
    """`report_html` as a file; its folder is made."""
    path = Path(path).expanduser()
    text = report_html(study, artifacts_root, pictures)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def report_html(study: StudyRecord, artifacts_root: str | Path, pictures: bool = True) -> str:
    """Configuration, teacher, front, plot, pictures, all trials, failures, and how each number was measured.

    Args:
        study: The study's record.
        artifacts_root: Folder of all studies' artifacts.
        pictures: Whether to run the generators for a grid of pictures; where their files or the data are not
            there, the report says so in the place of the grid.

    Raises:
        ValueError: The study has no configuration.
    """
    outcome = outcome_of(study)
    parts = [f"<p><b>{escape(outcome.note)}</b></p>"] if outcome.note else []
    parts += [_summary(outcome), "<h2>Front</h2>", _table(front_rows(outcome), outcome)]
    parts += [f"<p>{escape(line)}</p>" for line in remarks(outcome)]
    parts.append("<p>Quality is better when lower.</p>")
    parts += ["<h2>Quality against cost</h2>", _plot(outcome)]
    if pictures:
        parts += ["<h2>Pictures</h2>", _pictures(study, artifacts_root)]
    parts += ["<h2>All trials</h2>", "<p>* on the front</p>", _table(trial_rows(outcome), outcome)]
    parts += ["<h2>Stopped and failed</h2>", _failures(outcome)]
    parts += ["<h2>Teacher</h2>", _teacher(outcome)]
    parts += ["<h2>How the numbers were measured</h2>", _protocols(outcome)]
    parts += ["<h2>Configuration</h2>", _configuration(outcome, StudyFolder(Path(artifacts_root), study.name))]
    title = f"ganprune: {escape(study.name)}"
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    return (
        f"<!doctype html>\n<html lang=en><head>{head}</head>\n<body><h1>{title}</h1>\n"
        + "\n".join(parts)
        + "</body></html>\n"
    )


def _summary(outcome: Outcome) -> str:
    states = [trial.state for trial in outcome.study.trials]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(sorted(states))) or "no trial yet"
    config = outcome.config
    return (
        f"<p><b>{escape(config.model)}</b> on <b>{escape(config.data)}</b> ({escape(config.task)}, "
        f"{config.image_size} pixels), budget <b>{escape(', '.join(config.budgets))}</b> in {escape(outcome.cost)}; "
        f"methods {escape(', '.join(config.methods))}; {counts}.</p>"
    )


def _table(rows: Sequence[Row], outcome: Outcome) -> str:
    body = []
    for row in rows:
        kind = "teacher" if row.trial is None else "front" if row.front else ""
        body.append((kind, cells(row, outcome.metric)))
    return _html_table(headings(outcome), body)


def _html_table(heads: Iterable[str], body: Iterable[tuple[str, Iterable[str]]]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    lines = [
        f'<tr class="{kind}">' + "".join(f"<td>{escape(text)}</td>" for text in line) + "</tr>" for kind, line in body
    ]
    return f"<table><tr>{head}</tr>\n" + "\n".join(lines) + "</table>"


def _image(content: bytes, text: str) -> str:
    return f'<img alt="{escape(text)}" src="data:image/png;base64,{base64.b64encode(content).decode()}">'


def _plot(outcome: Outcome) -> str:
    try:
        return _image(plot_front(outcome), f"{outcome.metric} against {outcome.cost}")
    except ValueError as error:
        return f"<p>{escape(str(error))}</p>"


def _pictures(study: StudyRecord, artifacts_root: str | Path) -> str:
    try:
        return _image(picture_grid(study, artifacts_root), "inputs, targets, teacher and pruned generators")
    except (ArtifactError, ValueError, RuntimeError) as error:
        return f"<p>No pictures: {escape(str(error))}</p>"


def _failures(outcome: Outcome) -> str:
    ended = [row for row in trial_rows(outcome) if row.state in ("FAIL", "PRUNED") or (row.reason and not row.front)]
    if not ended:
        return "<p>None.</p>"
    return _html_table(
        ("trial", "method", "state", "reason"), [("", (str(r.trial), r.method, r.state, r.reason)) for r in ended]
    )


def _teacher(outcome: Outcome) -> str:
    teacher = outcome.study.attributes.get(TEACHER) or {}
    origin = teacher.get("origin", "not made yet")
    lines = [("", (m.name, m.unit, with_interval(m, 5))) for m in outcome.teacher]
    lines += [("", (name, UNITS[name], f"{value:.0f}")) for name, value in outcome.dense.items()]
    text = origin if isinstance(origin, str) else json.dumps(origin, sort_keys=True)
    return f"<p>{escape(text)}</p>" + _html_table(("measurement", "unit", "value"), lines)


def _protocols(outcome: Outcome) -> str:
    found: dict[tuple[str, str, str], Measurement] = {}
    for m in [*outcome.teacher, *(m for trial in outcome.study.trials for m in measurements_of(trial))]:
        found.setdefault((m.name, m.unit, m.protocol), m)
    lines = [("", key) for key in found]
    return _html_table(("measurement", "unit", "protocol"), lines) if lines else "<p>Nothing was measured yet.</p>"


def _configuration(outcome: Outcome, folder: StudyFolder) -> str:
    facts = {
        "made with ganprune": outcome.study.attributes.get(VERSION, ""),
        "artifacts": folder.path,
        "data sha256": (outcome.study.attributes.get(TEACHER) or {}).get("data", ""),
        "fingerprint": outcome.config.fingerprint(),
    }
    lines = [("", (name, str(value))) for name, value in facts.items() if value]
    lines += [("", (name, json.dumps(value))) for name, value in outcome.config.to_json().items()]
    return _html_table(("option", "value"), lines)
