"""Settings of pruning methods: frozen dataclasses whose fields define what a search may choose. Imports no torch.

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
    """A setting of a method: its default and allowed values.

    Attributes:
        name: The field's name in the method's settings class.
        default: The value that the ladder uses.
        low, high: Range of a number; both None for a choice.
        log: True if the range is searched on a log scale.
        choices: The values of a choice.
        note: One line for tables.
        searched: True for a dimension of the method's space; False for the study's value, or the default.

    Raises:
        UserError: It has neither a range nor choices, or the default is outside.
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
                raise UserError(
                    f"invalid default of setting {self.name}: got {self.default!r}; expected one of {self.choices}"
                )
        elif self.low is None or self.high is None or not self.low <= self.default <= self.high:
            raise UserError(
                f"invalid default of setting {self.name}: got {self.default!r}; expected [{self.low}, {self.high}]"
            )

    @property
    def allowed(self) -> str:
        """Its allowed values, for tables and messages."""
        if self.choices:
            return ", ".join(map(str, self.choices))
        return f"{self.low:g} to {self.high:g}{' (log)' if self.log else ''}"

    def allows(self, value: Any) -> bool:
        """Return True if a value is one of the choices, of their type, or a number in the range."""
        if self.choices:
            return any(value == choice and type(value) is type(choice) for choice in self.choices)
        assert self.low is not None
        assert self.high is not None
        return isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high


@dataclass(frozen=True)
class NoSettings:
    """The settings of a method without settings."""


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
    """Return a dataclass field with the values that a search may choose.

    Args:
        default: The value that the ladder uses.
        low: Lower end of a number's range.
        high: Upper end.
        log: Search the range on a log scale.
        choices: The values of a choice; not needed if the field's type is a `Literal` or `bool`.
        note: One line for tables.
        searched: False for a setting that a study may fix and a search does not vary.
    """
    values = {"low": low, "high": high, "log": log, "choices": choices, "note": note, "searched": searched}
    return dataclasses.field(default=default, metadata={_KEY: values})


@cache
def settings_of(cls: type) -> tuple[Setting, ...]:
    """Return every setting of a settings class, in the order of its fields.

    Raises:
        UserError: It is not a frozen dataclass, or a field is not made by `setting`.
    """
    parameters = getattr(cls, "__dataclass_params__", None)
    if not isinstance(cls, type) or parameters is None or not parameters.frozen:
        raise UserError(f"invalid settings: got {cls!r:.80}; expected a class made by @dataclass(frozen=True)")
    hints = get_type_hints(cls)
    return tuple(_setting(cls, item, hints[item.name]) for item in dataclasses.fields(cls))


def _setting(cls: type, item: dataclasses.Field[Any], hint: Any) -> Setting:
    where = f"setting {item.name} of {cls.__name__}"
    if _KEY not in item.metadata:
        raise UserError(f"{where} has no range: expected one. Try setting(default, low=..., high=...) or choices=(...)")
    values = dict(item.metadata[_KEY])
    if not values["choices"]:
        values["choices"] = get_args(hint) if get_origin(hint) is Literal else (True, False) if hint is bool else ()
    if hint is int and not values["choices"]:
        raise UserError(f"{where} is a whole number with a range: expected choices. Try choices=(...)")
    return Setting(item.name, item.default, **values)
