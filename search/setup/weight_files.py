"""Users' weight files for the task's generators and discriminators."""

from __future__ import annotations

import re
from pathlib import Path

from ...gan_models.checkpoints.checkpoint import load_into
from ...gan_models.checkpoints.state_dicts import located
from ...gan_models.files.errors import UserError
from ...gan_models.tasks.task import make_task
from ..config import StudyConfig
from .pruned_generators import one_network


def named_files(text: str, names: tuple[str, ...]) -> dict[str, Path]:
    """Return the files of `path`, or of `AtoB=path,BtoA=path`, by the generator's name; "" if none is named.

    Paths may contain commas and equals signs: an existing file is one file, and only a generator's name starts a part.

    Args:
        text: An option's text, possibly empty. Each path may end in `::key`, which remains part of the path.
        names: The task's generators.
    """
    if not text:
        return {}
    parts = list(re.finditer(rf"(?:^|,)\s*({'|'.join(map(re.escape, names))})=", text))
    if located(text)[0].is_file() or not parts or parts[0].start() != 0:
        return {"": Path(text)}
    twice = [name for name in names if sum(part[1] == name for part in parts) > 1]
    if twice:
        raise UserError(f"weights {text!r} name {twice[0]} more than once; expected one file each. Try one")
    ends = [part.start() for part in parts[1:]] + [len(text)]
    return {part[1]: Path(text[part.end() : end].strip()) for part, end in zip(parts, ends, strict=True)}


def files_by_network(text: str, names: tuple[str, ...], option: str) -> dict[str, Path]:
    """Return weight files by generator.

    Args:
        text: `path`, or `AtoB=path,BtoA=path`; each may end in `::key`, which remains part of the path.
        names: The task's generators.
        option: The option of the text, for messages.

    Raises:
        UserError: A name is unknown or missing, or a file does not exist.
    """
    files = named_files(text, names)
    form = ",".join(f"{name}=FILE" for name in names)
    if "" in files:
        if not located(text)[0].is_file():
            named = f", nor {form}" if "=" in text else ""
            raise UserError(f"{option} {located(text)[0]} is not a file{named}; the task has {', '.join(names)}")
        if len(names) > 1:
            raise UserError(f"{option} {text!r}: the task has {', '.join(names)}; name each, {form}")
        files = dict.fromkeys(names, files[""])
    if files and set(files) != set(names):
        raise UserError(f"{option} names {', '.join(files)}; the task has {', '.join(names)}")
    for path in files.values():
        if not located(path)[0].is_file():
            other = f"; the task has {', '.join(names)}: {form}" if "=" in str(path) else ""
            raise UserError(f"{option} {located(path)[0]} is not a file{other}")
    return files


def check_there(config: StudyConfig) -> None:
    """Check that weight files exist, for a study whose task is unknown.

    Raises:
        UserError: A file does not exist.
    """
    for option, text in (("--teacher", config.teacher), ("--teacher-discriminator", config.teacher_discriminator)):
        if text and "=" not in text and not located(text)[0].is_file():
            raise UserError(f"{option} {located(text)[0]} is not a file")


def check_weights(config: StudyConfig) -> None:
    """Load the given weights and discard them, so that a wrong file is refused before a study is created.

    Raises:
        UserError: A file is missing, contains code, or fits another network.
    """
    task = make_task(config.task, config.task_settings, config.seed)
    names = task.generator_names
    for path in files_by_network(config.teacher, names, "--teacher").values():
        load_into(one_network(config), path)
    discriminators = files_by_network(config.teacher_discriminator, names, "--teacher-discriminator")
    for name, path in discriminators.items():
        load_into(task.make_discriminators(config.seed)[name], path)
