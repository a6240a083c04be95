"""Reading of studies without a lock: names, attributes and trials."""

import time
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.exc import SQLAlchemyError

from ...gan_models.files.errors import UserError, malformed_as
from ...gan_models.files.parsers.structured_text import checked_value
from ...gan_models.files.texts.near_names import did_you_mean
from ...search.records.ledger import TrialRecord
from .optuna_tables import read_trials
from .storage import StorageError, one_line, open_storage, shown
from .trial_rows import record_of

MAX_NAMED_STUDIES = 20  # number of studies that an error names
PATIENCE_S = 120.0  # seconds to wait for an unreachable database server during a search
SCHEMA = "ganprune.schema"  # attribute written last when a study is created: without it, the study is incomplete
SCHEMA_VERSION = 2  # raised by a writer, because version 0.1.0, which wrote 1, would misread current rows
READABLE_SCHEMAS = (1, SCHEMA_VERSION)
SIMULATED = "ganprune.simulated"  # True if nothing was trained: qualities were drawn from a seed
COST_LIMIT = "ganprune.cost_limit"  # the budget as a number: a trial of higher cost is infeasible


@dataclass(frozen=True)
class StudyRecord:
    """A study as a reader sees it: its name, its attributes (`ganprune.config`, ...) and its trials by number."""

    name: str
    attributes: Mapping[str, Any]
    trials: tuple[TrialRecord, ...]

    def __repr__(self) -> str:
        return f"StudyRecord({self.name!r}, {len(self.trials)} trials)"


def study_names(storage: RDBStorage) -> dict[str, int]:
    """Return ganprune's studies in a storage, name -> id, without those of other programs."""
    return {
        found.study_name: found._study_id
        for found in storage.get_all_studies()
        if found.user_attrs.get(SCHEMA) in READABLE_SCHEMAS
    }


def find_study(storage: RDBStorage, url: str, study: str) -> int:
    """Return a study's id. Raises UserError with the existing names if there is none."""
    names = study_names(storage)
    if study not in names:
        there = ", ".join(sorted(names)[:MAX_NAMED_STUDIES]) or "none"
        near = did_you_mean(study, names) or f"Try {'ganprune studies' if names else 'another --storage'}"
        raise UserError(f"no study {study!r} in {shown(url)}; there: {there}. {near}")
    return names[study]


def read_study(url: str, study: str, patience_s: float = 0.0) -> StudyRecord:
    """Return a study and all its trials; it needs no lock, so it works while the study runs.

    Args:
        url: The database.
        study: Its name.
        patience_s: Seconds to wait for a server that does not answer.

    Raises:
        UserError: There is no such study.
        StorageError: the database cannot be read.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            with malformed_as(StorageError, f"study {study!r} in {shown(url)}"):
                return _read_study(url, study)
        except (StorageError, StorageInternalError, SQLAlchemyError) as error:
            if time.monotonic() >= deadline:
                known = isinstance(error, StorageError)
                raise error if known else StorageError(f"cannot read {shown(url)}: {one_line(error)}") from None
        time.sleep(1.0)


def fixed_settings(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings that a study fixes, by `method.setting`, from its attributes."""
    config = attributes.get("ganprune.config")
    return (config.get("method_settings") or {}) if isinstance(config, Mapping) else {}


def sign_of(attributes: Mapping[str, Any]) -> float:
    """Return the factor from an objective's value in Optuna's tables to a quality: -1 if the study maximizes it."""
    config = attributes.get("ganprune.config")
    return -1.0 if isinstance(config, Mapping) and config.get("maximizes") else 1.0


def _read_study(url: str, study: str) -> StudyRecord:
    storage = open_storage(url, write=False)
    try:
        return _record(storage, study, find_study(storage, url, study))
    finally:
        storage.engine.dispose()


def _record(storage: RDBStorage, study: str, study_id: int) -> StudyRecord:
    rows = read_trials(storage, study_id)
    attributes = checked_value(storage.get_study_user_attrs(study_id))
    fixed, sign = fixed_settings(attributes), sign_of(attributes)
    return StudyRecord(study, attributes, tuple(record_of(row, fixed, sign=sign) for row in rows))


def list_studies(url: str, names: Container[str] | None = None) -> tuple[StudyRecord, ...]:
    """Return studies with their trials, by name, over one connection.

    Args:
        url: The database.
        names: Names of the wanted studies; missing ones are omitted. None: all.

    Raises:
        StorageError: It cannot be read.
    """
    storage = open_storage(url, write=False)
    try:
        with malformed_as(StorageError, f"a study in {shown(url)}"):
            there = sorted(study_names(storage).items())
            return tuple(_record(storage, name, key) for name, key in there if names is None or name in names)
    except (StorageInternalError, SQLAlchemyError) as error:
        raise StorageError(f"cannot read {shown(url)}: {one_line(error)}") from None
    finally:
        storage.engine.dispose()
