"""Mutations of bytes and of nested values: small damage, and values that an attacker would choose."""

import copy
import json
import math
import random
import struct
from typing import Any

from .guard import BAIT, MARK

PATHS = (
    "../../../outside/stolen", "../stolen", "/etc/passwd", "outside/secret", "../../outside/secret", "..", "/", "",
    "C:\\stolen", "a\0b", "~/stolen", "x" * 5000, "source.py", "con/../../../outside/secret",
)  # fmt: skip
TEXTS = (
    f"<script>{MARK}()</script>", f"'];import os;{MARK}=1;#", f"{{{{ {MARK} }}}}", "\x1b[2J\x1b]0;x\x07", "a\nb\r\nc",
    "\u202egnp.exe", "\ud800", "'; DROP TABLE trials; --", "%s%n%x", "=cmd|' /C calc'!A0", "x" * 100_000,
    f"{BAIT[0]}:fly", f"{BAIT[1]}", f"{MARK}.py:build", f"/tmp/{MARK}.py:build", "builtins:exec", "os:system",
    "nan", "inf", "-inf", "1e999", "0x10", "١٢", "None", "true", "file:///etc/passwd", f"__import__('{BAIT[0]}')",
)  # fmt: skip
NUMBERS = (
    0, -1, 1, 2, 3, 255, 2**15, 2**31 - 1, 2**31, -(2**31), 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**30, 10**400, 0.0, -0.0, 0.5,
    1e308, -1e308, 1e-320, math.nan, math.inf, -math.inf, 10_000, 1_000_000,
)  # fmt: skip


def deep(depth: int, of_lists: bool) -> Any:
    """Return a value nested to a depth."""
    value: Any = 1
    for _ in range(depth):
        value = [value] if of_lists else {"a": value}
    return value


def odd_value(dice: random.Random) -> Any:
    """Return a value of any type that a reader may not expect."""
    kind = dice.randrange(9)
    if kind < 3:
        return dice.choice(NUMBERS)
    if kind < 5:
        return dice.choice(TEXTS)
    if kind == 5:
        return dice.choice(PATHS)
    if kind == 6:
        return dice.choice([None, True, False, [], {}, [[]], [None], {"": None}, {"a": 1}, [0, 0], [1, "a"], [3, 2, 1]])
    if kind == 7:
        return deep(dice.choice([10, 200, 900]), dice.random() < 0.5)
    return dice.choice([[0] * 20_000, {str(i): i for i in range(5000)}, ["x"] * 1000, list(range(3000))])


def mutated_tree(tree: Any, dice: random.Random, times: int = 1) -> Any:
    """Return a copy of nested dicts and lists with some places changed."""
    tree = copy.deepcopy(tree)
    for _ in range(times):
        holders = list(_holders(tree))
        if not holders:
            return odd_value(dice)
        holder, key = dice.choice(holders)
        how = dice.randrange(8)
        if how < 4:
            holder[key] = odd_value(dice)
        elif how == 4:
            del holder[key]
        elif how == 5:
            other, at = dice.choice(holders)
            holder[key] = copy.deepcopy(other[at]) if at in other or isinstance(other, list) else None
        elif how == 6 and isinstance(holder, dict):
            name = dice.choice([*PATHS[:4], *TEXTS[:8], "a", "", f"{key}2", "widths", "kept", "__class__"])
            holder[name] = holder.pop(key) if dice.random() < 0.5 else copy.deepcopy(holder[key])
        elif isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        else:
            holder[key] = _other_type(holder[key], dice)
    return tree


def _holders(tree: Any):
    """Yield every (container, key) in a tree."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            keys = list(node)
        elif isinstance(node, list):
            keys = list(range(min(len(node), 50)))  # of a long list the first are enough
        else:
            continue
        for key in keys:
            yield node, key
            stack.append(node[key])


def _other_type(value: Any, dice: random.Random) -> Any:
    if isinstance(value, bool | None):
        return dice.choice([1, "x", []])
    if isinstance(value, int | float):
        return dice.choice([str(value), [value], {"value": value}, -value, value * 1e6, value + 0.5, bool(value)])
    if isinstance(value, str):
        return dice.choice([[value], {value: value}, value * 2, value[:-1], value.upper(), len(value), list(value)])
    if isinstance(value, list):
        return dice.choice(
            [dict(enumerate(map(str, value))), value[::-1], value * 3, value[:1], json.dumps(value)[:2000]]
        )
    return dice.choice([list(value.values()), [value], json.dumps(value)[:2000], list(value.items())])


def as_json(tree: Any, dice: random.Random) -> bytes:
    """Return a tree as JSON, sometimes damaged as text: nested deeply, duplicated keys, other encodings."""
    text = json.dumps(tree, default=str)
    how = dice.randrange(24)
    if how == 0:
        text = "[" * 100_000
    elif how == 1:
        text = text[:-1] + ',"a":' + '{"a":' * 50_000 + "1" + "}" * 50_000 + "}"
    elif how == 2:
        text = text[: dice.randrange(len(text) + 1)]
    elif how == 3:
        return text.encode("utf-16")
    elif how == 4:
        return b"\xef\xbb\xbf" + text.encode()
    elif how == 5:
        text = text.replace(":", ": 1" + "0" * 5000 + ", ", 1) if dice.random() < 0.5 else "1" + "0" * 5000
    elif how == 6:
        return mutated_bytes(text.encode("utf-8", "surrogatepass"), dice)
    return text.encode("utf-8", "surrogatepass")


def mutated_bytes(content: bytes, dice: random.Random, other: bytes = b"") -> bytes:
    """Return bytes with one to eight changes: bits flipped, parts cut, repeated, spliced, or numbers made huge."""
    data = bytearray(content)
    for _ in range(dice.choice([1, 1, 1, 2, 3, 8])):
        if not data:
            return bytes(dice.randrange(256) for _ in range(dice.randrange(40)))
        # Headers decide: half of the changes are near the beginning.
        at = dice.randrange(min(len(data), 200) if dice.random() < 0.5 else len(data))
        length = min(dice.choice([1, 4, 16, 200, 4000]), len(data) - at)
        how = dice.randrange(10)
        if how < 2:
            data[at] ^= 1 << dice.randrange(8)
        elif how == 2:
            data[at] = dice.choice([0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)])
        elif how == 3:
            del data[at:]
        elif how == 4:
            del data[at : at + length]
        elif how == 5:
            data[at:at] = data[at : at + length] * dice.choice([1, 2, 50])
        elif how == 6:
            form, number = dice.choice(
                [
                    ("<I", 2**32 - 1),
                    (">I", 2**31 - 1),
                    ("<Q", 2**63),
                    (">I", 100_000),
                    ("<I", 100_000),
                    (">H", 65535),
                    ("<Q", 2**40),
                ]
            )
            packed = struct.pack(form, number)
            data[at : at + len(packed)] = packed
        elif how == 7 and other:
            start = dice.randrange(len(other))
            data[at : at + length] = other[start : start + length]
        elif how == 8:
            data[at : at + length] = bytes(length)
        else:
            data[at:at] = bytes(dice.randrange(256) for _ in range(dice.choice([1, 7, 64])))
    return bytes(data[:4_000_000])


def splices(one: bytes, other: bytes, dice: random.Random) -> bytes:
    """Return the beginning of one file and the end of another."""
    return one[: dice.randrange(len(one) + 1)] + other[dice.randrange(len(other) + 1) :]
