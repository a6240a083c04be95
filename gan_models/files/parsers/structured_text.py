"""JSON, TOML and literals of Python, parsed within bounds.

The standard library's parsers raise a dozen kinds of exceptions on malicious text, and return values on which other
code fails: nested a thousand levels deep, or whole numbers of thousands of digits. Here, each of these is a
`ValueError` with the reason on one line.
"""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Callable
from typing import Any

MAX_CHARACTERS = 64_000_000
MAX_DEPTH = 64  # levels of lists and tables
MAX_DIGITS = 40  # of a whole number; 128 bits have 39

_LONG_NUMBER = re.compile(r"\d{" + str(MAX_DIGITS + 1) + r"}")
_Pairs = Callable[[list[tuple[str, Any]]], Any]


def parse_json(text: str, object_pairs_hook: _Pairs | None = None) -> Any:
    """Return the value of a JSON text.

    Args:
        text: The text.
        object_pairs_hook: As for `json.loads`.

    Raises:
        ValueError: It is not JSON, or exceeds a bound.
    """
    return _parsed(text, lambda: json.loads(text, object_pairs_hook=object_pairs_hook), "JSON")


def parse_toml(text: str) -> dict[str, Any]:
    """Return the tables of a TOML text. Raises ValueError: It is not TOML, or exceeds a bound."""
    for line in text.splitlines():  # before it is parsed: the time of a dotted key grows with the square of its length
        *keys, last = line.split("=")
        if any(key.count(".") > MAX_DEPTH for key in ([*keys, last] if line.lstrip().startswith("[") else keys)):
            raise ValueError(f"a key is nested too deeply; expected at most {MAX_DEPTH} levels")
    return _parsed(text, lambda: tomllib.loads(text), "TOML")


def parse_literal(text: str) -> Any:
    """Return the value of a literal of Python. Raises ValueError: It is none, or exceeds a bound."""
    return _parsed(text, lambda: ast.literal_eval(text), "a literal of Python")


def _parsed(text: str, parse: Callable[[], Any], kind: str) -> Any:
    """Return the result of a parser, within the bounds."""
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"it has {len(text)} characters; expected at most {MAX_CHARACTERS}")
    try:
        value = parse()
    except (RecursionError, MemoryError) as error:
        raise ValueError(f"it is nested too deeply; expected at most {MAX_DEPTH} levels") from error
    except Exception as error:  # ValueError, SyntaxError, TypeError, OverflowError, ...
        raise ValueError(f"it is not {kind}: {_reason(error)}") from error
    if "\\ud" in text or "\\uD" in text:
        _check_encodable(value)
    if text.count("[") + text.count("{") + text.count("(") + text.count(".") > MAX_DEPTH:
        _check_depth(value)
    if _LONG_NUMBER.search(text):
        _check_numbers(value)
    return value


def _reason(error: Exception) -> str:
    """Return an error's message, shortened; of one whose message cannot be made, its type."""
    try:
        return " ".join(str(error).split())[:200] or type(error).__name__
    except RecursionError:
        return type(error).__name__


def checked_value(value: Any) -> Any:
    """Return a value that another parser of JSON returned, within the same bounds.

    Raises:
        ValueError: It exceeds a bound.
    """
    _check_depth(value)
    _check_numbers(value)
    _check_encodable(value)
    return value


def _check_encodable(value: Any) -> None:
    """Raise ValueError if a text contains half of a surrogate pair, which no file and no terminal takes."""
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        raise ValueError("a text contains half of a surrogate pair; expected Unicode") from error


def _check_depth(value: Any) -> None:
    """Raise ValueError if lists and tables are nested too deeply."""
    level, depth = [value], 0
    while level := [item for one in level for item in _items(one) if isinstance(item, dict | list | tuple)]:
        depth += 1
        if depth >= MAX_DEPTH:
            raise ValueError(f"it is nested too deeply; expected at most {MAX_DEPTH} levels")


def _check_numbers(value: Any) -> None:
    """Raise ValueError if a whole number is too long."""
    level, largest = [value], 10**MAX_DIGITS
    while level:
        if any(isinstance(one, int) and abs(one) >= largest for one in level):
            raise ValueError(f"a whole number has too many digits; expected at most {MAX_DIGITS}")
        level = [item for one in level for item in _items(one)]


def _items(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple | set) else ()
