"""Text of messages, fit for a terminal and a log: no control characters, and of a readable length."""

from __future__ import annotations

import unicodedata

MAX_CHARACTERS = 800
_HEAD_CHARACTERS = 550
_LINES = ("Zl", "Zp")  # categories of Unicode's line and paragraph separators


def message_line(text: str) -> str:
    """Return a text as one line of at most `MAX_CHARACTERS` characters.

    Texts of files are quoted in messages. Line breaks, escape sequences of terminals and marks of the direction of text
    are shown by their codes. Of a long text the middle is left out: the advice is at the end.
    """
    text = _shortened(text)
    if text.isascii() and text.isprintable():
        return text
    return _shortened("".join(character if _is_shown(character) else _code(character) for character in text))


def _shortened(text: str) -> str:
    tail = MAX_CHARACTERS - _HEAD_CHARACTERS - 5
    return text if len(text) <= MAX_CHARACTERS else f"{text[:_HEAD_CHARACTERS]} ... {text[-tail:]}"


def _is_shown(character: str) -> bool:
    category = unicodedata.category(character)
    return not category.startswith("C") and category not in _LINES


def _code(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
