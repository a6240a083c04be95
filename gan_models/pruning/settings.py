"""Settings of pruning methods: frozen dataclasses whose fields say what a search may choose. Imports no torch.

@dataclass(frozen=True)
class MySettings:
    rate: float = setting(0.3, low=0.03, high=1.0, log=True, note="learning rate of the gates")
    form: Literal["soft", "hard"] = setting("soft", note="form of the gates")
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

from ..files.errors import UserError

_KEY = "ganprune.setting"


@dataclass(frozen=True)
class Setting:
    """One setting of a method: its default and what it may be.

    Attributes:
        name: The field's name in the method's settings class.
        default: The value that the ladder uses.
        low, high: Range of a number; both None for a choice.
        log: True if the range is searched on a log scale.
        choices: The values of a choice.
        note: One line for tables.
        searched: True for a dimension of the method's space; False keeps what the study says, or the default.

    Raises:
        UserError: Neither a range nor choices, or a default outside of them.
    """

    name: str
    default: Any
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Any, ...] = ()
    note: str = ""
    searched: bool = True

    def __post_init__(self) -> None:
        """Check that the default is inside."""
        if self.choices:
            if self.default not in self.choices:
                raise UserError(f"setting {self.name}: default {self.default!r} is none of {self.choices}")
        elif self.low is None or self.high is None or not self.low <= self.default <= self.high:
            raise UserError(f"setting {self.name}: default {self.default!r} outside [{self.low}, {self.high}]")

    @property
    def allowed(self) -> str:
        """Its values, for tables and messages."""
        if self.choices:
            return ", ".join(map(str, self.choices))
        return f"{self.low:g} to {self.high:g}{' (log)' if self.log else ''}"

    def allows(self, value: Any) -> bool:
        """Return whether a value is one of the choices, of their type, or a number in the range."""
        if self.choices:
            return any(value == choice and type(value) is type(choice) for choice in self.choices)
        assert self.low is not None
        assert self.high is not None
        return isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high


@dataclass(frozen=True)
class NoSettings:
    """The settings of a method that has none."""


def setting(
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    log: bool = False,
    choices: tuple[Any, ...] = (),
    note: str = "",
    searched: bool = True,
) -> Any:
    """Return a dataclass field that carries what a search may choose.

    Args:
        default: The value that the ladder uses.
        low: Lower end of a number's range.
        high: Upper end.
        log: Search the range on a log scale.
        choices: The values of a choice; not needed if the field's type is a `Literal` or `bool`.
        note: One line for tables.
        searched: False for what a study may set and a search leaves alone.
    """
    values = {"low": low, "high": high, "log": log, "choices": choices, "note": note, "searched": searched}
    return dataclasses.field(default=default, metadata={_KEY: values})


@cache
def settings_of(cls: type) -> tuple[Setting, ...]:
    """Return every setting of a settings class, in the order of its fields.

    Raises:
        UserError: It is no frozen dataclass, or one of its fields is not made by `setting`.
    """
    parameters = getattr(cls, "__dataclass_params__", None)
    if not isinstance(cls, type) or parameters is None or not parameters.frozen:
        raise UserError(f"settings {cls!r:.80} are no class made by @dataclass(frozen=True)")
    hints = get_type_hints(cls)
    return tuple(_setting(cls, item, hints[item.name]) for item in dataclasses.fields(cls))


def _setting(cls: type, item: dataclasses.Field[Any], hint: Any) -> Setting:
    where = f"setting {item.name} of {cls.__name__}"
    if _KEY not in item.metadata:
        raise UserError(f"{where} has no range; write it as setting(default, low=..., high=...) or with choices=(...)")
    values = dict(item.metadata[_KEY])
    if not values["choices"]:
        values["choices"] = get_args(hint) if get_origin(hint) is Literal else (True, False) if hint is bool else ()
    if hint is int and not values["choices"]:
        raise UserError(f"{where} is a whole number: give choices=(...) instead of a range")
    return Setting(item.name, item.default, **values)
