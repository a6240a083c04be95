"""Copies of users' own code that a configuration names: each file is copied to the study, which then names the copy.

Files that it imports from its own project are copied with it.

A copy is named without its folder, so that a study may be moved and its workers find it in a folder of their own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...gan_models.data.spec import is_own
from ...gan_models.files.hashes import file_sha256
from ...gan_models.files.kept_copies import code_sha256, is_copy, keep, located, originals, with_neighbors
from ...gan_models.files.user_code import file_of, is_path, load_object, names_object
from ...gan_models.networks.catalog import build
from ..config import StudyConfig

# Field -> kind of object.
_FILE_OPTIONS = {
    "model": "model",
    "data": "data",
    "task": "task",
    "metric": "encoder",
    "objective": "metric",
    "own_training": "training",
    "sampler": "sampler",
}
_FILE_LIST_OPTIONS = {"methods": "method", "also_measure": "metric"}
_JUDGE = "discriminator"  # field of the task's settings: a table whose `model` is the discriminator's name
_SEGMENTER = "segmenter"  # field of the weights: an object by path may replace a file
_DEGRADE, _DEGRADATION = "degrade", "degradation"  # fields of the task's settings: a degradation's name, and its kind


def references(config: StudyConfig) -> Iterator[tuple[str, str]]:
    """Yield the kind and the name of each object of a user's own that a configuration names by path."""
    for field, kind in _FILE_OPTIONS.items():
        if _names_own(field, name := getattr(config, field)):
            yield kind, name
    for field, kind in _FILE_LIST_OPTIONS.items():
        yield from ((kind, name) for name in getattr(config, field) if is_path(name))
    yield from ((_SEGMENTER, name) for name in map(str, config.weights.values()) if names_object(name))
    if is_path(name := judge_settings(config).get("model", "")):
        yield _JUDGE, name
    if is_path(name := degradation_of(config)):
        yield _DEGRADATION, name


def with_references(config: StudyConfig, change: Callable[[str, str], str]) -> StudyConfig:
    """Return the configuration with a user's own objects renamed.

    Args:
        config: The configuration.
        change: Function from kind and name to the new name.
    """

    def changed(kind: str, name: str) -> str:
        return change(kind, name) if is_path(name) else name

    def setting(name: str) -> str:
        method, dot, own = name.rpartition(".")
        return f"{changed('method', method)}{dot}{own}"

    named = {field: (kind, getattr(config, field)) for field, kind in _FILE_OPTIONS.items()}
    values: dict[str, Any] = {
        field: change(kind, name) if _names_own(field, name) else name for field, (kind, name) in named.items()
    }
    for field, kind in _FILE_LIST_OPTIONS.items():
        values[field] = tuple(changed(kind, name) for name in getattr(config, field))
    values["method_settings"] = {setting(name): value for name, value in config.method_settings.items()}
    values["weights"] = {
        name: changed(_SEGMENTER, str(file)) if names_object(str(file)) else file
        for name, file in config.weights.items()
    }
    values["shares"] = {changed("method", name): value for name, value in config.shares.items()}
    if is_path(name := judge_settings(config).get("model", "")):
        judge = {**judge_settings(config), "model": changed(_JUDGE, name)}
        values["task_settings"] = {**config.task_settings, _JUDGE: judge}
    if is_path(name := degradation_of(config)):
        settings = values.get("task_settings", config.task_settings)
        values["task_settings"] = {**settings, _DEGRADE: changed(_DEGRADATION, name)}
    return replace(config, **values)


def _names_own(field: str, name: str) -> bool:
    """Return True if the value of a field is the name of a user's own object; for data, it may be a folder instead."""
    return is_own(name) if field == "data" else is_path(name)


def judge_settings(config: StudyConfig) -> Mapping[str, Any]:
    """Return the settings of the discriminator; empty if the task has none of that form."""
    judge = config.task_settings.get(_JUDGE)
    return judge if isinstance(judge, Mapping) and isinstance(judge.get("model", ""), str) else {}


def degradation_of(config: StudyConfig) -> str:
    """Return the name of the degradation that makes inputs; empty if none is named."""
    name = config.task_settings.get(_DEGRADE)
    return name if isinstance(name, str) else ""


def with_own_files(config: StudyConfig, folder: Path) -> StudyConfig:
    """Copy every file of a user's own code to the study's folder; return a configuration that names the copies.

    Raises:
        UserError: There is no such file, or its copy cannot be used alone.
    """
    from ...gan_models.files.meta_device import build_for_shapes  # imports torch

    def kept(kind: str, name: str) -> str:
        path = file_of(name)
        if path is None:
            return name
        copied = f"{keep(path, folder, kind)}:{name.rpartition(':')[2]}"
        load_object(copied, kind)  # a copy that cannot be loaded is refused now, not by each trial
        if kind == "model":
            build_for_shapes(lambda: build(copied, config.model_args))
        return copied

    return with_references(config, kept)


def own_files(config: StudyConfig) -> list[Path]:
    """Return the files of a user's own code with those that they import from their projects, each one once."""
    named = [located(path) for _, name in references(config) if (path := file_of(name)) is not None]
    return list(dict.fromkeys(each for path in named for each in (with_neighbors(path) if path.is_file() else [path])))


def task_files(config: StudyConfig) -> list[Path]:
    """Return the files of a user's own code that the task needs: its own, its discriminator's and its degradation's."""
    kinds = ("task", _JUDGE, _DEGRADATION)
    named = [path for kind, name in references(config) if kind in kinds and (path := file_of(name)) is not None]
    return list(dict.fromkeys(map(located, named)))


def copied_from(config: StudyConfig) -> dict[str, str]:
    """Return the origins of the copies that `with_own_files` makes: path in the folder of copies -> absolute path.

    Args:
        config: The configuration as given; files that are copies already are omitted.
    """
    named = [located(path) for _, name in references(config) if (path := file_of(name)) is not None]
    given = (path for path in dict.fromkeys(named) if path.is_file() and not is_copy(path))
    return {copy: origin for path in given for copy, origin in originals(path).items()}


def sources(config: StudyConfig) -> list[str]:
    """Return the name and a hash (12 hex digits) of the source of each object of a user's own."""
    found = []
    for kind, name in references(config):
        path = file_of(name)
        file = _source_file(load_object(name, kind)) if path is None else None
        digest = file_sha256(file) if file is not None else ""
        if path is not None:
            digest = code_sha256(located(path))
        if digest:
            found.append(f"{name.rpartition(':')[2]} {digest[:12]}")
    return found


def _source_file(found: Any) -> str | None:
    try:
        return inspect.getsourcefile(inspect.unwrap(found) if callable(found) else type(found))
    except TypeError:  # an object, not a class or function
        return inspect.getsourcefile(type(found))
