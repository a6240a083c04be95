"""The fields of Optuna's tables that optuna-dashboard shows: names of objectives, notes, artifacts.

Names and artifacts are where Optuna's own functions write and read them (`Study.set_metric_names`,
`optuna.artifacts.get_all_artifact_meta`). Notes have the form of `optuna_dashboard.save_note`, whose package is not
needed.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import optuna
from optuna.storages import RDBStorage

from . import optuna_tables as rdb

ARTIFACT = "artifacts:"  # prefix of Optuna's keys for an artifact's name and type, in a trial's system attributes
NOTE_LETTERS = 2045  # maximum characters of one attribute of a note
OWN_VERSION = 1  # version of notes by ganprune; a note edited in the dashboard has a later one

Durably = Callable[[Callable[[], Any]], Any]


class DashboardFields:
    """The dashboard's fields of one study, used only by its writer.

    Args:
        storage: Optuna's storage.
        study: The study's name.
        study_id: Its id in the storage.
        trial_ids: Ids of its trials by number; may grow.
        durably: Function that makes a repeatable write.
    """

    def __init__(
        self, storage: RDBStorage, study: str, study_id: int, trial_ids: Sequence[int], durably: Durably
    ) -> None:
        self._storage, self._study, self._study_id = storage, study, study_id
        self._trial_ids, self._durably = trial_ids, durably
        self._artifacts: dict[int, dict[str, Any]] = {}

    @cached_property
    def _stored(self) -> dict[str, Any]:
        """The study's system attributes, as first read and since written."""
        return dict(self._durably(lambda: self._storage.get_study_system_attrs(self._study_id)))

    def name_objectives(self, names: Sequence[str]) -> None:
        """Name the study's values, in their order."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            found = self._durably(lambda: optuna.load_study(study_name=self._study, storage=self._storage))
            if found.metric_names != list(names):
                self._durably(lambda: found.set_metric_names(list(names)))

    def note(self, number: int) -> str:
        """Return the note of a trial; empty if it has none."""
        start = self._note_key(number, "note_str:")
        parts = {key.removeprefix(start): text for key, text in self._stored.items() if key.startswith(start)}
        return "".join(parts[key] for key in sorted(parts, key=int))

    def write_note(self, number: int, text: str) -> None:
        """Write the note of a trial, unless a user edited it or it is unchanged."""
        version = self._note_key(number, "note_ver")
        if int(self._stored.get(version, 0)) > OWN_VERSION or self.note(number) == text:
            return
        start = self._note_key(number, "note_str:")
        parts = [text[i : i + NOTE_LETTERS] for i in range(0, len(text), NOTE_LETTERS)]
        values = {f"{start}{i}": part for i, part in enumerate(parts)}
        values |= {key: "" for key in self._stored if key.startswith(start) and key not in values}
        for key, value in {**values, version: OWN_VERSION}.items():
            self._durably(lambda key=key, value=value: self._storage.set_study_system_attr(self._study_id, key, value))
            self._stored[key] = value

    def attach(self, number: int, files: Mapping[str, tuple[str, str]]) -> None:
        """Attach artifacts to a trial, in one transaction.

        Args:
            number: The trial.
            files: File name and media type by artifact id.
        """
        values = {
            f"{ARTIFACT}{key}": json.dumps(
                {"artifact_id": key, "filename": name, "mimetype": media_type, "encoding": None}
            )
            for key, (name, media_type) in files.items()
        }
        if values and self._artifacts.get(number) != values:
            self._durably(lambda: rdb.set_attributes(self._storage, self._trial_ids[number], {}, values))
            self._artifacts[number] = values

    def _note_key(self, number: int, name: str) -> str:
        return f"dashboard:{self._trial_ids[number]}:{name}"
