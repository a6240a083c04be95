"""An option: a field of a section, with its help, its flag and what it takes, declared in one place."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...gan_models.files.errors import UserError

_KEY = "ganprune.option"


@dataclass(frozen=True)
class Shortcut:
    """A flag for one value inside a field that is a table, such as `recipe.batch_size`.

    Attributes:
        flag: With its dashes; `--on/--off` for a truth value.
        path: The value below the field, by dots.
        kind: int, float, bool or str.
        help: One sentence.
        default: What holds without the flag, in words, if the field's own default does not say it.
        also: Other fields whose value at `path` is set too.
    """

    flag: str
    path: str
    kind: type
    help: str
    default: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Option:
    """What a field's metadata holds.

    Attributes:
        help: One sentence; the command line adds the default.
        flag: With its dashes; `--on/--off` for a truth value. Empty: the field's name with dashes.
        hidden: No flag; TOML, `--set` and Python reach it.
        internal: Set by ganprune alone.
        one_way: Of a truth value: the flag switches it on, and none switches it off.
        default: What the default means, in words, if its value does not say it.
        choices: The texts that are allowed.
        low: The smallest number that is allowed.
        unset: A number below `low` that means "not given".
        repeat: The flag is given once per value, instead of one text with commas.
        example: A text that the flag takes, for messages, if it takes NAME=VALUE.
        read: How the flag's text becomes a value, if its type does not say it.
        shortcuts: Flags of values inside the field.
    """

    help: str
    flag: str = ""
    hidden: bool = False
    internal: bool = False
    one_way: bool = False
    default: str = ""
    choices: Callable[[], tuple[str, ...]] | None = None
    low: float | None = None
    unset: float | None = None
    repeat: bool = False
    example: str = "ngf=16,n_blocks=3"
    read: Callable[[str], Any] | None = None
    shortcuts: tuple[Shortcut, ...] = ()


def option(help: str, default: Any = dataclasses.MISSING, *, factory: Any = dataclasses.MISSING, **more: Any) -> Any:
    """Return a dataclass field with an `Option` as metadata.

    Args:
        help: What it is, in one sentence.
        default: The field's default; left out: the field must be given.
        factory: Makes the default, for a mapping or a nested dataclass.
        **more: Other attributes of `Option`; `default_text` is its `default`.
    """
    more["default"] = more.pop("default_text", "")
    metadata = {_KEY: Option(help, **more)}
    if factory is not dataclasses.MISSING:
        return field(default_factory=factory, metadata=metadata)
    return field(default=default, metadata=metadata)


def options_of(section: Any) -> Mapping[str, Option]:
    """Return the options of a section by field name, in the order of the fields."""
    return {f.name: f.metadata[_KEY] for f in dataclasses.fields(section) if _KEY in f.metadata}


def check_options(section: Any) -> None:
    """Raise UserError if a value of a section is none of its choices, or below its least number."""
    for name, declared in options_of(section).items():
        value = getattr(section, name)
        if declared.choices is not None and value not in (allowed := declared.choices()):
            names = [text for text in allowed if text]
            listed = (" or " if len(names) == 2 else ", ").join(names)
            raise UserError(f"{name} {value!r} is unknown; use {listed}{', or leave it out' if '' in allowed else ''}")
        if declared.low is not None and value is not None and value != declared.unset and not value >= declared.low:
            raise UserError(f"{name} is {value}; use {declared.low:g} or more")
