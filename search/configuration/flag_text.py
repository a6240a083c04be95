"""The text of a flag as a value: lists with commas, `a=1,b=2`, and the value of `--set`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from ...gan_models.files.errors import UserError
from ...gan_models.files.parsers.structured_text import MAX_DEPTH, parse_json, parse_literal, parse_toml

QUOTES = ("'", '"')
BRACKETS = {"[": "]", "(": ")", "{": "}"}
AUTO_MULTIPLE = 0  # a multiple of channels that the device's profile decides
WORDS = {"true": True, "false": False, "null": None}


def read_list(text: str) -> list[str]:
    """Return the parts of `a,b`."""
    return [part.strip() for part in text.split(",") if part.strip()]


def read_numbers(name: str, text: str, kind: type) -> list[Any]:
    """Return the numbers of `0.25,0.5`.

    Args:
        name: Name of the option, for messages.
        text: Numbers with commas between them.
        kind: int or float.

    Raises:
        UserError: A part is not a number.
    """
    numbers = []
    for part in read_list(text):
        try:
            numbers.append(kind(part))
        except ValueError:
            wanted = "whole number" if kind is int else "number"
            raise UserError(
                f"{name} has an invalid part: got {part!r}; expected {wanted}s with commas between them"
            ) from None
    return numbers


def read_arguments(texts: str | Iterable[str], example: str = "ngf=16,n_blocks=3") -> dict[str, Any]:
    """Return the values of `ngf=16,norm=batch,mult=[1,2,4],name="Res-X"`.

    A value is JSON (a number, true, false, null, a quoted text, a list or a table), a literal of Python, or else text.
    Commas within brackets and quotes belong to the value.

    Args:
        texts: One text, or several that are combined.
        example: Example of such a text, for messages.

    Raises:
        UserError: A part has no `=`, one text has two values for a name, or a bracket or quote is not closed.
    """
    values: dict[str, Any] = {}
    for text in [texts] if isinstance(texts, str) else texts:
        here: dict[str, Any] = {}
        for part in filter(str.strip, split_outside(text)):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if not equals or not name:
                raise UserError(f"{part!r} is not NAME=VALUE. Try for example {example}")
            if name in here and here[name] != _value(value):
                raise UserError(f"{text!r} has two values for {name}: got {here[name]!r} and {value}; expected one")
            here[name] = _value(value)
        values |= here
    return values


def split_outside(text: str) -> list[str]:
    """Return the parts between the commas outside brackets and quotes.

    Raises:
        UserError: A bracket or a quote is not closed, or not opened.
    """
    parts, opened, begin, escaped = [], [], 0, False
    for at, character in enumerate(text):
        if opened and opened[-1] in QUOTES:
            if character == opened[-1] and not escaped:
                opened.pop()
            escaped = character == "\\" and not escaped
        elif character in QUOTES and (opened or text[begin:at].rstrip().endswith("=")):
            opened.append(character)  # an apostrophe within a word is not a quote
        elif character in BRACKETS:
            opened.append(character)
            if len(opened) > MAX_DEPTH:
                raise UserError(f"{text!r} is nested too deeply: expected at most {MAX_DEPTH} brackets in each other")
        elif character in BRACKETS.values():
            if not opened or BRACKETS[opened.pop()] != character:
                raise UserError(f"{text!r}: {character!r} closes nothing. Try for example mult=[1,2,4]")
        elif character == "," and not opened:
            parts.append(text[begin:at])
            begin = at + 1
    if opened:
        raise UserError(f"{text!r}: {opened[-1]!r} is not closed. Try for example mult=[1,2,4] or name='Res-X'")
    return [*parts, text[begin:]]


def _value(text: str) -> Any:
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    for read in (parse_json, parse_literal):
        with contextlib.suppress(ValueError):
            return read(text)
    if text[:1] in ("[", "("):  # a shell removes the quotes of ["a","b"]
        return [_value(part.strip()) for part in split_outside(text[1:-1]) if part.strip()]
    return text


def read_nested(texts: str | Iterable[str]) -> dict[str, Any]:
    """Return the values of `weight_l1=50,discriminator.ndf=16`, a table below each dot.

    Raises:
        UserError: As `read_arguments`, or a name is both a value and a table.
    """
    values: dict[str, Any] = {}
    for name, value in read_arguments(texts, "weight_l1=50,discriminator.ndf=16").items():
        *path, last = name.split(".")
        table: Any = values
        for part in path:
            table = table.setdefault(part, {}) if isinstance(table, dict) else table
        if not isinstance(table, dict) or isinstance(table.get(last), dict):
            raise UserError(f"{name}={value} conflicts with another value of its name or table; expected one of them")
        table[last] = value
    return values


def read_health(text: str) -> dict[str, Any]:
    """Return the limits of `checks=8,diversity=0.05`; `off` means none."""
    return {"checks": 0} if text.strip().lower() == "off" else read_arguments(text, "checks=8,diversity=0.05, or off")


def read_setting(text: str) -> tuple[tuple[str, ...], Any]:
    """Return the path and the value of `training.recipe.amp=bf16`; the value is TOML, or else text.

    Raises:
        UserError: There is no `=`, or no path before it.
    """
    path, equals, value = text.partition("=")
    parts = tuple(part.strip() for part in path.split("."))
    if not equals or not all(parts):
        raise UserError(f"--set {text!r} is not PATH=VALUE. Try for example training.recipe.amp=bf16")
    try:
        return parts, parse_toml(f"value = {value}")["value"]
    except ValueError:
        return parts, value.strip()


def read_multiple(text: str) -> int:
    """Return a multiple of channels from its text, 0 from `auto`. Raises UserError: It is neither."""
    if text.strip() == "auto":
        return AUTO_MULTIPLE
    if not text.strip().isdecimal() or int(text) < 1:
        raise UserError(f"--channel-multiple is wrong: got {text!r}; expected auto, or 1 or more. Try auto")
    return int(text)
