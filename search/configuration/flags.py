"""The flags of sections, and how flags, TOML tables and `--set` become one nested mapping of values.

A value is addressed by the path of its fields: `("recipe", "batch_size")`. TOML has one table per section. A field may
also be at the top level, and a flag's name may replace its field's. Values of TOML are never converted to the text of a
flag.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any

from ...gan_models.files.errors import UserError
from ...gan_models.files.parsers.structured_text import parse_toml
from ...gan_models.files.texts.near_names import MAX_NEAR_NAMES, did_you_mean
from .flag_text import read_arguments, read_list, read_numbers, read_setting
from .option import Option, Shortcut, former_names, options_of

Values = dict[str, Any]  # nested: field, field of the field, ...
Tables = Mapping[str, tuple[type, ...]]  # the sections of each table of TOML


@dataclass(frozen=True)
class Flag:
    """One flag of the command line.

    Attributes:
        name: The parameter: `batch_size`.
        spelling: Spelling with dashes: `--batch-size`, `--flip/--no-flip`.
        kind: Type of its text: int, float, bool, str, or list for a repeatable one.
        help: Help text, with the default at its end.
        table: Name of its section.
        paths: Paths of the values that it sets.
        read: Function from the flag's text to the value, if `kind` does not suffice; it returns values of TOML
            unchanged.
        empty: True if an empty text is a value, an empty list.
    """

    name: str
    spelling: str
    kind: type
    help: str
    table: str
    paths: tuple[tuple[str, ...], ...]
    read: typing.Callable[[Any], Any] | None = None
    empty: bool = False


def flags_of(table: str, section: type) -> Iterator[Flag]:
    """Yield the flags of a section's fields, each field's shortcuts after its own flag."""
    hints = typing.get_type_hints(section)
    defaults = {f.name: _default(f) for f in dataclasses.fields(section)}
    for name, declared in options_of(section).items():
        if declared.internal:
            continue
        if not declared.hidden:
            yield _own_flag(table, name, declared, hints[name], defaults[name])
        for shortcut in declared.shortcuts:
            yield _shortcut_flag(table, name, shortcut, defaults[name])


def read_flags(flags: Iterable[Flag], given: Mapping[str, Any]) -> Values:
    """Return the values of the given flags.

    Args:
        flags: All flags.
        given: Values by parameter; None or an empty list: not given.

    Raises:
        UserError: A text is invalid for its option, or empty, which would be ignored.
    """
    values: Values = {}
    for flag in flags:
        if given.get(flag.name) not in (None, []):
            texts = given[flag.name] if isinstance(given[flag.name], list) else [given[flag.name]]
            if not flag.empty and any(isinstance(text, str) and not text.strip() for text in texts):
                raise UserError(f"{flag.spelling} is empty: expected a value. Try omitting it")
            _assign(values, flag, given[flag.name])
    return values


def spelling_of(spelling: str, value: Any) -> str:
    """Return a flag as it was given: for `--on/--off`, the one that sets this value."""
    on, _, off = spelling.partition("/")
    return off if value is False and off else on if off or value is not False else f"--no-{on.removeprefix('--')}"


def read_toml(path: Path, tables: Tables, flags: Iterable[Flag]) -> Values:
    """Return the values of a TOML file with one table per section; fields may stand at the top level too.

    Raises:
        UserError: The file cannot be read, is not TOML, or has an unknown key; the message names the key, its table,
            and the options with similar names.
    """
    try:
        # Editors on Windows start a file with a byte-order mark.
        content = parse_toml(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"cannot read the configuration {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    return read_tables(content, tables, flags, str(path))


def read_settings(texts: Iterable[str], tables: Tables, flags: Iterable[Flag]) -> Values:
    """Return the values of `--set PATH=VALUE`, given any number of times. Raises UserError like `read_toml`."""
    values: Values = {}
    for text in texts:
        path, value = read_setting(text)
        for part in reversed(path):
            value = {part: value}
        merge(values, read_tables(value, tables, flags, "--set"))
    return values


def read_tables(content: Mapping[str, Any], tables: Tables, flags: Iterable[Flag], where: str) -> Values:
    """Return the values of nested tables in TOML's form.

    Args:
        content: Sections as tables, fields at the top level, or both.
        tables: The sections of each table.
        flags: Their flags, whose names may replace those of fields.
        where: The file, for messages.

    Raises:
        UserError: A key is unknown.
    """
    flags = tuple(flags)
    values: Values = {}
    for key, value in content.items():
        if key in tables and isinstance(value, Mapping):
            fields = _fields({key: tables[key]})
            own = [flag for flag in flags if flag.table == key]
            for inner, item in value.items():
                _place(values, inner, item, fields, own, f"{where}: [{key}]")
        elif key in tables and not _known(key, _fields(tables), flags):
            raise UserError(f"{where}: [{key}] is a table of options: got {key} = {value!r}; write [{key}] above them")
        else:
            _place(values, key, value, _fields(tables), flags, where)
    return values


def merge(values: Values, later: Values) -> Values:
    """Update `values` in place and return it: tables are merged by key, and values of `later` have precedence."""
    for name, value in later.items():
        if isinstance(value, dict) and isinstance(values.get(name), dict):
            merge(values[name], value)
        else:
            values[name] = value
    return values


def _fields(tables: Tables) -> dict[str, type]:
    """Return the section of each field that a user may set."""
    sections = [section for several in tables.values() for section in several]
    return {name: s for s in sections for name, declared in options_of(s).items() if not declared.internal}


def _known(key: str, fields: Mapping[str, type], flags: Iterable[Flag]) -> bool:
    """Return True if a key is a field or a flag."""
    name = key.replace("-", "_")
    return name in fields or any(flag.name == name for flag in flags)


def _place(values: Values, key: str, value: Any, fields: Mapping[str, type], flags: Iterable[Flag], where: str) -> None:
    """Set one entry of a table at its place."""
    former = {old: now for section in set(fields.values()) for old, now in former_names(section).items()}
    name = key.replace("-", "_")
    name = former.get(name, name)
    flags = tuple(flags)
    flag = next((flag for flag in flags if flag.name == name or flag.paths == ((name,),)), None)
    if flag is not None:
        _assign(values, flag, value)
    elif name in fields:
        merge(values, {name: _nested(value, typing.get_type_hints(fields[name])[name], f"{where}.{key}")})
    else:
        known = sorted({flag.name.replace("_", "-") for flag in flags} | {name.replace("_", "-") for name in fields})
        raise UserError(f"{where}: unknown option {key!r}. {_near(key.replace('_', '-'), known)}")


def _nested(value: Any, hint: Any, where: str) -> Any:
    """Return a table of a nested dataclass with its keys checked; other values are returned unchanged."""
    kind = _plain_kind(hint)
    if not (isinstance(value, Mapping) and dataclasses.is_dataclass(kind)):
        return dict(value) if isinstance(value, Mapping) else value
    hints = typing.get_type_hints(kind)
    found = {}
    for key, item in value.items():
        name = key.replace("-", "_")
        if name not in hints:
            raise UserError(f"{where}: unknown option {key!r}. {_near(name, sorted(hints))}")
        found[name] = _nested(item, hints[name], f"{where}.{key}")
    return found


def _near(key: str, known: list[str]) -> str:
    """Return the names similar to a key, or all names."""
    return did_you_mean(key, known, MAX_NEAR_NAMES) or f"Expected one of {', '.join(known)}"


def _assign(values: Values, flag: Flag, value: Any) -> None:
    """Set the values of a flag; a text for an option of another type is read as on the command line."""
    if flag.read is not None:
        value = flag.read(value)
    for path in flag.paths:
        tree: Any = value
        for part in reversed(path):
            tree = {part: tree}
        merge(values, tree)


def _own_flag(table: str, name: str, declared: Option, hint: Any, default: Any) -> Flag:
    spelling = declared.flag or f"--{name.replace('_', '-')}"
    kind = _plain_kind(hint)
    if kind is bool and "/" not in spelling and not declared.one_way:
        spelling = f"{spelling}/--no-{spelling.removeprefix('--')}"
    plain = kind is str or (kind in (int, float, bool) and declared.read is None)
    text = list if declared.repeat else (kind if plain else str)
    read = None if plain else _reader(spelling, declared, kind)
    return Flag(
        _parameter(spelling),
        spelling,
        text,
        _with_default(declared.help, declared.default, default),
        table,
        ((name,),),
        read,
        isinstance(default, tuple) and bool(default),
    )


def _is_text(value: Any) -> bool:
    """Return True if a value is a flag's text, or the texts of a repeated flag."""
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(part, str) for part in value))


def _reader(spelling: str, declared: Option, kind: Any) -> typing.Callable[[Any], Any]:
    """Return a function from a flag's text to the field's value, which returns values of TOML unchanged."""
    origin = typing.get_origin(kind)
    item = (typing.get_args(kind) or (str,))[0]

    def read(value: Any) -> Any:
        if not _is_text(value) or (origin is tuple and isinstance(value, list)):
            return value
        if declared.read is not None:
            return declared.read(value)
        if origin is not tuple:
            return read_arguments(value, declared.example)
        if declared.repeat:
            return [value]
        return read_list(value) if item is str else read_numbers(spelling, value, item)

    return read


def _shortcut_flag(table: str, field: str, shortcut: Shortcut, default: Any) -> Flag:
    path = tuple(shortcut.path.split("."))
    for part in path:
        default = getattr(default, part, None)
    paths = tuple((name, *path) for name in (field, *shortcut.also))
    help_text = _with_default(shortcut.help, shortcut.default, default)
    return Flag(_parameter(shortcut.flag), shortcut.flag, shortcut.kind, help_text, table, paths)


def _parameter(spelling: str) -> str:
    return spelling.partition("/")[0].removeprefix("--").replace("-", "_")


def _with_default(text: str, words: str, default: Any) -> str:
    """Return a help text that ends with the default."""
    if words:
        return f"{text} [default: {words}]"
    if default is dataclasses.MISSING:
        return f"{text} [required]"
    if default is None or (not isinstance(default, bool | int | float) and not default):
        return f"{text} [default: none]"
    if isinstance(default, bool):
        return f"{text} [default: {'on' if default else 'off'}]"
    if isinstance(default, tuple):
        return f"{text} [default: {','.join(map(str, default))}]"
    return f"{text} [default: {default}]"


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _plain_kind(hint: Any) -> Any:
    """Return X of `X | None`, and str of a literal."""
    if isinstance(hint, UnionType) or typing.get_origin(hint) is typing.Union:
        hint = next(part for part in typing.get_args(hint) if part is not NoneType)
    return str if typing.get_origin(hint) is typing.Literal else hint
