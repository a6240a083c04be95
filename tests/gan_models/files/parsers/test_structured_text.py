"""JSON, TOML and literals within bounds: one kind of exception, for anything that a file may contain."""

import json

import pytest
from ganprune.gan_models.files.parsers.structured_text import (
    MAX_DEPTH,
    MAX_DIGITS,
    checked_value,
    parse_json,
    parse_literal,
    parse_toml,
)

NESTED = "[" * 100_000


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, True, "x"]}, [], "ü\n", 10**MAX_DIGITS - 1, -1.5e300])
def test_ordinary_values_are_those_of_the_standard_library(value):
    """Within the bounds nothing differs."""
    assert parse_json(json.dumps(value)) == value
    assert parse_literal(repr(value)) == value
    assert parse_toml(f"a = {json.dumps(value)}")["a"] == value if value != {"a": [1, 2.5, None, True, "x"]} else True


@pytest.mark.parametrize(
    "text",
    [
        NESTED,
        '{"a":' * 50_000,
        "1" + "0" * MAX_DIGITS,
        "1" * 5000,
        '"\\ud800"',
        "",
        "nul",
        "{'a': 1}",
        "[1,]",
        "\0",
        "[" * 65 + "]" * 65,
    ],
)
def test_malicious_json_is_one_kind_of_error(text):
    """Nested deeply, long numbers, half of a surrogate pair, or no JSON at all."""
    with pytest.raises(ValueError, match=r"\w") as error:
        parse_json(text)
    assert type(error.value) is ValueError
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text", [f"a = {NESTED}", "a = " + "{a = " * 20_000, "a = 1" + "0" * 5000, "a = ", "[a", "a = 9999-99-99"]
)
def test_malicious_toml_is_one_kind_of_error(text):
    """As JSON."""
    with pytest.raises(ValueError, match=r"\w") as error:
        parse_toml(text)
    assert type(error.value) is ValueError


@pytest.mark.parametrize(
    "text", ["a" + ".a" * 50_000 + " = 1", "[" + "a." * 50_000 + "a]", "x = {a" + ".a" * 50_000 + " = 1}"]
)
def test_a_long_dotted_key_is_refused_before_it_is_parsed(text):
    """tomllib's time grows with the square of its length: it would take minutes."""
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_toml(text)


@pytest.mark.parametrize(
    "text", ["(" * 5000, "-" * 4000 + "1", "1" + "+1" * 9000, "__import__('os')", "x", "f'{1}'", "9" * 5000]
)
def test_malicious_literals_are_one_kind_of_error(text):
    """Nothing is evaluated but literals."""
    with pytest.raises(ValueError, match=r"\w") as error:
        parse_literal(text)
    assert type(error.value) is ValueError


def test_a_value_of_another_parser_is_held_to_the_same_bounds():
    """For JSON that a library has parsed already."""
    deep: object = 1
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]
    for value in (deep, {"a": 10**MAX_DIGITS}, ["\ud800"]):
        with pytest.raises(ValueError, match=r"too deeply|digits|surrogate"):
            checked_value(value)
    assert checked_value({"a": [1, "x"]}) == {"a": [1, "x"]}
