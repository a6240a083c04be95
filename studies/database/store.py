"""The ledger over Optuna's tables: the only class that writes trials."""

import contextlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from sqlalchemy.exc import SQLAlchemyError

from ...gan_models.files.errors import UserError
from ...gan_models.files.plain_values import to_json
from ...search.artifacts.study_folder import StudyFolder
from ...search.records.ledger import SET_ASIDE_REASONS, NewTrial, TrialRecord
from ...search.records.messages import TrialOutcome, TrialReport, failure
from ...search.study_name import check_study_name
from .dashboard_fields import DashboardFields
from .durable_writes import RowWriter
from .lazy_records import Ended
from .lock import StudyLock, lock_study
from .reader import COST_LIMIT, SCHEMA, SCHEMA_VERSION, SIMULATED, find_study, fixed_settings, sign_of, study_names
from .storage import WrongStorage, check_file, open_storage, parse_url, shown
from .trial_rows import LOST_REASON, checked, outcome_attributes, record_of, report_attributes, template, within_budget

OBJECTIVES = ("quality", "cost")
MINIMIZED = [StudyDirection.MINIMIZE, StudyDirection.MINIMIZE]
MAXIMIZED = [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
ID = "ganprune.id"  # also a file in the study's folder, whose files belong to this study only


class Store:
    """The record of one study, opened for writing: it holds the study's lock until it is closed.

    Create it by `Store.create` or `Store.open`; it is a context manager. Implements `search.records.ledger.Ledger`.

    Args:
        storage: Optuna's storage.
        url: The database's URL.
        folder: The study's files.
        lock: The study's lock, held.
        max_attempts: Number of unfinished attempts after which a trial fails. Attempts that a clean stop returned do
            not count.

    Attributes:
        dashboard: Fields of the study for optuna-dashboard, apart from its trials.
    """

    def __init__(
        self,
        storage: RDBStorage,
        url: str,
        folder: StudyFolder,
        lock: StudyLock,
        max_attempts: int = 5,
    ):
        self.study, self.folder, self.max_attempts = folder.study, folder, max_attempts
        self._storage, self._lock = storage, lock
        self._study_id = find_study(storage, url, self.study)
        self._writer = RowWriter(storage, url, self._study_id, lock)
        self.dashboard = DashboardFields(
            storage, self.study, self._study_id, self._writer.trial_ids, self._writer.durably
        )
        attributes = storage.get_study_user_attrs(self._study_id)
        self._cost_limit, self._fixed = attributes.get(COST_LIMIT), fixed_settings(attributes)
        self._sign = sign_of(attributes)  # Optuna's tables contain the objective's own values
        self._ended = Ended(lambda number: record_of(self._writer.read(number), self._fixed, sign=self._sign))
        self._records: list[TrialRecord] = []
        for number in list(self._writer.rows):
            self._records.append(self._known(number, whole=False))

    @classmethod
    def create(
        cls,
        url: str,
        study: str,
        artifacts: str | Path,
        attributes: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
        max_attempts: int = 5,
        maximizes: bool = False,
    ) -> Self:
        """Create a study and open it.

        Args:
            url: The database, see `storage.parse_url`.
            study: Its name.
            artifacts: The folder of all studies' artifacts.
            attributes: JSON by name: `ganprune.config`, `ganprune.version`, `ganprune.teacher`, ...; with
                `ganprune.cost_limit` (a number) a trial whose cost is above it is infeasible. Or a function that
                returns them, called once the study's folder exists.
            max_attempts: See the class.
            maximizes: Higher values of the study's objective are better; a record's quality is then the value with the
                opposite sign.

        Raises:
            ValueError: A study of this name exists, or files of one, or the name is invalid.
            StudyLocked: Another process creates or runs it.
            StorageError: The database cannot be used.
        """
        folder = StudyFolder.at(artifacts, check_study_name(study))
        lock = lock_study(url, study)
        try:
            storage = open_storage(url, write=True)
            study_id = _new_study(storage, url, folder, MAXIMIZED if maximizes else MINIMIZED)
            given = attributes() if callable(attributes) else attributes
            for key, value in {**given, SCHEMA: SCHEMA_VERSION}.items():
                storage.set_study_user_attr(study_id, key, to_json(value))
            store = cls(storage, url, folder, lock, max_attempts)
            store.dashboard.name_objectives(OBJECTIVES)
            return store
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(cls, url: str, study: str, artifacts: str | Path, max_attempts: int = 5) -> Self:
        """Open a study to continue it; RUNNING trials of a dead driver are completed from disk or put back.

        Raises:
            UserError: There is no such study; the message names the existing ones.
            ValueError: The folder contains the files of another study of this name.
            StudyLocked: Another process runs it.
            StorageError: The database cannot be used.
        """
        reader = open_storage(url, write=False)
        find_study(reader, url, study)  # a wrong name must not leave a lock file
        reader.engine.dispose()
        lock = lock_study(url, study)
        try:
            folder = StudyFolder.at(artifacts, study)
            store = cls(open_storage(url, write=True), url, folder, lock, max_attempts)
            study_id = store.attributes.get(ID) or uuid.uuid4().hex  # made before there were any
            folder.claim(study_id, new=False)
            store.set_attribute(ID, study_id)
            store.set_attribute(SCHEMA, SCHEMA_VERSION)
            for record in store._in_state("RUNNING"):  # this process holds the lock, so whoever ran them is dead
                store.requeue(record.number, "its driver died" if record.attempt else "")
            return store
        except BaseException:
            lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __reduce__(self) -> str:
        raise TypeError("a Store is not pickled: it holds a lock and the database's password")

    def close(self) -> None:
        """Release the lock, idempotently."""
        with contextlib.suppress(SQLAlchemyError):  # everything is committed, even if the server is unreachable
            self._storage.remove_session()
        self._storage.engine.dispose()
        self._lock.release()

    @property
    def attributes(self) -> dict[str, Any]:
        """The study's attributes."""
        return self._writer.durably(lambda: self._storage.get_study_user_attrs(self._study_id))

    def set_attribute(self, key: str, value: Any) -> None:
        """Store one of the study's attributes (JSON)."""
        self._writer.durably(lambda: self._storage.set_study_user_attr(self._study_id, key, to_json(value)))

    def delete(self) -> None:
        """Remove the study and its files; the store is unusable afterwards."""
        self._writer.durably(lambda: self._storage.delete_study(self._study_id))
        self.folder.remove()

    def records(self) -> Sequence[TrialRecord]:
        """Return all trials by number."""
        return tuple(self._records)

    def whole(self, number: int) -> TrialRecord:
        """Return a trial's record with all values in memory; `records` reads some of them when needed."""
        record = self._records[number]
        return self._ended.whole(number) if record.finished else record

    def create_trial(self, new: NewTrial) -> TrialRecord:
        """Write a trial in one transaction; it is RUNNING.

        Raises:
            ValueError: A parameter is outside its distribution.
            RuntimeError: Another program wrote trials to the study.
        """
        row = template(new)
        self._writer.create(row)
        self._records.append(self._known(row.number))
        return self._records[-1]

    def claim(self) -> TrialRecord | None:
        """Take the first WAITING trial to run it again; see `Ledger.claim`."""
        self._writer.hold_lock()
        for record in self._in_state("WAITING"):
            number = record.number
            if (outcome := self.folder.result(number)) is not None:
                self.finish(number, outcome)
            elif record.attempt >= self.max_attempts:
                last = record.lost or "its driver died"
                self.finish(number, failure(f"gave up: started {record.attempt} times without an end; {last}"))
            else:
                self._writer.set_state(number, "RUNNING")
                return self._refresh(number)
        return None

    def started(self, number: int) -> int:
        """Count an attempt; return the number of attempts so far."""
        self._writer.set_attributes(number, {"attempt": self._records[number].attempt + 1})
        return self._refresh(number).attempt

    def report(self, number: int, report: TrialReport) -> None:
        """Store a running trial's report; see `Ledger.report`."""
        if self._records[number].finished:
            return
        self._writer.set_rungs(number, self._own(report.rungs))
        self._writer.set_attributes(number, report_attributes(self._records[number].new, report))
        self._refresh(number)

    def finish(self, number: int, outcome: TrialOutcome) -> TrialRecord:
        """Record a trial's outcome: the state last; see `Ledger.finish`."""
        if self._records[number].finished:
            return self._records[number]
        outcome = checked(within_budget(outcome, self._cost_limit))
        self._writer.set_rungs(number, self._own(outcome.rungs))
        self._writer.set_attributes(number, outcome_attributes(self._records[number].new, outcome))
        self._writer.set_constraints(number, outcome.constraints)
        values = None
        if outcome.state == "COMPLETE" and outcome.quality is not None and outcome.cost is not None:
            values = (self._sign * float(outcome.quality), float(outcome.cost))
        self._writer.set_state(number, outcome.state, values)
        return self._refresh(number)

    def set_aside(self) -> None:
        """Take all measured trials off the front, because their real images have changed."""
        for record in [record for record in self._records if record.finished and record.quality is not None]:
            self._writer.recall(record.number)
            self._writer.set_constraints(record.number, {SET_ASIDE_REASONS: 1.0})
            self._refresh(record.number)

    def requeue(self, number: int, reason: str = "") -> TrialRecord:
        """Put a RUNNING trial back, or complete it from disk; see `Ledger.requeue`."""
        record = self._records[number]
        if record.state != "RUNNING":
            return record
        if (outcome := self.folder.result(number)) is not None:
            return self.finish(number, outcome)
        if reason:
            self._writer.set_attributes(number, {LOST_REASON: reason})
        self._writer.set_state(number, "WAITING")
        return self._refresh(number)

    def release(self) -> int:
        """Put all RUNNING trials back, without counting their attempts; see `Ledger.release`."""
        running = self._in_state("RUNNING")
        for record in running:
            if record.attempt:
                self._writer.set_attributes(record.number, {"attempt": record.attempt - 1})
            self.requeue(record.number)
        return len(running)

    def _own(self, rungs: Mapping[int, float]) -> dict[int, float]:
        """Return qualities by rung as values of the objective."""
        return {step: self._sign * quality for step, quality in rungs.items()}

    def _in_state(self, state: str) -> list[TrialRecord]:
        return [record for record in self._records if record.state == state]

    def _refresh(self, number: int) -> TrialRecord:
        self._records[number] = self._known(number)
        return self._records[number]

    def _known(self, number: int, whole: bool = True) -> TrialRecord:
        record = record_of(self._writer.rows[number], self._fixed, whole, self._sign)
        if not record.finished:
            return record
        self._writer.forget(number)
        return self._ended.settled(record)


def _new_study(storage: RDBStorage, url: str, folder: StudyFolder, directions: list[StudyDirection]) -> int:
    """Return the id of a new study without trials, with its own folder; an incomplete one is completed."""
    existing = _half_made(storage, url, folder.study)
    known = {} if existing is None else existing.user_attrs
    if existing is not None and existing.directions != directions:  # created with another objective
        storage.delete_study(existing._study_id)
        existing = None
    if existing is None:
        study_id, attributes = storage.create_new_study(directions, folder.study), known
    else:
        study_id, attributes = existing._study_id, existing.user_attrs
    identity = attributes.get(ID) or uuid.uuid4().hex
    storage.set_study_user_attr(study_id, ID, identity)
    try:
        folder.claim(identity, new=True)
    except ValueError:
        if existing is None:
            storage.delete_study(study_id)
        raise
    return study_id


def _half_made(storage: RDBStorage, url: str, study: str) -> Any:
    """Return the study of this name that a crash left incomplete; None if there is none of the name.

    Raises:
        UserError: There is a complete one.
    """
    existing = {found.study_name: found for found in storage.get_all_studies()}.get(study)
    if existing is None:
        return None
    # the last mark is missing, and it contains nothing of another program
    half_made = SCHEMA not in existing.user_attrs and not storage.get_all_trials(existing._study_id)
    ours = existing.directions in (MINIMIZED, MAXIMIZED) and all(
        key.startswith("ganprune.") for key in existing.user_attrs
    )
    if not (half_made and ours):
        raise UserError(
            f"study {study!r} exists in {shown(url)}; `ganprune resume {study}` continues it, "
            f"`ganprune delete {study}` removes it, --study names another"
        )
    return existing


def check_free(url: str, study: str) -> None:
    """Check that a study can be created in a database, without changes; a simulated one of its name may exist.

    Raises:
        UserError: One of this name exists, or the URL is invalid for studies.
        StorageError: The database cannot be reached.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        check_file(parsed, write=True)
        if not Path(str(parsed.database)).exists():
            return
    try:
        storage = open_storage(url, write=False)
    except WrongStorage:  # there are no tables yet
        return
    try:
        if not _simulated(storage, study):
            _half_made(storage, url, study)
    finally:
        storage.engine.dispose()


def is_there(url: str, study: str) -> bool:
    """Return True if a complete study of this name exists that is not simulated.

    Raises:
        StorageError: The database cannot be reached.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).exists():
        return False
    try:
        storage = open_storage(url, write=False)
    except WrongStorage:  # there are no tables yet
        return False
    try:
        return study in study_names(storage) and not _simulated(storage, study)
    finally:
        storage.engine.dispose()


def make_way(url: str, study: str, artifacts: str | Path) -> None:
    """Remove a simulated study of this name, if there is one: it contains no training.

    Raises:
        StudyLocked: Another process runs it.
        StorageError: The database cannot be used.
    """
    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).exists():
        return
    try:
        storage = open_storage(url, write=False)
    except WrongStorage:  # creating the study reports the error
        return
    try:
        simulated = _simulated(storage, study)
    finally:
        storage.engine.dispose()
    if simulated:
        delete_study(url, study, artifacts)


def _simulated(storage: RDBStorage, study: str) -> bool:
    """Return True if there is a study of this name without any training."""
    existing = {found.study_name: found for found in storage.get_all_studies()}.get(study)
    return existing is not None and bool(existing.user_attrs.get(SIMULATED))


def delete_study(url: str, study: str, artifacts: str | Path) -> None:
    """Remove a study: its trials, then its files.

    Raises:
        UserError: There is no such study.
        StudyLocked: Another process runs it.
        StorageError: The database cannot be used.
    """
    with Store.open(url, study, artifacts) as store:
        store.delete()
