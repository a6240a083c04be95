"""Weight files that a user gives for the task's generators and discriminators."""

from __future__ import annotations

from pathlib import Path

from ...gan_models.checkpoints.checkpoint import load_into
from ...gan_models.checkpoints.state_dicts import located
from ...gan_models.files.errors import UserError
from ...gan_models.tasks.task import make_task
from ..config import StudyConfig
from .pruned_generators import one_network


def is_single_file(text: str) -> bool:
    """Return if a text names one file, rather than one per network."""
    return bool(text) and "=" not in text


def files_by_network(text: str, names: tuple[str, ...], option: str) -> dict[str, Path]:
    """Return weight files by generator.

    Args:
        text: `path`, or `AtoB=path,BtoA=path`; each may end in `::key`, which stays on the path.
        names: The task's generators.
        option: The option that gave the text, for messages.

    Raises:
        UserError: A name the task does not have, a name missing, or a file that is not there.
    """
    if not text:
        return {}
    if is_single_file(text):
        if len(names) > 1:
            form = ",".join(f"{name}=FILE" for name in names)
            raise UserError(f"{option} {text!r}: the task has {', '.join(names)}; name each, {form}")
        files = {name: Path(text) for name in names}
    else:
        files = {name: Path(path) for name, _, path in (part.partition("=") for part in text.split(","))}
    if set(files) != set(names):
        raise UserError(f"{option} names {', '.join(files)}; the task has {', '.join(names)}")
    for path in files.values():
        if not located(path)[0].is_file():
            raise UserError(f"{option} {located(path)[0]} is not a file")
    return files


def check_weights(config: StudyConfig) -> None:
    """Load the given weights and drop them, so that a wrong file is refused before a study is made.

    Raises:
        UserError: A file that is missing, contains code, or fits another network.
    """
    task = make_task(config.task, config.task_settings, config.seed)
    names = task.generator_names
    for path in files_by_network(config.teacher, names, "--teacher").values():
        load_into(one_network(config), path)
    discriminators = files_by_network(config.teacher_discriminator, names, "--teacher-discriminator")
    for name, path in discriminators.items():
        load_into(task.make_discriminators(config.seed)[name], path)
