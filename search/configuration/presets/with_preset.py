"""The option `--preset NAME`: options of a published recipe, below those that are given. Imports no torch."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cache
from typing import Any

from ....gan_models.files.errors import UserError
from ..flags import Values, flags_of, merge, read_toml
from ..sections import SECTIONS
from .catalog import PRESETS

# Options of a preset that belong to another one: with a different value of that, they mean nothing.
BELONG_TO: Mapping[str, tuple[str, ...]] = {
    "model": ("model_args", "input_shape"),
    "task": ("task_settings", "direction", "load_size"),
}
ARGUMENTS = ("model", "data", "budgets")  # of `Search`: an empty one is not given


def with_preset(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with those of their preset in all places where none is given.

    Tables such as a recipe are merged by key. If another network or task is given, the preset's options that belong
    to its own one are left out. Applied again, nothing changes.

    Args:
        values: Options by name, nested by field; without `preset` they are returned unchanged.

    Raises:
        UserError: There is no such preset, or its file has mistakes.
    """
    name = values.get("preset")
    if not name:
        return dict(values)
    given = {key: value for key, value in values.items() if value or key not in ARGUMENTS}
    own = copy.deepcopy(_options(str(name)))
    for owner, belonging in BELONG_TO.items():
        if owner in given and _plain(given[owner]) != _plain(own.get(owner)):
            own = {key: value for key, value in own.items() if key not in belonging}
    return {**values, **merge(own, copy.copy(given))}


def needed_data(values: Mapping[str, Any]) -> str:
    """Return the data that a preset reads, for the message that they are missing; empty without a preset."""
    name = values.get("preset")
    if not name:
        return ""
    preset = PRESETS.find(str(name))
    counts = ", ".join(f"{count:,} {kind}" for kind, count in preset.images.items())
    return f" The preset {name} reads the folder of {preset.data}: {preset.layout} ({counts} images)"


@cache
def _options(name: str) -> Values:
    """Return the options of a preset's file."""
    preset = PRESETS.find(name)
    tables = {table: (section,) for table, section in SECTIONS.items()}
    flags = [flag for table, section in SECTIONS.items() for flag in flags_of(table, section)]
    values = read_toml(preset.path, tables, flags)
    if "preset" in values:
        raise UserError(
            f"preset {name!r} names a preset itself: got {values['preset']!r}; expected options. Try without it"
        )
    return values


def _plain(value: Any) -> Any:
    """Return a value so that a list and a tuple of equal items are equal."""
    return tuple(value) if isinstance(value, list) else value
