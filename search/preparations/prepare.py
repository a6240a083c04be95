"""The making of all preparations of a study in the table's order, and their record."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any

from ...evaluators.measurement import Measurement
from ...gan_models.files.atomic_files import read_json, write_json
from ...gan_models.files.hashes import file_sha256
from ...gan_models.files.plain_values import from_json
from ...gan_models.pruning.catalog import method_spec
from ..records.learning_curve import LearningCurve
from ..records.prepared_artifact import Prepared
from ..records.teacher_artifact import TeacherArtifact
from ..teacher_checks.value_range_check import value_range_note
from .catalog import PREPARATIONS
from .preparation import Progress
from .prepared_study import PreparedStudy
from .reference_features import REAL
from .teacher import FOLDER, TEACHER

TEACHER_PREPARATIONS = (
    "teacher",
    "reference_features",
    "test_features",
)  # preparations that the teacher's measurement needs


def prepare(
    study: PreparedStudy, folder: Path, progress: Progress | None = None, names: Container[str] | None = None
) -> Prepared:
    """Make the preparations that a study needs before its trials, and gather those made by trials; none is made twice.

    Args:
        study: The study, which can load the preparations from now on.
        folder: Its folder of artifacts.
        progress: Called with (step, steps, losses) during training.
        names: Preparations to make; None: all.

    Raises:
        UserError: A method needs an unknown preparation.
    """
    for method in study.config.methods:
        for name in method_spec(method).preparations:
            PREPARATIONS.find(name)
    for name in PREPARATIONS:
        if names is None or name in names:
            preparation = PREPARATIONS.find(name).open()
            if preparation.wanted(study):
                study.take(folder, preparation.make(study, folder, progress))
    return study.prepared


def gather(study: PreparedStudy, folder: Path) -> Prepared:
    """Return the preparations of a study, including those made by trials so far."""
    return prepare(study, folder, names={name for name in PREPARATIONS if PREPARATIONS.find(name).lazy})


def make_teacher(study: PreparedStudy, folder: Path, progress: Progress | None = None) -> TeacherArtifact:
    """Load or train the teacher and measure it, without repeating completed parts.

    Args:
        study: The study.
        folder: Its folder of artifacts.
        progress: Called with (step, steps, losses).

    Returns:
        The artifact.

    Raises:
        UserError: Weights do not fit, or data cannot be read.
    """
    there = study.prepared.artifacts if study.prepared.folder == str(folder) else {}
    missing = [name for name in TEACHER_PREPARATIONS if name not in there]
    prepared = prepare(study, folder, progress, missing) if missing else study.prepared
    path = folder / FOLDER / TEACHER
    record = read_json(path) or {}
    if REAL not in record["files"]:
        record["files"] |= {REAL: prepared.artifacts["reference_features"].files[f"{FOLDER}/{REAL}"]}
        write_json(path, record)
    if "measurements" not in record:
        measured = study.measure(study.joined(study.generators), full=True)
        record["measurements"] = [m.to_json() for m in measured]
        write_json(path, record)
    if "inputs" not in record:  # as in studies of earlier versions
        record["inputs"] = [m.to_json() for m in study.quality.measure_inputs()]
        record["notes"] = list(_notes(study))
        write_json(path, record)
    if "tested" not in record and study.config.scored_on != "test":
        tested = study.test_quality
        record["tested"] = [m.to_json() for m in tested.measure(study.joined(study.generators), full=True)]
        record["tested_inputs"] = [m.to_json() for m in tested.measure_inputs()]
        write_json(path, record)
    return TeacherArtifact(
        str(path.parent),
        file_sha256(path),
        measurements=_read(record, "measurements"),
        data=record["data"],
        seconds=record["seconds"],
        origin=record["origin"],
        inputs=_read(record, "inputs"),
        tested=_read(record, "tested"),
        tested_inputs=_read(record, "tested_inputs"),
        notes=tuple(record["notes"]),
        curves=from_json(dict[str, LearningCurve], record.get("curves", {}), str(path)),
    )


def _read(record: Mapping[str, Any], key: str) -> tuple[Measurement, ...]:
    return tuple(Measurement.from_json(m) for m in record.get(key, ()))


def _notes(study: PreparedStudy) -> Iterator[str]:
    """Yield notes on a teacher for the user, each once."""
    quality, config = study.quality, study.config
    found = (
        value_range_note(
            config,
            quality.runner(study.generators[name]),
            quality.example(name),
            study.encoder,
            study.device,
            study.rgb,
        )
        for name in study.names
    )
    yield from dict.fromkeys(note for note in found if note)
