"""JSON of frozen dataclasses: what is written is read back, and what does not fit is refused in one line."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pytest
from ganprune.gan_models.files.errors import Refusals, UserError, UserErrors, errors_of
from ganprune.gan_models.files.plain_values import from_json, later, to_json
from hypothesis import given
from hypothesis import strategies as st


@dataclass(frozen=True, slots=True)
class Inner:
    width: int = 1
    shares: tuple[float, ...] = ()

    def __post_init__(self):
        if self.width < 0:
            raise ValueError(f"width must be 0 or more: got {self.width}")


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner = field(default_factory=Inner)
    curve: Mapping[int, float] = field(default_factory=dict)
    parts: tuple[Inner, ...] = ()
    kind: Literal["x", "y"] = "x"
    cost: float | None = None
    flag: bool = False


numbers = st.floats(allow_nan=False)
inners = st.builds(Inner, st.integers(0, 99), st.lists(numbers).map(tuple))


@given(st.builds(Outer, st.text(), inners, st.dictionaries(st.integers(), numbers), st.lists(inners).map(tuple)))
def test_a_value_survives_json_text(value):
    """Through strict JSON text and back, tuples, integer keys and infinities included, a value equals itself."""
    text = json.dumps(to_json(value), allow_nan=False)
    assert from_json(Outer, json.loads(text)) == value


@dataclass(frozen=True)
class Grown:
    first: int = 1
    added: float = later(0.0)
    weights: Mapping[str, float] = later(factory=dict)


def test_a_field_of_a_later_version_is_written_once_it_is_set():
    """At its default the JSON, and so every hash of it, is what it was before the field existed."""
    assert to_json(Grown(2)) == {"first": 2}
    set_later = Grown(2, 0.5, {"a": 1.0})
    assert to_json(set_later) == {"first": 2, "added": 0.5, "weights": {"a": 1.0}}
    assert from_json(Grown, to_json(set_later)) == set_later
    assert from_json(Grown, {"first": 2}) == Grown(2)


def test_nan_is_kept():
    """NaN is written as text, because JSON has none, and read back as NaN."""
    assert to_json(Outer("a", cost=math.nan))["cost"] == "nan"
    assert math.isnan(from_json(Outer, {"name": "a", "cost": "nan"}).cost)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"name": 1}, "f: name: got 1; expected a valid string"),
        ({"name": "a", "nme": 1}, "f: nme is not a known field; expected one of cost, curve"),
        ({}, "f: name is missing"),
        ({"name": "a", "inner": {"width": -1}}, "f: width must be 0 or more: got -1"),
        ({"name": "a", "inner": {"width": "3"}}, "f: inner.width: got '3'; expected a valid integer"),
        ({"name": "a", "inner": {"width": True}}, "f: inner.width: got True; expected a valid integer"),
        ({"name": "a", "flag": "yes"}, "f: flag: got 'yes'; expected a valid boolean"),
        ({"name": "a", "kind": "z"}, "f: kind: got 'z'; expected 'x' or 'y'"),
        ({"name": "a", "parts": [{"w": 1}]}, "f: parts.0.w is not a known field"),
        (5, "f: got 5; expected a dictionary"),
    ],
)
def test_wrong_data_is_refused_in_one_line(data, message):
    """The line names the place, what was given and what is expected."""
    with pytest.raises(UserError) as refused:
        from_json(Outer, data, "f")
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_what_has_no_json_form_is_refused_when_written():
    """An object that JSON cannot hold is named with its type, instead of being written as its repr."""
    with pytest.raises(ValueError, match="got object"):
        to_json({"a": [object()]})


def test_a_whole_number_stays_one_in_a_field_of_type_float():
    """A value that is read and written again is the same JSON text, so that its hash stays the same."""
    text = json.dumps({"name": "a", "cost": 3, "curve": {"1": 2, "2": 2.5}})
    found = from_json(Outer, json.loads(text))
    assert json.dumps({name: to_json(found)[name] for name in ("name", "cost", "curve")}) == text


@pytest.mark.parametrize("wrong", [True, "3", "0.5", "infinity"])
def test_a_truth_value_or_a_text_is_no_number(wrong):
    """A field of type float takes numbers and the three texts of numbers that JSON lacks, nothing else."""
    with pytest.raises(UserError, match=r"cost: got .*; expected a valid number"):
        from_json(Outer, {"name": "a", "cost": wrong})


@dataclass(frozen=True)
class _Strict:
    """Refuses two values of its own at once."""

    a: int = 1
    b: int = 1

    def __post_init__(self) -> None:
        refusals = Refusals()
        for name in ("a", "b"):
            if getattr(self, name) < 0:
                refusals.add(UserError(f"{name} is below 0"))
        refusals.end()


def test_all_that_is_wrong_is_told_at_once():
    """Fields of wrong types have a line each, and so have a class's own mistakes."""
    with pytest.raises(UserErrors) as typed:
        from_json(_Strict, {"a": "x", "b": None})
    assert [str(one).partition(":")[0] for one in errors_of(typed.value)] == ["a", "b"]
    with pytest.raises(UserErrors) as own:
        from_json(_Strict, {"a": -1, "b": -2}, "here")
    assert [str(one) for one in errors_of(own.value)] == ["here: a is below 0", "here: b is below 0"]
