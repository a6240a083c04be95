"""Pages of optuna-dashboard: axes with names and units, and each trial's note and pictures, kept up by a search."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...gan_models.costs.catalog import shown_cost
from ...gan_models.files.atomic_files import write_file
from ...search.artifacts.study_folder import SHOWN_FILES
from ...search.pictures.kept_pictures import strip_files
from ...search.records.events import Event, Listener, Noted, TrialFinished
from ..database.reader import StudyRecord
from ..database.store import ID, Store
from ..results.outcome import Outcome, outcome_of
from .trial_note import trial_note

FRONT_SUFFIX = ", on the front"  # in the note of a trial


def objective_names(outcome: Outcome) -> tuple[str, str]:
    """Return the names of a study's two values: quality with its split and direction, cost with its unit."""
    cost = shown_cost(outcome.cost, outcome.unit_of(outcome.cost))
    quality = f"{outcome.split} {outcome.metric} ({outcome.better})"
    return quality, cost.title if cost.unit in cost.title else f"{cost.title} ({cost.named_unit})"


class DashboardPages:
    """Notes and pictures of one search's trials, written when a trial ended and at the end.

    Args:
        store: The study's record.
        on_event: The next listener.
    """

    def __init__(self, store: Store, on_event: Listener) -> None:
        self._store, self._on_event = store, on_event
        self._identity = str(store.attributes.get(ID, ""))
        self._ended: set[int] = set()
        self._outcome = self._read()
        store.dashboard.name_objectives(objective_names(self._outcome))

    def event(self, event: Event) -> None:
        """Write the page of a trial that ended."""
        if isinstance(event, TrialFinished):
            self._outcome = self._read()
            self._ended.add(event.number)
            self._write(event.number)
        self._on_event(event)

    def end(self) -> None:
        """Write pages that changed: trials came to the front or left it, or were measured after the search."""
        outcome = self._outcome = self._read()
        ended = [trial.number for trial in outcome.study.trials if trial.finished]
        front = {trial.number for trial in outcome.front}
        for number in ended:
            note = self._store.dashboard.note(number)
            if number in front | self._ended or not note or FRONT_SUFFIX in note:
                self._write(number)

    def _read(self) -> Outcome:
        record = StudyRecord(self._store.study, self._store.attributes, tuple(self._store.records()))
        return outcome_of(record)

    def _write(self, number: int) -> None:
        """Write a trial's note, and copy its last pictures to where optuna-dashboard looks for artifacts."""
        front = any(trial.number == number for trial in self._outcome.front)
        self._store.dashboard.write_note(number, trial_note(self._outcome, self._store.whole(number), front))
        last = {file.network: file for file in strip_files(self._store.folder.trial(number))}
        files = {}
        for place, (network, file) in enumerate(sorted(last.items())):
            key = f"{self._identity}-{number:x}-{place:x}"
            try:
                write_file(self._store.folder.root / SHOWN_FILES / key, file.path.read_bytes())
            except OSError as error:
                self._on_event(Noted(f"the pictures of trial {number} are not in optuna-dashboard: {error}"))
                continue
            files[key] = (f"{network}-step-{file.step}.webp", "image/webp")
        self._store.dashboard.attach(number, files)


@contextmanager
def dashboard_kept(store: Store, on_event: Listener) -> Iterator[Listener]:
    """Give a listener that keeps up the pages of optuna-dashboard, and tells another one.

    Args:
        store: The study's record, with its teacher.
        on_event: The other listener.
    """
    pages = DashboardPages(store, on_event)
    try:
        yield pages.event
    finally:
        pages.end()
