"""Strict conversion of frozen dataclasses to JSON and back, by pydantic.

Every value that crosses a folder's border or is stored is a frozen dataclass of plain fields: numbers, text, tuples,
mappings, other such dataclasses. `to_json` and `from_json` are the only functions that convert them to JSON and back.
JSON has no NaN and no infinity: such numbers are written as the texts `nan`, `inf` and `-inf`, and read back as
numbers. So other programs can read the file and the database row.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import PurePath
from typing import Any, TypeAlias, TypeVar, cast

from .errors import Refusals, UserError, errors_of

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"
Value = TypeVar("Value")

_LATER_KEY = "ganprune.later"


def later(default: Any = dataclasses.MISSING, *, factory: Any = dataclasses.MISSING) -> Any:
    """Return a dataclass field that a later version added: at its default it is left out of JSON.

    Records, hashes and fingerprints of earlier versions stay unchanged.

    Args:
        default: The value that reproduces the earlier version's behavior.
        factory: Function that makes that value, for a mapping.
    """
    metadata = {_LATER_KEY: True}
    if factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def _left_out(field: dataclasses.Field[Any], value: Any) -> bool:
    """Return True if a field of `later` has its default value."""
    if _LATER_KEY not in field.metadata:
        return False
    return value == (field.default if field.default_factory is dataclasses.MISSING else field.default_factory())


def to_json(value: Any) -> Any:
    """Return a value as strict JSON.

    Args:
        value: A dataclass instance, mapping, sequence, path, text, number, or None, nested to any depth.

    Returns:
        The same as dicts, lists, texts and numbers; NaN and infinities as their texts.

    Raises:
        ValueError: Some value in it has no JSON form; the message names its type.
    """
    fields = getattr(type(value), "__dataclass_fields__", None)
    if fields is not None and not isinstance(value, type):
        values = {name: getattr(value, name) for name in fields}
        return {name: to_json(item) for name, item in values.items() if not _left_out(fields[name], item)}
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [to_json(item) for item in value]
    raise ValueError(
        f"a value has no JSON form: got {type(value).__name__} {value!r:.60}; expected a number, text or list"
    )


def from_json(cls: type[Value], data: Any, where: str = "") -> Value:
    """Return the value of a class that `to_json` wrote.

    Omitted fields have their defaults; a class's `__post_init__` checks what its types cannot express.

    Args:
        cls: A dataclass, or any type that pydantic knows (`dict[str, Plan]`, `tuple[int, ...]`).
        data: JSON values: dicts, lists, texts, numbers.
        where: The place of `data`, for messages: a file, a table, an option.

    Returns:
        The value; lists have become tuples and texts of numbers numbers, as the fields' types say.

    Raises:
        UserError: A field is unknown or missing, or a value does not fit its field; one line.
    """
    from pydantic import ValidationError

    try:
        return _validator(cls).validate_python([data])[0]
    except ValidationError as error:
        refusals = Refusals()
        for complaint in _by_field(error):
            for line in _lines(cls, complaint, where):
                refusals.add(UserError(line))
        try:
            refusals.end()
        except UserError as told:
            raise told from error
        raise


@cache
def _validator(cls: Any) -> Any:
    """Return the validator of a type, strict except for types that JSON lacks.

    JSON has no tuples, no NaN, and only texts as keys: only these are converted. A whole number stays whole in a field
    of type float, so that a rewritten record is the same and has the same hash. A list around the class makes one
    configuration apply to each dataclass inside.
    """
    from pydantic import ConfigDict, TypeAdapter
    from pydantic_core import SchemaValidator

    config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)
    wrapped: Any = list.__class_getitem__(cls)
    schema = TypeAdapter(wrapped, config=config).core_schema
    return SchemaValidator(_relaxed(schema))


_NOT_FINITE = ("nan", "inf", "-inf")
_CONVERTED_KINDS = ("dataclass", "tuple", "float", "dict", "list", "set", "frozenset", "generator")


def _relaxed(schema: Any, key: bool = False) -> Any:
    """Return a core schema whose containers and floats take JSON's forms; integers only as keys."""
    if isinstance(schema, list):
        return [_relaxed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    relaxed = {name: _relaxed(item, key=name == "keys_schema") for name, item in schema.items()}
    if relaxed.get("type") in _CONVERTED_KINDS or (key and relaxed.get("type") == "int"):
        relaxed["strict"] = False
    if relaxed.get("type") == "float" and not key:
        from pydantic_core.core_schema import no_info_wrap_validator_function

        return no_info_wrap_validator_function(_number, cast(Any, relaxed))
    return relaxed


def _number(value: Any, convert: Any) -> Any:
    """Return the number of a float field: whole numbers unchanged, `nan` and infinities from their texts."""
    if isinstance(value, bool) or (isinstance(value, str) and value not in _NOT_FINITE):
        from pydantic_core import PydanticKnownError

        raise PydanticKnownError("float_type")
    number = convert(value)
    return value if isinstance(value, int) else number


def _by_field(error: Any) -> Iterable[Any]:
    """Return pydantic's first error of each field; it reports one for every member of a union."""
    complaints: dict[Any, Any] = {}
    for each in error.errors(include_url=False):
        complaints.setdefault(each["loc"][1:2], each)  # the first part is the list around the class
    return complaints.values()


def _lines(cls: Any, first: Any, where: str) -> list[str]:
    """Return an error as lines with the given and the expected value; several if a class reports several."""
    path = first["loc"][1:]
    place = ": ".join(part for part in (where, ".".join(map(str, path))) if part) or getattr(cls, "__name__", str(cls))
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        fields = sorted(getattr(cls, "__dataclass_fields__", {})) if len(path) == 1 else []
        return [f"{place} is not a known field" + (f"; expected one of {', '.join(fields)}" if fields else "")]
    if first["type"].startswith("missing"):
        return [f"{place} is missing"]
    if first["type"] == "value_error":  # raised by a __post_init__, whose message is complete
        raised = first["ctx"]["error"]
        each = errors_of(raised) if isinstance(raised, UserError) else (raised,)
        return [f"{where}: {one}" if where else str(one) for one in each]
    return [f"{place}: got {first['input']!r:.80}; expected {first['msg'].removeprefix('Input should be ')}"]
