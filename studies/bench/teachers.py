"""Teachers of a benchmark: made once, cached by their options and weights, and shared by their cells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from torch import Tensor

from ...evaluators.measurement import Measurement
from ...gan_models.files.atomic_files import read_json, write_json
from ...gan_models.files.errors import UserError
from ...gan_models.files.hashes import json_sha256
from ...gan_models.files.plain_values import to_json
from ...search.config import StudyConfig
from ...search.configuration.sections import QualityOptions
from ...search.preparations.eval_images import real_images
from ...search.preparations.preparation import Progress
from ...search.preparations.prepare import make_teacher
from ...search.preparations.prepared_study import PreparedStudy
from ...search.preparations.quality import StudyQuality
from ...search.preparations.teacher import FOLDER, TEACHER
from ...search.setup.open_choices import decided, with_selection
from .design import BenchTeacher, higher_is_better

TEACHERS_FOLDER = "_teachers"  # no study's name has this prefix
MEAN_IMAGE = "mean-image"


@dataclass(frozen=True)
class MadeTeacher:
    """The files of a teacher, and the distance of its task's mean image.

    Attributes:
        options: Fields of `StudyConfig` that make a study start from it.
        seconds: Seconds of its training.
        worst: Distance of the mean real image in place of every output, on the test images: the reference of
            hypervolumes.
    """

    options: dict[str, str]
    seconds: float
    worst: Measurement | None


def folder_of(root: Path, teacher: BenchTeacher) -> Path:
    """Return the folder of a teacher.

    Args:
        root: The folder of artifacts.
        teacher: The teacher.
    """
    return root / TEACHERS_FOLDER / teacher.key


def known_teacher(root: Path, teacher: BenchTeacher) -> MadeTeacher | None:
    """Return a teacher if it is made and measured, else None."""
    folder = folder_of(root, teacher)
    record, measured = read_json(folder / FOLDER / TEACHER), read_json(_worst_file(folder, teacher))
    if record is None or measured is None or "measurements" not in record:
        return None
    found = measured["measured"]
    return MadeTeacher(
        _weights(folder / FOLDER, record["files"]),
        float(record["seconds"]),
        None if found is None else Measurement.from_json(found),
    )


def made_teacher(root: Path, teacher: BenchTeacher, on_step: Progress | None = None) -> MadeTeacher:
    """Make a teacher, or return the existing one; an interrupted training continues.

    Args:
        root: The folder of artifacts.
        teacher: The teacher.
        on_step: Called with (step, steps, losses).

    Raises:
        UserError: Options do not fit, or the weights belong to another network.
        WorkFailed: The training failed.
    """
    folder = folder_of(root, teacher)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        if (known := known_teacher(root, teacher)) is not None:
            return known
        given = {**teacher.options, **_measuring(teacher), "name": "teacher", "budgets": ["100%"], "trials": 1}
        config, _, output = decided(StudyConfig.from_json(given))
        if config.maximizes:  # a user's own metric, by its file
            raise UserError(higher_is_better(config.objective))
        config, splits, _ = with_selection(config, output)
        study = PreparedStudy(config, splits=splits)
        make_teacher(study, folder, on_step)
        quality = study.quality if config.scored_on == "test" else study.test_quality
        worst = _mean_image(quality)
        write_json(_worst_file(folder, teacher), {"measured": None if worst is None else worst.to_json()})
    found = known_teacher(root, teacher)
    assert found is not None
    return found


def _measuring(teacher: BenchTeacher) -> dict[str, Any]:
    """Return the options that affect a teacher's measurement but not its weights."""
    names = {field.name for field in fields(QualityOptions)} | {"teacher_train_mode"}
    return {name: value for name, value in teacher.task.options.items() if name in names}


def _worst_file(folder: Path, teacher: BenchTeacher) -> Path:
    return folder / f"{MEAN_IMAGE}-{json_sha256(to_json(_measuring(teacher)))[:8]}.json"


def _weights(folder: Path, files: Iterable[str]) -> dict[str, str]:
    """Return the options that name a teacher's files."""
    options: dict[str, str] = {}
    for option, kind in (("teacher", "generator"), ("teacher_discriminator", "discriminator")):
        named = {Path(name).stem.partition("-")[2]: folder / name for name in files if name.startswith(f"{kind}-")}
        whole = next(iter(named.values())) if len(named) == 1 else None
        text = str(whole) if whole else ",".join(f"{name}={path}" for name, path in named.items())
        options |= {option: text} if text else {}
    return options


def _mean_image(quality: StudyQuality) -> Measurement | None:
    """Return the distance of the mean real image, as the mean of all generators; None if it cannot be measured."""
    values: list[Measurement] = []
    for name in quality.parts.names:
        total, count = torch.zeros(()), 0
        for batch in real_images(quality.parts, name, quality.split).batches():
            total, count = total + batch.double().sum(dim=0), count + len(batch)
        mean = (total / count).float()
        if quality.parts.output.channels != len(mean):
            return None

        def constant(*inputs: Tensor, mean: Tensor = mean) -> Tensor:
            return mean.to(inputs[0].device).expand(len(inputs[0]), *mean.shape)

        values.append(quality.measure_calls(constant, name, full=False)[0])
    first = values[0]
    if any(one.reason is not None for one in values):
        return None
    return Measurement(first.name, sum(one.value for one in values) / len(values), first.unit, n=first.n)
