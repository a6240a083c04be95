"""An option: a field of a section, with its help, flag and allowed values, declared in one place."""

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
    """The condition under which an option has an effect. A note names an option without; see `setup.idle_options`.

    Attributes:
        acts: Function of the study's facts that returns True if the option has an effect.
        why: Reason that it has none otherwise, with a remedy, or a function of the facts that returns it; it follows
            "NAME does not act: ".
        refused: True to raise an error instead of the note.
    """

    acts: Callable[[Any], bool]
    why: str | Callable[[Any], str]
    refused: bool = False


@dataclass(frozen=True)
class Shortcut:
    """A flag for one value inside a field that is a table, such as `recipe.batch_size`.

    Attributes:
        flag: Flag with its dashes; `--on/--off` for a truth value.
        path: Path of the value below the field, with dots.
        kind: int, float, bool or str.
        help: Help text of one sentence.
        default: The value without the flag, in words, if the field's own default is not clear.
        also: Other fields whose value at `path` is also set.
        acts_if: The condition under which it has an effect; None: the field's own, or always.
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
        help: Help text of one sentence; the command line adds the default.
        flag: Flag with its dashes; `--on/--off` for a truth value. Empty: the field's name with dashes.
        hidden: True if it has no flag, and only TOML, `--set` and Python set it.
        internal: True if only ganprune sets it.
        one_way: True if the flag of a truth value switches it on, and no flag switches it off.
        default: The default in words, if its value is not clear.
        choices: The allowed texts.
        low: The minimum allowed number.
        unset: A number below `low` that means "not given".
        repeat: True if the flag is given once per value, instead of one text with commas.
        example: Example of the flag's text, for messages, if it takes NAME=VALUE.
        read: Function from the flag's text to a value, if its type does not suffice.
        shortcuts: Flags of values inside the field.
        acts_if: The condition under which it has an effect; None: always.
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
        help: Description in one sentence.
        default: The field's default; if omitted, the field is required.
        factory: Function that makes the default, for a mapping or a nested dataclass.
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
    """Return the fields of a section that had another name in earlier versions, by the earlier name."""
    return {declared.formerly: name for name, declared in options_of(section).items() if declared.formerly}


def check_options(section: Any) -> None:
    """Raise UserError if values of a section are not among their choices, or below their minimum."""
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
    """Check given values for those that mean "not given", which would be ignored.

    Args:
        sections: The sections that declare the options.
        values: Given values by field.

    Raises:
        UserError: A number means "not given", or an empty list belongs to an option with an automatic default.
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
                raise UserError(f"{name} is empty: expected one or more. Try one, {cure}")
