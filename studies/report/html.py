"""One HTML file that tells what a study did and found; it needs no network and no other file."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from ...evaluators.measurement import Measurement
from ...gan_models.costs.catalog import COSTS, cost_of
from ...gan_models.files.atomic_files import write_file
from ...search.artifacts.study_folder import StudyFolder
from ...spaces.budget import describe
from ..bundles.trial_weights import ArtifactError
from ..database.reader import StudyRecord
from ..results.measurement_text import with_interval
from ..results.outcome import TEACHER, VERSION, Outcome, measurements_of, outcome_of
from ..results.plots import plot_front
from ..results.tables import Row, cells, front_rows, headings, remarks, teacher_row, trial_rows
from .image_grid import picture_grid

STYLE = """
:root { --line: #d9dde3; --soft: #f5f6f8; --quiet: #5b6470; --strong: #0a5c91 }
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1120px; margin: 0 auto; padding: 1.5em 1em 4em; color: #1d2228 }
h1 { margin: 0; font-size: 1.7em } h2 { margin: 2em 0 .6em; font-size: 1.2em } p { margin: .5em 0; max-width: 75ch }
.quiet { color: var(--quiet) } .note { background: #fff4d6; padding: .6em 1em; border-left: 4px solid #e0a800 }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: .8em; margin: 1.4em 0 }
.fact { border: 1px solid var(--line); border-radius: 8px; padding: .7em .9em }
.fact b { display: block; font-size: 1.35em; line-height: 1.25; overflow-wrap: anywhere }
.fact span { font-size: .85em }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; margin: .8em 0 }
table { border-collapse: collapse; font-size: 13px; width: 100%; font-variant-numeric: tabular-nums }
td, th { padding: .35em .7em; text-align: left; vertical-align: top; white-space: nowrap }
th { color: var(--quiet); font-weight: 600; background: var(--soft); border-bottom: 1px solid var(--line) }
tr + tr td { border-top: 1px solid var(--soft) } td.number, th.number { text-align: right }
td.text { white-space: normal; min-width: 12em; overflow-wrap: anywhere }
tr.front td:first-child { color: var(--strong); font-weight: 700 }
tr.teacher td { color: var(--quiet); font-style: italic }
img { display: block; width: 100%; height: auto } .pictures img { min-width: 760px }
code { background: var(--soft); padding: .1em .3em; border-radius: 4px; overflow-wrap: anywhere }
details { margin: .6em 0 } summary { cursor: pointer; font-weight: 600; font-size: 1.1em; padding: .3em 0 }
@media (max-width: 640px) { .spare { display: none } .pictures img { min-width: 620px } }
"""
SPARE = (*COSTS, "target")  # left out on a phone, which shows the share of the dense cost
TEXT = ("method", "state", "reason", "measurement", "unit", "protocol", "option", "value")  # columns of words


def write_report(study: StudyRecord, artifacts_root: str | Path, path: str | Path, pictures: bool = True) -> Path:
    """`report_html` as a file; its folder is made."""
    return write_file(path, report_html(study, artifacts_root, pictures).encode())


def report_html(study: StudyRecord, artifacts_root: str | Path, pictures: bool = True) -> str:
    """What was found first (the best trial, plot, front, pictures), then all trials, and how numbers were measured.

    Args:
        study: The study's record.
        artifacts_root: Folder of all studies' artifacts.
        pictures: Whether to run the generators for a grid of pictures; where their files or the data are not
            there, the report says so in the place of the grid.

    Raises:
        ValueError: The study has no configuration.
    """
    outcome = outcome_of(study)
    parts = [f'<p class="note"><b>{escape(outcome.note)}</b></p>'] if outcome.note else []
    parts += [_summary(outcome), _facts(outcome), "<h2>Quality against cost</h2>", _plot(outcome)]
    parts += ["<h2>Front</h2>", _table(front_rows(outcome), outcome)]
    parts += [f'<p class="quiet">{escape(line)}</p>' for line in remarks(outcome)]
    if pictures:
        parts += ["<h2>Pictures</h2>", _pictures(study, artifacts_root)]
    parts += ["<h2>All trials</h2>", '<p class="quiet">* on the front</p>', _table(trial_rows(outcome), outcome)]
    parts += ["<h2>Stopped and failed</h2>", _failures(outcome)]
    parts += ["<h2>Teacher</h2>", _teacher(outcome)]
    folder = StudyFolder(Path(artifacts_root), study.name)
    parts += [_folded("How the numbers were measured", _protocols(outcome))]
    parts += [_folded("Configuration", _configuration(outcome, folder))]
    title = f"ganprune: {escape(study.name)}"
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    head += f"<title>{title}</title><style>{STYLE}</style>"
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
        f'<p class="quiet">Quality is {escape(outcome.metric)}: lower is better.</p>'
    )


def _facts(outcome: Outcome) -> str:
    """What somebody who reads one line wants to know: the teacher, the best and the cheapest of the front."""
    teacher = teacher_row(outcome)
    facts = [("dense teacher", _number(teacher.quality), _cost(teacher))]
    front = front_rows(outcome)[1:]
    for name, row in (("best under the budget", front[-1:]), ("cheapest of the front", front[:1])):
        for r in row:
            over = outcome.over_when_measured(r.trial) if r.trial is not None else ""
            text = f"trial {r.trial}, {r.method}: {_cost(r)}" + (f"; {over}" if over else "")
            facts.append((name, _number(r.quality), text))
    volume = outcome.hypervolume()
    if volume is not None:
        facts.append(
            (f"gained over the {outcome.ladder_name}", f"{volume.gain:+.4f}", f"hypervolume {volume.front:.4f}")
        )
    found = [
        f'<div class="fact"><span class="quiet">{escape(name)}</span><b>{escape(value)}</b><span>{escape(text)}</span>'
        for name, value, text in facts
    ]
    return f'<div class="facts">{"</div>".join(found)}</div></div>'


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4g}"


def _cost(row: Row) -> str:
    cost = "" if row.cost is None else describe(row.cost, row.cost_name)
    return cost + ("" if row.share is None or row.trial is None else f", {100 * row.share:.1f} % of dense")


def _table(rows: Sequence[Row], outcome: Outcome) -> str:
    body = []
    for row in rows:
        kind = "teacher" if row.trial is None else "front" if row.front else ""
        body.append((kind, cells(row, outcome.metric)))
    return _html_table(headings(outcome), body)


def _html_table(heads: Iterable[str], body: Iterable[tuple[str, Iterable[str]]]) -> str:
    """A table that scrolls by itself where it is wider than the page; columns that no row fills are left out."""
    lines = [(kind, list(line)) for kind, line in body]
    shown = [(i, head) for i, head in enumerate(heads) if any(line[i] for _, line in lines)]

    def cell(tag: str, head: str, text: str) -> str:
        kind = "number" if head not in TEXT else "text" if len(text) > 40 else ""
        kind += " spare" if head in SPARE else ""
        return f'<{tag} class="{kind}">{escape(text)}</{tag}>' if kind else f"<{tag}>{escape(text)}</{tag}>"

    top = "".join(cell("th", head, head) for _, head in shown)
    rows = [
        f'<tr class="{kind}">' + "".join(cell("td", head, line[i]) for i, head in shown) + "</tr>"
        for kind, line in lines
    ]
    return f'<div class="wide"><table><tr>{top}</tr>\n' + "\n".join(rows) + "</table></div>"


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def _source(content: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def _plot(outcome: Outcome) -> str:
    try:
        wide, narrow = plot_front(outcome), plot_front(outcome, narrow=True)
    except ValueError as error:
        return f"<p>{escape(str(error))}</p>"
    text = escape(f"{outcome.metric} against {outcome.cost}")
    phone = f'<source media="(max-width: 640px)" srcset="{_source(narrow)}">'
    return f'<picture>{phone}<img alt="{text}" src="{_source(wide)}"></picture>'


def _pictures(study: StudyRecord, artifacts_root: str | Path) -> str:
    try:
        grid = picture_grid(study, artifacts_root)
    except (ArtifactError, ValueError, RuntimeError) as error:
        return f"<p>No pictures: {escape(str(error))}</p>"
    text = "inputs, targets, teacher and pruned generators"
    return f'<div class="wide pictures"><img alt="{text}" src="{_source(grid)}"></div>'


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
    lines += [("", (name, cost_of(name).named_unit, f"{value:.0f}")) for name, value in outcome.dense.items()]
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
