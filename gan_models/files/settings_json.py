"""Small settings of a training run, and how any frozen dataclass of plain values becomes JSON and back."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from .errors import UserError

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
Settings = TypeVar("Settings")

ADVERSARIAL_MODES = ("vanilla", "lsgan", "hinge")


def settings_json(settings: object) -> dict[str, JSON]:
    """A settings dataclass as JSON values: tuples become lists, nested settings objects.

    Raises:
        TypeError: `settings` is no dataclass instance.
    """
    if not dataclasses.is_dataclass(settings) or isinstance(settings, type):
        raise TypeError(f"{settings!r} is no settings object")
    return {field.name: _plain(getattr(settings, field.name)) for field in dataclasses.fields(settings)}


def read_settings(cls: type[Settings], data: Mapping[str, JSON]) -> Settings:
    """The settings that `settings_json` wrote; fields left out take their defaults.

    Raises:
        ValueError: a field that `cls` does not have, or a value that it refuses.
    """
    fields = {field.name for field in dataclasses.fields(cls)}  # pyright: ignore[reportArgumentType]
    unknown = sorted(set(data) - fields)
    if unknown:
        raise UserError(f"unknown setting {', '.join(unknown)}; allowed are {', '.join(sorted(fields))}")
    kinds = typing.get_type_hints(cls)
    values = {}
    for name, value in data.items():
        if dataclasses.is_dataclass(kinds[name]) and isinstance(value, Mapping):
            values[name] = read_settings(typing.cast(type, kinds[name]), value)
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    try:
        return cls(**values)
    except TypeError as error:
        raise UserError(f"{cls.__name__}: {error}") from error


def _plain(value: object) -> JSON:
    if dataclasses.is_dataclass(value):
        return settings_json(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{value!r} is no plain value")


@dataclass(frozen=True)
class DiscriminatorSettings:
    """The network that judges one generator's outputs.

    Args:
        model: a name of `gan_models.networks.catalog.DISCRIMINATORS` (PatchGAN `basic`, `n_layers`, `pixel`; `sngan`'s
            discriminator takes `ndf` alone).
        ndf: channels after the first layer.
        n_layers: strided layers of a PatchGAN; 3 sees 70x70 pixels, 2 sees 34x34.
        norm: "instance" or "batch".

    Raises:
        ValueError: a field outside what is allowed.
    """

    model: str = "n_layers"
    ndf: int = 64
    n_layers: int = 3
    norm: str = "instance"

    def __post_init__(self) -> None:
        if self.ndf < 1 or self.n_layers < 1:
            raise UserError(f"discriminator ndf={self.ndf}, n_layers={self.n_layers}: both must be at least 1")
        if self.norm not in ("instance", "batch"):
            raise UserError(f"discriminator norm {self.norm!r} is unknown; use instance or batch")


def check_adversarial(mode: str) -> None:
    """ValueError unless `mode` is a known adversarial loss."""
    if mode not in ADVERSARIAL_MODES:
        raise UserError(f"adversarial loss {mode!r} is unknown; use one of {', '.join(ADVERSARIAL_MODES)}")


def check_weights(settings: object, *names: str) -> None:
    """ValueError unless the named fields are weights: finite and not negative."""
    for name in names:
        value = getattr(settings, name)
        if not 0 <= value < float("inf"):
            raise UserError(f"{name}={value} is no weight; use a number of at least 0")
