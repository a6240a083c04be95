"""The dense generator that a search starts from: loaded or trained, measured, and kept with the study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...evaluators.features.sample import FeatureSample
from ...evaluators.measurement import Measurement
from ...gan_models.checkpoints.checkpoint import load_into, load_weights, save_weights
from ...gan_models.checkpoints.state_dicts import located
from ...gan_models.files.atomic_files import read_json, write_json
from ...gan_models.files.errors import UserError, WorkFailed
from ...gan_models.files.hashes import file_sha256, json_sha256
from ...gan_models.files.plain_values import to_json
from ...gan_models.files.seeds import mixed
from ...gan_models.tasks.task import Task
from ...gan_models.training.loop import Networks, train
from ..config import StudyConfig
from ..records.teacher_artifact import TeacherArtifact
from ..setup.pruned_generators import one_network
from ..setup.study_parts import StudyParts
from ..setup.weight_files import files_by_network
from .preparation import PreparedArtifact, Progress
from .quality import StudyQuality
from .reference_features import REAL, by_generator, computed, same_features

TEACHER, FOLDER = "teacher.json", "teacher"

OnStep = Callable[[int, int, dict[str, float]], None]


class TeacherChanged(WorkFailed):
    """A file of the teacher is missing or not the one that the study was made with."""


@dataclass(frozen=True)
class Teacher:
    """The trained dense networks, in eval mode and frozen.

    Attributes:
        generators: By name.
        discriminators: By generator name.
    """

    generators: Mapping[str, nn.Module]
    discriminators: nn.ModuleDict


def make_teacher(parts: StudyParts, folder: Path, on_step: OnStep | None = None) -> TeacherArtifact:
    """Load or train the teacher into a folder and measure it; what is done already is not done again.

    Args:
        parts: The study's.
        folder: The study's folder of the teacher.
        on_step: Called with (step, steps, losses).

    Returns:
        The artifact.

    Raises:
        UserError: Weights that do not fit, data that cannot be read.
    """
    record = read_json(folder / TEACHER)
    if record is None:
        record = _make(parts, folder, on_step)
        write_json(folder / TEACHER, record)
    if REAL not in record["files"]:
        there = (folder / REAL).is_file()
        digest = file_sha256(folder / REAL) if there else save_weights(computed(parts), folder / REAL)
        record["files"] |= {REAL: digest}
        write_json(folder / TEACHER, record)
    artifact = TeacherArtifact(str(folder), file_sha256(folder / TEACHER))
    if "measurements" not in record:
        quality = StudyQuality(parts, load_real_features(parts, artifact))
        measured = quality.measure(parts.joined(load_teacher(parts, artifact).generators), full=True)
        record["measurements"] = [m.to_json() for m in measured]
        write_json(folder / TEACHER, record)
        artifact = replace(artifact, sha256=file_sha256(folder / TEACHER))
    return replace(
        artifact,
        measurements=tuple(Measurement.from_json(m) for m in record["measurements"]),
        data=record["data"],
        seconds=record["seconds"],
        origin=record["origin"],
    )


def load_teacher(parts: StudyParts, artifact: TeacherArtifact) -> Teacher:
    """Return the networks of an artifact, each file checked against its record.

    Args:
        parts: The study's.
        artifact: The teacher's.

    Raises:
        TeacherChanged: Its files are not those of the study.
    """
    folder, config, task = Path(artifact.path), parts.config, parts.task()
    files = _record(folder, artifact)["files"]
    generators: dict[str, nn.Module] = {}
    for name in task.generator_names:
        generators[name] = _load(one_network(config), folder, f"generator-{name}", files)
    discriminators = task.make_discriminators(config.seed)
    for name in task.generator_names:
        _load(discriminators[name], folder, f"discriminator-{name}", files)
    for model in (*generators.values(), *discriminators.values()):
        model.to(parts.device).eval().requires_grad_(False)
    return Teacher(generators, discriminators)


def load_real_features(parts: StudyParts, artifact: TeacherArtifact) -> dict[str, Tensor | FeatureSample]:
    """Return the real images' features by generator: all of them, or the sample's parts.

    Raises:
        TeacherChanged: The teacher's record is not that of the study.
    """
    folder = Path(artifact.path)
    _record(folder, artifact)
    return by_generator(load_weights(folder / REAL), parts.names)


def _record(folder: Path, artifact: TeacherArtifact) -> dict[str, Any]:
    if not (folder / TEACHER).is_file() or file_sha256(folder / TEACHER) != artifact.sha256:
        raise TeacherChanged(f"the teacher in {folder} is not the one this study was made with; put it back")
    return read_json(folder / TEACHER) or {}


def _load(model: nn.Module, folder: Path, name: str, files: Mapping[str, str]) -> nn.Module:
    path = folder / f"{name}.safetensors"
    if not path.is_file() or file_sha256(path) != files.get(path.name):
        raise TeacherChanged(f"{path} is missing or not the file this study was made with; put it back")
    load_into(model, path)
    return model


def _make(parts: StudyParts, folder: Path, on_step: OnStep | None) -> dict[str, Any]:
    config, task = parts.config, parts.task()
    names, device = task.generator_names, parts.device
    given = files_by_network(config.teacher, names, "--teacher")
    judges = files_by_network(config.teacher_discriminator, names, "--teacher-discriminator")
    if judges and not given:
        raise UserError("--teacher-discriminator needs --teacher: a new generator is trained with a new discriminator")
    data, test = parts.train_data, parts.test_data
    networks = _networks(config, task, given, judges)
    seconds = 0.0
    if not judges:
        steps = config.teacher_steps
        if steps < 1:
            what = "discriminator, or give --teacher-discriminator" if given else "teacher, or give --teacher"
            raise UserError(f"teacher_steps is 0: use 1 or more to train the {what}")
        for generator in networks.generators.values():
            generator.requires_grad_(not given)
        # A generator alone needs a discriminator that knows it: with frozen generators the loop trains only D.
        trained = train(
            task,
            networks,
            data,
            replace(config.teacher_recipe, distill_output=0.0, distill_features=0.0)
            if not given
            else config.teacher_recipe,
            steps=steps,
            seed=mixed(config.seed, 1),
            device=device,
            teacher=dict(networks.generators.items()) if given else None,
            checkpoint_dir=folder / "checkpoint",
            checkpoint_every=max(100, steps // 20),
            workers=config.data_workers,
            on_step=None if on_step is None else lambda step, losses: on_step(step, steps, dict(losses)),
        )
        seconds = trained.seconds
    files = {}
    for kind, modules in (("generator", networks.generators), ("discriminator", networks.discriminators)):
        for name, module in modules.items():
            path = folder / f"{kind}-{name}.safetensors"
            files[path.name] = save_weights(module.cpu(), path)
    origin = {name: {"file": path.name, "sha256": file_sha256(located(path)[0])} for name, path in given.items()}
    return {
        "model": config.model,
        "arguments": dict(config.model_args),
        "task": config.task,
        "files": files,
        "origin": origin or f"trained for {config.teacher_steps} steps",
        "data": parts.data_sha256,
        "skipped": len(data.skipped) + len(test.skipped),
        "seconds": seconds,
    }


def renew_real(parts: StudyParts, folder: Path, others: Callable[[], None]) -> None:
    """Take real features anew, of the data and in the encoder that there are now; the teacher is measured anew.

    Args:
        parts: The study's.
        folder: The study's folder of the teacher.
        others: Called if they are others than before, so that qualities before and after cannot be compared; before
            the teacher's record says so, so that a crash in between does not hide it.
    """
    record = read_json(folder / TEACHER)
    if record is None:
        others()  # they are taken with the teacher
        return
    now = computed(parts)
    if not (folder / REAL).is_file() or not same_features(load_weights(folder / REAL), now):
        others()
    record |= {"data": parts.data_sha256, "files": record["files"] | {REAL: save_weights(now, folder / REAL)}}
    write_json(folder / TEACHER, {key: value for key, value in record.items() if key != "measurements"})


def _networks(config: StudyConfig, task: Task, given: Mapping[str, Path], judges: Mapping[str, Path]) -> Networks:
    """Networks with their weights, drawn from the study's seed or read from files."""
    generators = {}
    with torch.random.fork_rng(devices=[]):
        for i, name in enumerate(task.generator_names):
            torch.manual_seed(mixed(config.seed, 2, i))
            generators[name] = one_network(config)
    discriminators = task.make_discriminators(config.seed)
    for name, path in given.items():
        load_into(generators[name], path)
    for name, path in judges.items():
        load_into(discriminators[name], path)
    return Networks(nn.ModuleDict(generators), discriminators)


class TeacherPreparation:
    """The dense networks: loaded from the user's files, or trained."""

    def wanted(self, study: StudyParts) -> bool:
        """Return True: every study has a teacher."""
        return True

    def fingerprint(self, study: StudyParts) -> str:
        """Return a hash of the data and of all that the configuration says of the teacher."""
        config = study.config
        parts = [study.data_sha256, config.model_name, config.model_args, config.task, config.task_settings]
        parts += [config.seed, config.teacher_steps, config.teacher_recipe, bool(config.teacher)]
        return json_sha256(to_json(parts))

    def make(self, study: StudyParts, folder: Path, progress: Progress | None = None) -> PreparedArtifact:
        """Load or train the networks; an interrupted training goes on."""
        own = folder / FOLDER
        record = read_json(own / TEACHER)
        if record is None:
            record = _make(study, own, progress)
            write_json(own / TEACHER, record)
        files = [own / name for name in record["files"] if name != REAL]
        return PreparedArtifact.of("teacher", self.fingerprint(study), folder, files)

    def load(self, study: StudyParts, folder: Path, artifact: PreparedArtifact) -> Teacher:
        """Return the networks.

        Raises:
            TeacherChanged: A file is missing, or not the one of the artifact.
        """
        if changed := artifact.changed(folder):
            path = folder / next(iter(changed))
            raise TeacherChanged(f"{path} is missing or not the file this study was made with; put it back")
        own = folder / FOLDER
        return load_teacher(study, TeacherArtifact(str(own), file_sha256(own / TEACHER)))


TEACHER_NETWORKS = TeacherPreparation()
