"""The dense generator that a search starts from: loaded or trained, measured, and stored with the study."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...gan_models.checkpoints.checkpoint import load_into, load_weights, save_weights
from ...gan_models.checkpoints.state_dicts import located
from ...gan_models.checkpoints.tensor_hashes import tensor_bytes
from ...gan_models.files.atomic_files import read_json, write_json
from ...gan_models.files.errors import UserError, WorkFailed
from ...gan_models.files.hashes import file_sha256, json_sha256
from ...gan_models.files.plain_values import to_json
from ...gan_models.files.seeds import mixed
from ...gan_models.tasks.task import Task
from ...gan_models.training.loop import Networks, train
from ..pictures.kept_pictures import LAST_STRIP_SHARE, keep_beside, keep_pictures
from ..records.learning_curve import LearningCurve, thinned
from ..records.teacher_artifact import TeacherArtifact
from ..setup.pruned_generators import new_discriminators, one_network
from ..setup.study_parts import StudyParts
from ..setup.weight_files import files_by_network
from .preparation import PreparedArtifact, Progress
from .reference_features import REAL, REAL_OF_TEST, computed, same_features

TEACHER, FOLDER = "teacher.json", "teacher"
PICTURED = (
    0.02,
    0.1,
    0.25,
    0.5,
    0.75,
)  # shares of the teacher's steps after which pictures are stored, in addition to the end
MEASURED = ("measurements", "inputs", "tested", "tested_inputs", "notes")  # keys of the record that are computed anew


class TeacherChanged(WorkFailed):
    """An error: a file of the teacher is missing, or differs from the one that the study was created with."""


@dataclass(frozen=True)
class Teacher:
    """The trained dense networks, in eval mode and frozen.

    Attributes:
        generators: Generators by name.
        discriminators: Discriminators by generator name.
    """

    generators: Mapping[str, nn.Module]
    discriminators: nn.ModuleDict


def networks_in(parts: StudyParts, folder: Path) -> Teacher:
    """Return the networks in a folder, on the study's device, in eval mode and frozen.

    Args:
        parts: The study's parts.
        folder: The study's folder of the teacher.
    """
    config, task = parts.config, parts.task()
    generators = {name: one_network(config) for name in task.generator_names}
    discriminators = new_discriminators(config, task, parts.output)
    for kind, networks in (("generator", generators), ("discriminator", discriminators)):
        for name in task.generator_names:
            load_into(networks[name], folder / f"{kind}-{name}.safetensors")
            networks[name].to(parts.device).eval().requires_grad_(False)
    return Teacher(generators, discriminators)


def state_sha256(generators: Mapping[str, nn.Module]) -> str:
    """Return the sha256 (hex) of generators' weights."""
    digest = hashlib.sha256()
    for name, network in generators.items():
        for key, tensor in network.state_dict().items():
            digest.update(f"{name} {key} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor_bytes(tensor))
    return digest.hexdigest()


def given_generators(parts: StudyParts) -> dict[str, nn.Module]:
    """Return the generators of the user's files, on the study's device, in eval mode and frozen.

    Forecasts and other work without discriminators use these, before the study trains a discriminator for its teacher.

    Args:
        parts: The study's parts.

    Raises:
        UserError: A file is missing, or belongs to another network.
    """
    names = parts.task().generator_names
    generators = {name: one_network(parts.config) for name in names}
    for name, path in files_by_network(parts.config.teacher, names, "--teacher").items():
        load_into(generators[name], path)
    return {name: network.to(parts.device).eval().requires_grad_(False) for name, network in generators.items()}


def artifacts_of_teacher(folder: Path, teacher: TeacherArtifact) -> dict[str, PreparedArtifact]:
    """Return a study's artifacts by name from the teacher's own record, which has the files' sha256.

    Args:
        folder: The study's folder of the teacher.
        teacher: The teacher in the study's record.

    Raises:
        TeacherChanged: The teacher's record differs from the study's.
    """
    path = folder / TEACHER
    if not path.is_file() or file_sha256(path) != teacher.sha256:
        raise TeacherChanged(f"the teacher in {folder} is not this study's: got another record. Try to put it back")
    files = {f"{FOLDER}/{name}": sha256 for name, sha256 in (read_json(path) or {})["files"].items()}
    real = {name: sha256 for name, sha256 in files.items() if name == f"{FOLDER}/{REAL}"}
    networks = {name: sha256 for name, sha256 in files.items() if name not in real}
    found = (PreparedArtifact("teacher", "", networks), PreparedArtifact("reference_features", "", real))
    return {artifact.name: artifact for artifact in found if artifact.files}


def _make(parts: StudyParts, folder: Path, on_step: Progress | None) -> dict[str, Any]:
    config, task = parts.config, parts.task()
    names, device = task.generator_names, parts.device
    given = files_by_network(config.teacher, names, "--teacher")
    judges = files_by_network(config.teacher_discriminator, names, "--teacher-discriminator")
    if judges and not given:
        raise UserError("--teacher-discriminator needs --teacher: a new generator is trained with a new discriminator")
    data, held_out = parts.train_data, {parts.test_data, parts.scored_data}
    networks = _networks(parts, task, given, judges)
    seconds, losses = 0.0, LearningCurve()
    # A discriminator that is not in the loss is not warmed up.
    judged = task.has_judge and not config.own_training
    if not judges and not (given and not judged):
        steps = config.teacher_steps
        if steps < 1:
            what = "discriminator, or give --teacher-discriminator" if given else "teacher, or give --teacher"
            raise UserError(f"teacher_steps is 0: expected 1 or more to train the {what}")
        for generator in networks.generators.values():
            generator.requires_grad_(not given)

        def pictured(step: int, generators: Mapping[str, nn.Module]) -> bool:
            keep_pictures(parts, generators, folder, step, (1 - LAST_STRIP_SHARE) / len(PICTURED))
            return True

        # A generator alone needs a discriminator trained on it: with frozen generators the loop trains only D.
        trained = train(
            task,
            networks,
            data,
            config.teacher_recipe if given else config.teacher_recipe.without_teacher,
            steps=steps,
            seed=mixed(config.seed, 1),
            device=device,
            teacher=dict(networks.generators.items()) if given else None,
            checkpoint_dir=folder / "checkpoint",
            checkpoint_every=max(100, steps // 20),
            workers=config.data_workers,
            rungs=() if given else sorted({max(1, round(share * steps)) for share in PICTURED} - {steps}),
            on_rung=pictured,
            on_step=None if on_step is None else lambda step, losses: on_step(step, steps, dict(losses)),
        )
        seconds, losses = trained.seconds, LearningCurve.of(trained.curve)
    keep_pictures(
        parts, dict(networks.generators.items()), folder, 0 if given else config.teacher_steps, LAST_STRIP_SHARE
    )
    keep_beside(parts, folder)
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
        "skipped": len({line for images in (data, *held_out) for line in images.skipped}),
        "seconds": seconds,
        "curves": to_json(thinned({"teacher": losses})),
    }


def renew_real(parts: StudyParts, folder: Path, others: Callable[[], None]) -> None:
    """Compute real features again, of the present data in the present encoder; the teacher is measured again.

    Args:
        parts: The study's parts.
        folder: The study's folder of the teacher.
        others: Called if the features changed, which makes earlier qualities incomparable. It is called before the
            teacher's record is rewritten, so that a crash cannot hide the change.
    """
    record = read_json(folder / TEACHER)
    if record is None:
        others()  # the teacher's preparation computes them
        return
    (folder / REAL_OF_TEST).unlink(missing_ok=True)  # computed when it is needed
    now = computed(parts, parts.config.scored_on)
    if not (folder / REAL).is_file() or not same_features(load_weights(folder / REAL), now):
        others()
    record |= {"data": parts.data_sha256, "files": record["files"] | {REAL: save_weights(now, folder / REAL)}}
    write_json(folder / TEACHER, unmeasured(record))


def unmeasured(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a teacher's record without its measurements, which are made again."""
    return {key: value for key, value in record.items() if key not in MEASURED}


def _networks(parts: StudyParts, task: Task, given: Mapping[str, Path], judges: Mapping[str, Path]) -> Networks:
    """Return networks with their weights, drawn from the study's seed or read from files."""
    config, generators = parts.config, {}
    with torch.random.fork_rng(devices=[]):
        for i, name in enumerate(task.generator_names):
            torch.manual_seed(mixed(config.seed, 2, i))
            generators[name] = one_network(config)
    discriminators = new_discriminators(config, task, parts.output)
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
        """Return a hash of the data and of the teacher's configuration."""
        config = study.config
        parts = [study.data_sha256, config.model_name, config.model_args, config.task, config.task_settings]
        parts += [config.seed, config.teacher_steps, config.teacher_recipe, bool(config.teacher)]
        parts += [said for said in (config.output, config.value_range) if said]  # None, as before they existed
        return json_sha256(to_json(parts))

    def make(self, study: StudyParts, folder: Path, progress: Progress | None = None) -> PreparedArtifact:
        """Load or train the networks; an interrupted training resumes."""
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
            TeacherChanged: A file is missing, or differs from the artifact's.
        """
        if changed := artifact.changed(folder):
            path = folder / next(iter(changed))
            raise TeacherChanged(f"{path} is missing or not the file of this study. Try to put it back")
        return networks_in(study, folder / FOLDER)


TEACHER_NETWORKS = TeacherPreparation()
