"""Hostile databases: rows of a study changed by hand, and damaged files of SQLite."""

import json
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from ganprune.gan_models.files.errors import UserError, WorkFailed
from ganprune.studies.api import Study
from ganprune.studies.database.reader import list_studies, read_study
from ganprune.studies.plans.plan_records import recorded_plans
from ganprune.studies.report.html import report_html
from ganprune.studies.results.outcome import outcome_of
from ganprune.studies.results.plots import plot_front
from ganprune.studies.results.tables import front_rows, trial_rows

from ..tiny_study import made
from .guard import MARK, ROOT
from .kind import Kind
from .mutations import PATHS, TEXTS, as_json, mutated_bytes, mutated_tree, odd_value

_JSON = (("trial_user_attributes", "value_json"), ("study_user_attributes", "value_json"), ("trial_system_attributes", "value_json"),
         ("trial_params", "distribution_json"))  # fmt: skip
_PLAIN = (
    ("trial_params", "param_name"), ("trial_params", "param_value"), ("trials", "state"), ("trials", "number"),
    ("trials", "datetime_start"), ("trials", "datetime_complete"), ("trial_values", "value"), ("trial_values", "value_type"),
    ("trial_intermediate_values", "step"), ("trial_intermediate_values", "intermediate_value"),
    ("trial_intermediate_values", "intermediate_value_type"), ("trial_user_attributes", "key"), ("studies", "study_name"),
    ("study_user_attributes", "key"), ("version_info", "schema_version"), ("study_directions", "direction"),
)  # fmt: skip


def _seeds(folder: Path) -> None:
    study = made()
    (folder / "new").mkdir()
    (folder / "old").mkdir()
    shutil.copyfile(study.root.parent / "study.db", folder / "new" / "study.db")
    shutil.copyfile(ROOT / "tests" / "fixtures" / "0.1.0" / "ganprune.db", folder / "old" / "study.db")
    for path in (folder / "new", folder / "old"):
        with closing(sqlite3.connect(path / "study.db")) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")


def _make(dice: random.Random, seeds: Path, case: Path) -> None:
    path = case / "study.db"
    shutil.copyfile(seeds / dice.choice(["new", "new", "old"]) / "study.db", path)
    if dice.random() < 0.15:
        path.write_bytes(mutated_bytes(path.read_bytes(), dice))
        return
    with closing(sqlite3.connect(path)) as connection:
        for _ in range(dice.choice([1, 1, 2, 4])):
            _changed(connection, dice)
        connection.commit()


def _changed(connection: sqlite3.Connection, dice: random.Random) -> None:
    if dice.random() < 0.7:
        table, column = dice.choice(_JSON[:2] if dice.random() < 0.8 else _JSON)
        row, text = dice.choice(connection.execute(f"SELECT rowid, {column} FROM {table}").fetchall() or [(0, "{}")])
        try:
            content = json.loads(text)
        except (ValueError, TypeError, RecursionError):
            content = {}
        value = as_json(mutated_tree(content, dice, dice.choice([1, 2])), dice)
        changed = value if dice.random() < 0.02 else value.decode("utf-8", "replace")
    else:
        table, column = dice.choice(_PLAIN)
        row, _ = dice.choice(connection.execute(f"SELECT rowid, {column} FROM {table}").fetchall() or [(0, "")])
        changed = dice.choice([None, -1, 2**62, 1e308, "", b"\xff\0", *TEXTS[:8], *PATHS[:4], odd_value(dice)])
        changed = changed if isinstance(changed, int | float | str | bytes | None) else str(changed)
        changed = changed.encode("utf-8", "replace").decode() if isinstance(changed, str) else changed
        changed = 2**62 if isinstance(changed, int) and abs(changed) >= 2**63 else changed
    try:
        if dice.random() < 0.05:
            connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (row,))
        else:
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (changed, row))
    except sqlite3.IntegrityError:
        return  # a value that the database itself refuses


def _read(case: Path, results: Path) -> None:
    url, refusal = f"sqlite:///{case}/study.db", None
    names = {"tiny", "old"}

    def page(name: str) -> None:
        record = read_study(url, name)
        outcome = outcome_of(record)
        front_rows(outcome), trial_rows(outcome), outcome.hypervolume, recorded_plans(record)
        if f"<script>{MARK}" in report_html(record, results, pictures=False):
            raise AssertionError("the page contains markup of the database")
        plot_front(outcome)

    def opened(name: str) -> None:
        study = Study.open(name, url, results)
        study.to_dataframe(metrics=True)
        study._repr_html_()

    for read in (
        lambda: names.update(record.name for record in list_studies(url)),
        *(lambda name=name: page(name) for name in sorted(names)),
        *(lambda name=name: opened(name) for name in sorted(names)),
    ):
        try:
            read()
        except (UserError, WorkFailed) as error:
            if "no study" not in str(error):
                refusal = error
    if refusal is not None:
        raise refusal


KINDS = {"database rows": Kind(_seeds, _make, _read)}
