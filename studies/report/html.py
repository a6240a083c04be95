"""One HTML file that tells what a study did and found; it needs no network and no other file.

The page is the template `page.html.jinja` next to this file, which escapes all values, with the style and the
script next to it. The script reads the study's data as JSON, and sets every text as text. The page's content security
policy names the hash of this script, so that no other one runs, and lets nothing be loaded but pictures in the page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...evaluators.measurement import Measurement
from ...gan_models.files.atomic_files import write_file
from ...search.artifacts.study_folder import StudyFolder
from ...spaces.budget import describe
from ..database.reader import StudyRecord
from ..results.measurement_text import with_interval
from ..results.outcome import TEACHER, VERSION, Outcome, measurements_of, outcome_of
from ..results.tables import Row, columns, front_rows, remarks, teacher_row, trial_rows
from .page_data import LiveView, page_data
from .page_parts import SCRIPT, STYLE, island, policy, read_part, template
from .page_pictures import PagePictures, page_pictures

TEXT = (
    "method",
    "state",
    "reason",
    "measurement",
    "unit",
    "better",
    "protocol",
    "note",
    "option",
    "value",
)  # columns of words
MIN_BROKEN_CHARACTERS = 40  # characters from which a text may be broken into lines


def write_report(
    study: StudyRecord, artifacts_root: str | Path, path: str | Path, pictures: bool = True, storage: str = ""
) -> Path:
    """Write `report_html` as a file; its folder is made."""
    return write_file(path, report_html(study, artifacts_root, pictures, storage).encode())


def report_html(
    study: StudyRecord,
    artifacts_root: str | Path,
    pictures: bool = True,
    storage: str = "",
    live: LiveView | None = None,
) -> str:
    """Return the page: what was found (the best trial, front, pictures), all trials, how numbers were measured.

    Args:
        study: The study's record.
        artifacts_root: Folder of all studies' artifacts.
        pictures: Show the pictures that trainings kept; of a study of an earlier version the generators run for them.
            If files or data are not there, the report says so in their place.
        storage: The database as commands take it, without a password; empty for the default.
        live: How the page follows a search; None for a file.

    Raises:
        ValueError: The study has no configuration.
    """
    outcome = outcome_of(study)
    states = [trial.state for trial in study.trials]
    folder = StudyFolder(Path(artifacts_root), study.name)
    found = (
        page_pictures(outcome, Path(artifacts_root)) if pictures else PagePictures(missing="they were not asked for.")
    )
    shown = replace(page_data(outcome, storage), strips=found.strips, titles=found.titles, live=live)
    own = Path(__file__).parent
    style, script = read_part(own, STYLE), read_part(own, SCRIPT)
    return template(own).render(
        study=study.name,
        note=outcome.note,
        config=outcome.config,
        cost=outcome.cost,
        metric=outcome.metric,
        better=outcome.better,
        split=outcome.split,
        selects=outcome.selects,
        counts=", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(sorted(states))) or "no trial yet",
        facts=facts_of(outcome),
        policy=policy(script, "'none'" if live is None else "'self'"),
        style=style,
        script=script,
        data=island(shown),
        front=_trials(front_rows(outcome), outcome),
        remarks=remarks(outcome),
        pictures_missing=found.missing,
        pictures_note=found.note,
        ended=_ended(outcome),
        origin=_origin(outcome),
        teacher=_teacher(outcome),
        protocols=_protocols(outcome),
        configuration=_configuration(outcome, folder),
    )


@dataclass(frozen=True)
class Fact:
    """A number at the top of the page, with its name and a line about it."""

    name: str
    value: str
    text: str


@dataclass(frozen=True)
class Cell:
    """A text, and the classes by which the page's style shows it."""

    text: str
    kind: str


@dataclass(frozen=True)
class Line:
    """A row of a table; `kind` is `front`, `teacher` or empty."""

    kind: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class TableView:
    """A table as the page shows it; columns that no row fills are left out."""

    heads: tuple[Cell, ...]
    rows: tuple[Line, ...]


def facts_of(outcome: Outcome) -> list[Fact]:
    """Return the teacher, the best and the cheapest of the front, and what was gained over the ladder."""
    teacher = teacher_row(outcome)
    facts = [Fact("dense teacher", _number(teacher.quality), _cost(teacher))]
    front = [row for row in front_rows(outcome) if row.trial is not None]
    for name, rows in (("best under the budget", front[-1:]), ("cheapest of the front", front[:1])):
        for row in rows:
            over = outcome.over_when_measured(row.trial) if row.trial is not None else ""
            test = "" if row.gap is None else f"; {_number(row.gap.test.value)} on the test split"
            text = f"trial {row.trial}, {row.method}: {_cost(row)}{test}" + (f"; {over}" if over else "")
            facts.append(Fact(name, _number(row.quality), text))
    volume = outcome.hypervolume()
    if volume is not None:
        gained = f"gained over the {outcome.ladder_name}"
        facts.append(Fact(gained, f"{volume.gain:+.4f}", f"hypervolume {volume.front:.4f}"))
    return facts


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4g}"


def _cost(row: Row) -> str:
    cost = "" if row.cost is None else describe(row.cost, row.cost_name)
    return cost + ("" if row.share is None or row.trial is None else f", {100 * row.share:.1f} % of dense")


def _trials(rows: Sequence[Row], outcome: Outcome) -> TableView:
    """Return a table of trials."""
    shown = columns(rows, outcome)
    lines = [
        ("teacher" if row.trial is None else "front" if row.front else "", [column.cell(row) for column in shown])
        for row in rows
    ]
    return _table([column.head for column in shown], lines, [column.head for column in shown if column.spare])


def _table(heads: Sequence[str], lines: Iterable[tuple[str, Sequence[str]]], spare: Sequence[str] = ()) -> TableView:
    """Return a table.

    Args:
        heads: Headings of all columns.
        lines: Each row's kind and texts.
        spare: Headings of columns that are left out on a phone.
    """
    rows = list(lines)
    shown = [i for i in range(len(heads)) if any(texts[i] for _, texts in rows)]

    def cell(head: str, text: str) -> Cell:
        kind = "number" if head not in TEXT else "text" if len(text) > MIN_BROKEN_CHARACTERS else ""
        return Cell(text, f"{kind} spare".strip() if head in spare else kind)

    return TableView(
        tuple(cell(heads[i], heads[i]) for i in shown),
        tuple(Line(kind, tuple(cell(heads[i], texts[i]) for i in shown)) for kind, texts in rows),
    )


def _ended(outcome: Outcome) -> TableView:
    rows = [row for row in trial_rows(outcome) if row.state in ("FAIL", "PRUNED") or (row.reason and not row.front)]
    lines = [("", (str(row.trial), row.method, row.state, row.reason)) for row in rows]
    return _table(("trial", "method", "state", "reason"), lines)


def _origin(outcome: Outcome) -> str:
    origin = (outcome.study.attributes.get(TEACHER) or {}).get("origin", "not made yet")
    return origin if isinstance(origin, str) else json.dumps(origin, sort_keys=True)


def _teacher(outcome: Outcome) -> TableView:
    tested = {m.name: with_interval(m, 5) for m in outcome.teacher_tested}
    lines = [("", (m.name, _unit(m), with_interval(m, 5), tested.pop(m.name, ""))) for m in outcome.teacher]
    lines += [("", (m.name, _unit(m), "", tested[m.name])) for m in outcome.teacher_tested if m.name in tested]
    lines += [("", (name, outcome.unit_of(name), f"{value:,.12g}", "")) for name, value in outcome.dense.items()]
    return _table(("measurement", "unit", "measured", "on the test split"), lines)


def _unit(m: Measurement) -> str:
    """Return a measurement's unit; empty for a number without one."""
    return "" if m.unit == "1" else m.unit


def _protocols(outcome: Outcome) -> TableView:
    measured: list[Measurement] = [*outcome.teacher, *outcome.inputs, *outcome.teacher_tested, *outcome.inputs_tested]
    for trial in outcome.study.trials:
        measured += (*measurements_of(trial), *outcome.finalists(trial.number), *outcome.tested(trial.number))
    keys = dict.fromkeys((m.name, m.unit, m.better, m.protocol, m.note) for m in measured)
    return _table(("measurement", "unit", "better", "protocol", "note"), [("", key) for key in keys])


def _configuration(outcome: Outcome, folder: StudyFolder) -> TableView:
    facts = {
        "made with ganprune": outcome.study.attributes.get(VERSION, ""),
        "artifacts": folder.path,
        "data sha256": (outcome.study.attributes.get(TEACHER) or {}).get("data", ""),
        "fingerprint": outcome.config.fingerprint(),
    }
    lines = [("", (name, str(value))) for name, value in facts.items() if value]
    lines += [("", (name, json.dumps(value))) for name, value in outcome.config.to_json().items()]
    return _table(("option", "value"), lines)
