"""An option: a field of a section, with its help, its flag and what it takes, declared in one place."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...gan_models.files.errors import Refusals, UserError
from ...gan_models.files.texts.near_names import did_you_mean

_KEY = "ganprune.option"


@dataclass(frozen=True)
class Condition:
    """The condition under which an option acts. If it is given all the same, a note names it; see `setup.idle_options`.

    Attributes:
        acts: From the study's facts to whether the option acts.
        why: Reason why it does not otherwise, with what to do about it, or what makes it of the facts; it follows
            "NAME does not act: ".
        refused: An error is raised instead of the note.
    """

    acts: Callable[[Any], bool]
    why: str | Callable[[Any], str]
    refused: bool = False


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
        acts_if: The condition under which it acts; None: the field's own, or always.
    """

    flag: str
    path: str
    kind: type
    help: str
    default: str = ""
    also: tuple[str, ...] = ()
    acts_if: Condition | None = None


@dataclass(frozen=True)
class Option:
    """The metadata of a field.

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
        acts_if: The condition under which it acts; None: always.
        formerly: The field's name in earlier versions. Records and files with this name are still read.
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
    acts_if: Condition | None = None
    formerly: str = ""


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


def former_names(section: Any) -> Mapping[str, str]:
    """Return the fields of a section that had another name in earlier versions, by that name."""
    return {declared.formerly: name for name, declared in options_of(section).items() if declared.formerly}


def check_options(section: Any) -> None:
    """Raise UserError if values of a section are none of their choices, or below their least number."""
    refusals = Refusals()
    for name, declared in options_of(section).items():
        with refusals.kept():
            _check_option(name, declared, getattr(section, name))
    refusals.end()


def _check_option(name: str, declared: Option, value: Any) -> None:
    if declared.choices is not None and value not in (allowed := declared.choices()):
        names = [text for text in allowed if text]
        listed = (" or " if len(names) == 2 else ", ").join(names)
        near = did_you_mean(str(value), names)
        out = ", or leave it out" if "" in allowed else ""
        raise UserError(f"{name} {value!r} is unknown; use {listed}{out}{'. ' if near else ''}{near}")
    number = isinstance(value, int | float)
    if declared.low is not None and number and value != declared.unset and not value >= declared.low:
        raise UserError(f"{name} is {value}; use {declared.low:g} or more")


def check_given(sections: Iterable[Any], values: Mapping[str, Any]) -> None:
    """Check values that were given for what means "not given", which would be ignored.

    Args:
        sections: That declare the options.
        values: Given values by field.

    Raises:
        UserError: A number that stands for "decide it for me", or an empty list of an option that is decided then.
    """
    for section in sections:
        defaults = {f.name: f.default for f in dataclasses.fields(section)}
        for name, declared in options_of(section).items():
            if name not in values:
                continue
            value, cure = values[name], "or leave it out"
            if declared.unset is not None and value == declared.unset:
                raise UserError(f"{name} is {value}, which says nothing: use {declared.low:g} or more, {cure}")
            if defaults[name] == () and declared.default and isinstance(value, list | tuple) and not value:
                raise UserError(f"{name} is empty, which says nothing: name one or more, {cure}")
