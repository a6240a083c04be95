"""Bulk writes and reads of Optuna's tables: a whole trial, or a whole study, in a few statements.

Optuna's own calls take several statements per parameter, and one transaction per attribute: with 60 groups, writing a
trial took a hundred times as long, and opening 5,000 trials took a minute. The rows are the same, so Optuna reads them.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial
from sqlalchemy import Connection, Table, delete, insert, select

from ...gan_models.files.parsers.structured_text import parse_json

STUDIES: Table = models.StudyModel.__table__
TRIALS: Table = models.TrialModel.__table__
PARAMS: Table = models.TrialParamModel.__table__
VALUES: Table = models.TrialValueModel.__table__
CURVES: Table = models.TrialIntermediateValueModel.__table__
USER: Table = models.TrialUserAttributeModel.__table__
SYSTEM: Table = models.TrialSystemAttributeModel.__table__


def insert_trial(storage: RDBStorage, study_id: int, row: FrozenTrial, number: int) -> int | None:
    """Write a trial without values or curve, whole, in one transaction.

    Args:
        storage: Optuna's storage.
        study_id: The study.
        row: The row to write; its number and id are ignored.
        number: The trial's number.

    Returns:
        Its id; None if the study does not have exactly `number` trials (nothing is written then).

    Raises:
        SQLAlchemyError: The database cannot be used.
    """
    started = (row.datetime_start or datetime.now()).astimezone(UTC).replace(tzinfo=None)
    with storage.engine.begin() as connection:
        connection.execute(select(STUDIES.c.study_id).where(STUDIES.c.study_id == study_id).with_for_update())
        last = connection.execute(
            select(TRIALS.c.number).where(TRIALS.c.study_id == study_id).order_by(TRIALS.c.trial_id.desc()).limit(1)
        ).scalar()
        if (-1 if last is None else last) != number - 1:
            return None
        made = connection.execute(
            insert(TRIALS).values(study_id=study_id, number=number, state=row.state, datetime_start=started)
        )
        trial_id = int(made.inserted_primary_key[0])  # type: ignore[index]
        params = [
            {
                "trial_id": trial_id,
                "param_name": name,
                "param_value": distribution.to_internal_repr(row.params[name]),
                "distribution_json": distribution_to_json(distribution),
            }
            for name, distribution in row.distributions.items()
        ]
        if params:
            connection.execute(insert(PARAMS), params)
        for table, values in ((USER, row.user_attrs), (SYSTEM, row.system_attrs)):
            _insert_attributes(connection, table, trial_id, values)
    return trial_id


def set_attributes(storage: RDBStorage, trial_id: int, user: Mapping[str, Any], system: Mapping[str, Any]) -> None:
    """Store attributes of a trial, old values replaced, in one transaction. Raises SQLAlchemyError."""
    with storage.engine.begin() as connection:
        for table, values in ((USER, user), (SYSTEM, system)):
            if values:
                old = (table.c.trial_id == trial_id) & table.c.key.in_(list(values))
                connection.execute(delete(table).where(old))
                _insert_attributes(connection, table, trial_id, values)


def set_curve(storage: RDBStorage, trial_id: int, curve: Mapping[int, float]) -> None:
    """Store intermediate values of a trial by step, in one transaction. Raises SQLAlchemyError."""
    rows = []
    for step, value in curve.items():
        number, kind = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)
        given = {"intermediate_value": number, "intermediate_value_type": kind}
        rows.append({"trial_id": trial_id, "step": step} | given)
    with storage.engine.begin() as connection:
        connection.execute(delete(CURVES).where((CURVES.c.trial_id == trial_id) & CURVES.c.step.in_(list(curve))))
        connection.execute(insert(CURVES), rows)


def _insert_attributes(connection: Connection, table: Table, trial_id: int, values: Mapping[str, Any]) -> None:
    rows = [{"trial_id": trial_id, "key": key, "value_json": json.dumps(value)} for key, value in values.items()]
    if rows:
        connection.execute(insert(table), rows)


def read_trials(storage: RDBStorage, study_id: int, only: int | None = None) -> list[FrozenTrial]:
    """Return all trials of a study by number, like `RDBStorage.get_all_trials`. Raises SQLAlchemyError.

    Args:
        storage: Optuna's storage.
        study_id: The study.
        only: Id of the only trial to read; None: all.
    """
    chosen = TRIALS.c.study_id == study_id if only is None else TRIALS.c.trial_id == only
    with storage.engine.connect() as connection:

        def rows_of(table: Table, order: Any, *columns: Any) -> list[Any]:
            query = select(table.c.trial_id, *columns).join(TRIALS, TRIALS.c.trial_id == table.c.trial_id)
            found = list(connection.execute(query.where(chosen).order_by(order)))
            _check_types(found, columns)
            return found

        columns = (TRIALS.c.trial_id, TRIALS.c.number, TRIALS.c.state, TRIALS.c.datetime_start)
        found = list(
            connection.execute(select(*columns, TRIALS.c.datetime_complete).where(chosen).order_by(TRIALS.c.trial_id))
        )
        _check_types(found, (TRIALS.c.trial_id, TRIALS.c.number), first=0)
        names: dict[str, str] = {}  # each name once in memory, for any number of trials
        kinds: dict[str, BaseDistribution] = {}
        spaces: dict[int, dict[str, BaseDistribution]] = defaultdict(dict)
        params: dict[int, dict[str, Any]] = defaultdict(dict)
        columns = (PARAMS.c.param_name, PARAMS.c.param_value, PARAMS.c.distribution_json)
        for trial_id, name, value, text in rows_of(PARAMS, PARAMS.c.param_id, *columns):
            kind = kinds.get(text)
            if kind is None:
                kind = kinds[text] = json_to_distribution(text)
            name = names.setdefault(name, name)
            spaces[trial_id][name] = kind
            params[trial_id][name] = kind.to_external_repr(value)
        shared: dict[tuple[tuple[str, int], ...], dict[str, BaseDistribution]] = {}
        for trial_id, space in spaces.items():  # trials of one method share their distributions
            spaces[trial_id] = shared.setdefault(tuple((name, id(kind)) for name, kind in space.items()), space)
        values: dict[int, list[float]] = defaultdict(list)
        columns = (VALUES.c.value, VALUES.c.value_type)
        for trial_id, value, kind in rows_of(VALUES, VALUES.c.objective, *columns):
            values[trial_id].append(models.TrialValueModel.stored_repr_to_value(value, kind))
        curves: dict[int, dict[int, float]] = defaultdict(dict)
        columns = (CURVES.c.step, CURVES.c.intermediate_value, CURVES.c.intermediate_value_type)
        for trial_id, step, value, kind in rows_of(CURVES, CURVES.c.step, *columns):
            read = models.TrialIntermediateValueModel.stored_repr_to_intermediate_value
            curves[trial_id][step] = read(value, kind)
        attributes: list[dict[int, dict[str, Any]]] = []
        for table in (USER, SYSTEM):
            kept: dict[int, dict[str, Any]] = defaultdict(dict)
            for trial_id, key, text in rows_of(table, table.c.trial_id, table.c.key, table.c.value_json):
                kept[trial_id][names.setdefault(key, key)] = parse_json(text, _with_shared(names))
            attributes.append(kept)
    return [
        FrozenTrial(
            number=number,
            state=state,
            value=None,
            values=values.get(trial_id),
            datetime_start=_local(started),
            datetime_complete=_local(ended),
            params=params.get(trial_id, {}),
            distributions=spaces.get(trial_id, {}),
            user_attrs=attributes[0].get(trial_id, {}),
            system_attrs=attributes[1].get(trial_id, {}),
            intermediate_values=curves.get(trial_id, {}),
            trial_id=trial_id,
        )
        for trial_id, number, state, started, ended in found
    ]


def _check_types(rows: Sequence[Any], columns: Sequence[Any], first: int = 1) -> None:
    """Raise ValueError for a value of another type than its column's, which SQLite stores all the same.

    Args:
        rows: The rows.
        columns: Columns of the rows from the index `first` on.
        first: Index of the first of them.
    """
    for place, column in enumerate(columns, first):
        expected = column.type.python_type
        for kind in {type(row[place]) for row in rows} - {type(None)}:
            if not (issubclass(kind, expected) or (expected is float and kind is int)):
                raise ValueError(f"column {column} holds a {kind.__name__}; expected {expected.__name__}")


def _with_shared(names: dict[str, str]) -> Any:
    return lambda pairs: {names.setdefault(key, key): value for key, value in pairs}


def _local(time: datetime | None) -> datetime | None:
    """Return a naive local time: Optuna stores UTC without a zone and returns local time without one."""
    return None if time is None else time.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)
