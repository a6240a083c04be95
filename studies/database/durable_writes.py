"""Durable writes to a study's rows: each is repeatable, and waits for an unreachable database server."""

import contextlib
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from ...gan_models.files.errors import WorkFailed
from . import optuna_tables as rdb
from .lock import StudyLock
from .reader import PATIENCE_S
from .storage import StorageError, one_line, shown
from .trial_rows import CONSTRAINT

Answer = TypeVar("Answer")


class RowWriter:
    """A writer of one study's trials, by trial number, with `rows`: the written values of unfinished trials.

    `trial_ids` are ids of the rows by trial number.

    Args:
        storage: Optuna's storage.
        url: The database's URL.
        study_id: The study.
        lock: The study's lock; acquired again after the server was unreachable.
        patience_s: Seconds to wait for the server (SQLite has none).
    """

    def __init__(self, storage: RDBStorage, url: str, study_id: int, lock: StudyLock, patience_s: float = PATIENCE_S):
        self.storage, self.study_id, self.lock = storage, study_id, lock
        self.patience_s = 0.0 if url.startswith("sqlite") else patience_s
        self._name = shown(url)
        rows = self.durably(lambda: rdb.read_trials(storage, study_id))
        self.trial_ids = [row._trial_id for row in rows]
        self.rows = dict(enumerate(rows))

    def create(self, row: FrozenTrial) -> None:
        """Write a whole row in one transaction, with the next number.

        Raises:
            RuntimeError: Another program wrote trials to the study.
        """
        number, tries = len(self.trial_ids), itertools.count()

        def write() -> int | None:
            if next(tries):  # the previous attempt may have been committed, with only the answer lost
                with contextlib.suppress(KeyError):
                    return self.storage.get_trial_id_from_study_id_trial_number(self.study_id, number)
            return rdb.insert_trial(self.storage, self.study_id, row, number)

        self.hold_lock()
        trial_id = self.durably(write)
        if trial_id is None:
            raise WorkFailed(f"another program wrote trials to this study in {self._name}; only one may at a time")
        row.number, row._trial_id = number, trial_id
        self.trial_ids.append(trial_id)
        self.rows[number] = row

    def read(self, number: int) -> FrozenTrial:
        """Return a trial's row as stored in the database."""
        trial_id = self.trial_ids[number]
        return self.durably(lambda: rdb.read_trials(self.storage, self.study_id, trial_id))[0]

    def recall(self, number: int) -> None:
        """Load the row of a finished trial again, to write to it."""
        self.rows[number] = self.read(number)

    def forget(self, number: int) -> None:
        """Drop the row of a finished trial, to which nothing more is written."""
        self.rows.pop(number, None)

    def set_attributes(self, number: int, values: Mapping[str, Any]) -> None:
        """Store attributes of a trial, unless they are stored already."""
        row = self.rows[number]
        new = {key: value for key, value in values.items() if key not in row.user_attrs or row.user_attrs[key] != value}
        if new:
            self.durably(lambda: rdb.set_attributes(self.storage, row._trial_id, new, {}))
            row.user_attrs.update(new)

    def set_rungs(self, number: int, rungs: Mapping[int, float]) -> None:
        """Store qualities by rung, unless they are stored already."""
        row = self.rows[number]
        new = {step: rungs[step] for step in sorted(set(rungs) - set(row.intermediate_values))}
        if new:
            self.durably(lambda: rdb.set_curve(self.storage, row._trial_id, new))
            row.intermediate_values.update(new)

    def set_constraints(self, number: int, constraints: Mapping[str, float]) -> None:
        """Store constraints under the attribute that Optuna reads."""
        row, new = self.rows[number], {CONSTRAINT + name: float(value) for name, value in constraints.items()}
        if new:
            self.durably(lambda: rdb.set_attributes(self.storage, row._trial_id, {}, new))
            row.system_attrs.update(new)

    def set_state(self, number: int, state: str, values: Sequence[float] | None = None) -> None:
        """Store a trial's state together with its values.

        Raises:
            RuntimeError: Another process took the trial.
        """

        row, new = self.rows[number], TrialState[state]

        def write() -> None:
            try:
                done = self.storage.set_trial_state_values(row._trial_id, new, values)
            except UpdateFinishedTrialError:  # committed before; only the answer was lost
                return
            if not done and self.storage.get_trial(row._trial_id).state != new:
                raise WorkFailed(f"another program took trial {number} in {self._name}; only one may at a time")

        self.durably(write)
        row.state = new
        if values is not None:
            row.values = list(values)

    def durably(self, write: Callable[[], Answer]) -> Answer:
        """Call `write`, which is repeatable, and wait for an unreachable server. Raises StorageError after the wait."""
        deadline = time.monotonic() + self.patience_s
        while True:
            try:
                return write()
            except (StorageInternalError, SQLAlchemyError) as error:
                if time.monotonic() >= deadline:
                    raise StorageError(f"cannot write to {self._name}: {one_line(error)}") from None
            time.sleep(1.0)
            self.hold_lock()

    def hold_lock(self) -> None:
        """Check that this process still holds the study's lock. Raises StudyLocked if another process took it."""
        deadline = time.monotonic() + self.patience_s
        while True:
            try:
                return self.lock.ensure()
            except StorageError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(1.0)
