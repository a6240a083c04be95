"""Cells in the database: their state, and the run of one that has not ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...gan_models.files.errors import UserError
from ...search.records.events import Listener, ignore
from ..api import RunOptions, Search, Study
from ..database.lock import StudyLocked
from ..database.reader import StudyRecord, list_studies
from ..database.storage import WrongStorage, parse_url
from ..results.outcome import outcome_of
from .design import Cell
from .teachers import MadeTeacher

State = Literal["finished", "begun", "missing", "failed"]


@dataclass(frozen=True)
class Place:
    """Database and folders of a benchmark, with the threads of its cells.

    Attributes:
        storage: The database's URL.
        root: The folder of artifacts.
        threads: Threads of one cell.
    """

    storage: str
    root: Path
    threads: int = 1

    @property
    def run_options(self) -> RunOptions:
        """The run options of a cell's study."""
        return RunOptions(executor="local", cpus_per_trial=self.threads)


class RunsElsewhere(Exception):
    """A cell that another process runs now."""


def records_of(place: Place, names: Iterable[str]) -> dict[str, StudyRecord]:
    """Return the existing studies of these names, without incomplete ones after a crash.

    Raises:
        StorageError: The database cannot be read.
    """
    parsed = parse_url(place.storage)
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).exists():
        return {}
    try:
        return {record.name: record for record in list_studies(place.storage, set(names))}
    except WrongStorage:  # there are no tables before the first study
        return {}


def state_of(cell: Cell, record: StudyRecord | None) -> State:
    """Return the state of a cell.

    Args:
        cell: The cell.
        record: Its study; None if there is none.
    """
    if record is None:
        return "missing"
    done = [trial for trial in record.trials if trial.finished and trial.state != "FAIL"]
    if len(done) >= cell.trials:
        return "begun" if _untested(record) else "finished"
    return "failed" if sum(trial.state == "FAIL" for trial in record.trials) >= most_failed(cell) else "begun"


def most_failed(cell: Cell) -> int:
    """Return the number of failed trials at which the engine ends a cell's search."""
    return max(5, cell.trials // 2)


def why_failed(record: StudyRecord) -> str:
    """Return the reason of a study's first failure in one line; empty if there is none."""
    return next((trial.stopped or "no reason on record" for trial in record.trials if trial.state == "FAIL"), "")


def _untested(record: StudyRecord) -> bool:
    """Return True if a trial of the front has not been measured on the test split."""
    found = outcome_of(record)
    return found.selects and any(not found.tested(trial.number) for trial in found.front)


def run_cell(cell: Cell, teacher: MadeTeacher, place: Place, on_event: Listener = ignore) -> StudyRecord:
    """Run a cell to its end: an interrupted one continues, and one that has ended is not run again.

    Args:
        cell: The cell.
        teacher: Its teacher.
        place: Database and folders of the benchmark.
        on_event: Called with each event of its search.

    Returns:
        The record of its study.

    Raises:
        RunsElsewhere: Another process runs it.
        UserError: Its options do not fit the network, the data or the budget.
        WorkFailed: Its trials failed, or the database cannot be used.
    """
    record = records_of(place, [cell.study]).get(cell.study)
    if record is not None and state_of(cell, record) in ("finished", "failed"):
        return record
    try:
        if record is not None:
            study = Study.open(cell.study, place.storage, place.root)
            return study.resume(run_options=place.run_options, on_event=on_event).record
        options = {**cell.options, **teacher.options}
        model, data, budgets = (options.pop(name) for name in ("model", "data", "budgets"))
        search = Search(model, data, budgets, cell.study, options, place.storage, place.root, place.run_options)
        return search.run(on_event).record
    except StudyLocked as error:
        raise RunsElsewhere(str(error)) from error
    except UserError as error:
        if record is None and cell.study in records_of(place, [cell.study]):  # made by another process meanwhile
            raise RunsElsewhere(str(error)) from error
        raise
