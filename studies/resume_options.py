"""Options that a resume may change, and the refusal of all others by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..evaluators.features.catalog import AUTO
from ..gan_models.files.errors import UserError
from ..gan_models.files.kept_copies import code_sha256, located
from ..gan_models.files.plain_values import to_json
from ..gan_models.files.user_code import file_of
from ..search.config import StudyConfig
from ..search.configuration.flags import merge

# None of these changes what a trial is. `hours` is of one run: without a new limit there is none. `data` is where the
# same content lies now; a resume compares its hash.
RESUMABLE = ("trials", "hours", "device", "data_workers", "data")


def resumed(config: StudyConfig, given: Mapping[str, Any]) -> StudyConfig:
    """Return a study's configuration as its next run has it.

    Options that say what the study has already may be given: the file of its search serves its resume.

    Args:
        config: As recorded.
        given: Fields of a configuration, nested as in its JSON.

    Raises:
        UserError: An option that a resume may not change has another value than the study.
    """
    recorded = to_json(config)
    wanted = StudyConfig.from_json(merge(to_json(config), dict(given)))
    for name in given:
        old, new = getattr(config, name), getattr(wanted, name)
        if name == "weights":  # those that no metric reads are not recorded
            old, new = config.weight_files, {k: v for k, v in wanted.weight_files.items() if k in config.weight_files}
        if name == "select_on":  # empty in records of studies that knew the test split alone
            old, new = config.scored_on, wanted.scored_on
        if name == "calibration_images":  # none in records of studies that knew the plain cut alone
            old, new = old or 0, new or 0
        if name not in RESUMABLE:
            _check_code(config.name, name, old, new)
        if name in RESUMABLE or _same(old, new) or (name == "metric" and new == AUTO):
            continue
        raise UserError(
            f"{name} of study {config.name!r} cannot change: got {_shown(given[name])}; it has "
            f"{_shown(recorded[name])}. A resume may change {', '.join(RESUMABLE)} and where and how it runs; "
            "start another study for the rest"
        )
    changes = {name: getattr(wanted, name) for name in RESUMABLE if name in given}
    return replace(config, **({"hours": None} | changes))


def _same(old: Any, new: Any) -> bool:
    """Return whether two values name the same; a file is compared by name, for its content is checked elsewhere."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(_same(old[name], new[name]) for name in old)
    if isinstance(old, str | Path) and isinstance(new, str | Path):
        old, new = str(old), str(new)
        return old == new or (":" in old and ":" in new and _object(old) == _object(new)) or _one_file(old, new)
    if isinstance(old, tuple) and isinstance(new, tuple):
        return len(old) == len(new) and all(map(_same, old, new))
    return bool(old == new)


def _check_code(study: str, name: str, old: Any, new: Any) -> None:
    """Check that a file that is given again, instead of the study's copy, still has its code.

    Raises:
        UserError: It has another.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in old.keys() & new.keys():
            _check_code(study, f"{name}.{key}", old[key], new[key])
    elif isinstance(old, tuple) and isinstance(new, tuple) and len(old) == len(new):
        for one, other in zip(old, new, strict=True):
            _check_code(study, name, one, other)
    elif isinstance(old, str) and isinstance(new, str) and old != new and _object(old) == _object(new):
        copy, given = file_of(old), file_of(new)
        if copy is None or given is None or not (located(copy).is_file() and given.is_file()):
            return
        kept, now = code_sha256(located(copy)), code_sha256(given)
        if kept != now:
            raise UserError(
                f"{name} of study {study!r} cannot change: got {new} with other code, sha256 {now[:12]}; it has "
                f"{kept[:12]}. Try leaving {name} out, because the study keeps a copy, or a new study with another name"
            )


def _object(reference: str) -> str:
    """Return the name behind a file or module: the study's own copy lies elsewhere."""
    return reference.rpartition(":")[2]


def _one_file(old: str, new: str) -> bool:
    """Return whether two texts are paths of one file or folder."""
    return Path(new).expanduser().exists() and Path(old).expanduser().absolute() == Path(new).expanduser().absolute()


def _shown(value: Any) -> str:
    """Return a value as a message shows it."""
    return repr(value) if isinstance(value, str) else str(value)
