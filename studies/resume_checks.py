"""Changes since a study was created, which a resume refuses by name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from optuna.distributions import distribution_to_json

from ..gan_models.files.atomic_files import read_json, write_json
from ..gan_models.files.errors import UserError
from ..gan_models.files.hashes import file_sha256
from ..gan_models.files.plain_values import from_json
from ..search.artifacts.study_folder import StudyFolder
from ..search.preparations.catalog import PREPARATIONS
from ..search.preparations.opened_study import OpenedStudy
from ..search.preparations.teacher import TEACHER as TEACHER_FILE
from ..search.preparations.teacher import renew_real, unmeasured
from ..search.records.prepared_artifact import MISSING, PreparedArtifact
from ..search.setup.kept_files import sources
from .database.store import Store
from .results.accepted_changes import ACCEPTED_CHANGES, Change
from .results.outcome import PREPARED_KEY, TEACHER, TESTED_KEY

MADE_WITH_KEY = "ganprune.made_with"  # name -> what a study's trials depend on beside its configuration


class StudyChanged(UserError):
    """The study would continue with something else than it was made with."""


def made_with(study: OpenedStudy) -> dict[str, str]:
    """Return the inputs that a study's trials depend on, by name; the teacher is recorded apart, when it is made.

    Args:
        study: The study.

    Returns:
        `data` (hash of its content), `space` (every method's dimensions over the network's groups), `budget` (each
        with its bound), `metric` (its encoder and a hash of its weights), `code` (ganprune's version, and a hash of
        the source of each generator, task, method, metric, encoder and sampler of the user's own).
    """
    resolved, config, proposals = study.resolved, study.config, study.proposals()
    space = {
        method: {name: distribution_to_json(d) for name, d in sorted(proposals.distributions(method).items())}
        for method in config.methods
    }
    return {
        "data": resolved.data.sha256,
        "space": _hash({"groups": resolved.groups.names, "dense": dict(resolved.dense), "methods": space}),
        "budget": ", ".join(f"{each.budget.text} = {each.limit:g}" for each in resolved.budgets),
        "metric": resolved.encoder,
        "code": ", ".join([f"ganprune {version('ganprune')}", *sources(config)]),
    }


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=list).encode()).hexdigest()


def teacher_changes(recorded: Mapping[str, Any], folder: Path) -> list[Change]:
    """Return the teacher's files that are missing or differ from the record; none if there is no teacher yet."""
    if "sha256" not in recorded:
        return []
    found = file_sha256(folder / TEACHER_FILE) if (folder / TEACHER_FILE).is_file() else MISSING
    if found != recorded["sha256"]:
        return [Change("teacher", recorded["sha256"], found)]
    files = (read_json(folder / TEACHER_FILE) or {}).get("files", {})
    now = {name: file_sha256(folder / name) if (folder / name).is_file() else MISSING for name in files}
    return [Change(f"teacher's {name}", files[name], now[name]) for name in sorted(files) if now[name] != files[name]]


def preparation_changes(recorded: Mapping[str, Any], folder: Path) -> list[Change]:
    """Return the files of preparations that are missing or others than recorded, except for the teacher's own."""
    found = []
    for name, value in recorded.items():
        artifact = from_json(PreparedArtifact, value)
        changed = {} if name in ("teacher", "reference_features") else artifact.changed(folder)
        found += [Change(f"{name}'s {Path(file).name}", artifact.files[file], now) for file, now in changed.items()]
    return found


def fingerprint_changes(recorded: Mapping[str, Any], study: OpenedStudy) -> list[Change]:
    """Return the preparations that would be made of something else now than they were, by name."""
    found = []
    for name, value in recorded.items():
        if name in PREPARATIONS:
            artifact, now = from_json(PreparedArtifact, value), PREPARATIONS.find(name).open().fingerprint(study)
            found += [Change(name, artifact.fingerprint, now)] if now != artifact.fingerprint else []
    return found


def check_unchanged(store: Store, study: OpenedStudy, accept: bool) -> tuple[Change, ...]:
    """Compare the record of the study with the present state; record what was not recorded yet.

    Args:
        store: The study, held.
        study: As it would be searched now.
        accept: Continue all the same; the record then says what was overruled, and when. Where real images or the
            metric are others, trials so far are set aside: their qualities cannot be compared with later ones.

    Returns:
        What changed, accepted.

    Raises:
        StudyChanged: Something changed and was not accepted; each is named.
    """
    recorded, found = dict(store.attributes.get(MADE_WITH_KEY) or {}), made_with(study)
    changes = [Change(name, recorded.get(name, now), now) for name, now in found.items()]
    changes = [change for change in changes if change.recorded != change.found]
    of_teacher = teacher_changes(store.attributes.get(TEACHER) or {}, store.folder.teacher)
    changes += of_teacher
    changes += preparation_changes(store.attributes.get(PREPARED_KEY) or {}, store.folder.path)
    if not changes:  # else these follow from what is named already
        changes = fingerprint_changes(store.attributes.get(PREPARED_KEY) or {}, study)
    if changes and not accept:
        raise StudyChanged(
            f"study {store.folder.study!r} was made with another {', another '.join(map(str, changes))}; "
            "put it back, or continue with --accept-changes (the record will say so)"
        )
    if changes:
        entry = {"trials": len(store.records()), "changes": {c.name: [c.recorded, c.found] for c in changes}}
        store.set_attribute(ACCEPTED_CHANGES, [*(store.attributes.get(ACCEPTED_CHANGES) or []), entry])
    if {"data", "metric"} & {change.name for change in changes}:
        renew_real(study, store.folder.teacher, store.set_aside)
        store.set_attribute(TESTED_KEY, {})  # measured anew, like the features that it was measured with
        prepared = store.attributes.get(PREPARED_KEY) or {}
        store.set_attribute(PREPARED_KEY, {name: value for name, value in prepared.items() if name != "test_features"})
    if of_teacher:
        _take_teacher(store.folder)
    store.set_attribute(MADE_WITH_KEY, recorded | found)
    return tuple(changes)


def _take_teacher(folder: StudyFolder) -> None:
    """Record the teacher's present files, and measure it again."""
    path = folder.teacher / TEACHER_FILE
    record = read_json(path)
    if record is None:
        return  # it is made anew
    gone = [name for name in record["files"] if not (folder.teacher / name).is_file()]
    if gone:
        path.unlink()
        return
    files = {name: file_sha256(folder.teacher / name) for name in record["files"]}
    write_json(path, unmeasured(record | {"files": files}))
