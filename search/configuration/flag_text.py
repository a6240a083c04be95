"""The text of a flag as a value: lists with commas, `a=1,b=2`, and the value of `--set`."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from typing import Any

from ...gan_models.files.errors import UserError


def read_list(text: str) -> list[str]:
    """Return the parts of `a,b`."""
    return [part.strip() for part in text.split(",") if part.strip()]


def read_numbers(name: str, text: str, kind: type) -> list[Any]:
    """Return the numbers of `0.25,0.5`.

    Args:
        name: The option, for messages.
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
            raise UserError(f"{name}: {part!r} is no {wanted}; write {wanted}s with commas between them") from None
    return numbers


def read_arguments(texts: str | Iterable[str], example: str = "ngf=16,n_blocks=3") -> dict[str, Any]:
    """Return the values of `ngf=16,norm=batch,dropout=true`; numbers, true, false and null are read as such.

    Args:
        texts: One text, or several that add up.
        example: What such a text looks like, for messages.

    Raises:
        UserError: A part has no `=`.
    """
    values: dict[str, Any] = {}
    for text in [texts] if isinstance(texts, str) else texts:
        for part in text.split(","):
            if not part.strip():
                continue
            name, equals, value = part.partition("=")
            if not equals or not name.strip():
                raise UserError(f"{part!r} is not NAME=VALUE; write for example {example}")
            try:
                values[name.strip()] = json.loads(value.strip().lower())
            except json.JSONDecodeError:
                values[name.strip()] = value.strip()
    return values


def read_nested(texts: str | Iterable[str]) -> dict[str, Any]:
    """Return the values of `weight_l1=50,discriminator.ndf=16`, a table below each dot. Raises as `read_arguments`."""
    values: dict[str, Any] = {}
    for name, value in read_arguments(texts, "weight_l1=50,discriminator.ndf=16").items():
        *path, last = name.split(".")
        table = values
        for part in path:
            table = table.setdefault(part, {})
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
        raise UserError(f"--set {text!r} is not PATH=VALUE; write for example training.recipe.amp=bf16")
    try:
        return parts, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return parts, value.strip()
