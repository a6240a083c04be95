"""A sample of hostile input; `make hostile` has ten thousand cases."""

import random
from pathlib import Path

import pytest

from .cases import kind_of, write_seeds, wrong_message
from .catalog import KINDS
from .runner import perform

SAMPLE = 66


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    write_seeds(folder)
    return folder


def test_a_sample_of_each_kind_is_read_or_refused(root):
    """No exception but a refusal of a few lines, no crash, no hang, no code, no file outside."""
    verdicts = list(perform(root, list(range(SAMPLE)), seed=2026, workers=1))
    assert [f"{one.number} {one.kind}: {one.told}\n{one.trace}" for one in verdicts if one.outcome == "fault"] == []
    assert {one.kind for one in verdicts} == set(KINDS)
    assert sorted(one.number for one in verdicts) == list(range(SAMPLE))


@pytest.mark.parametrize("name", KINDS)
def test_a_case_is_the_same_each_time(root, name, tmp_path):
    """Its number and the seed decide its bytes, so that a fault can be looked at again."""
    number = next(n for n in range(len(KINDS)) if kind_of(n) == name)
    made = []
    for place in ("a", "b"):
        case = tmp_path / place / "input"
        case.mkdir(parents=True)
        KINDS[name].make(random.Random(f"5 {number}"), root / "seeds" / name, case)
        made.append({str(path.relative_to(case)): path.read_bytes() for path in case.rglob("*") if path.is_file()})
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "without a message"),
        ("a\x1b[2J", "control character"),
        ("x" * 1001, "1001 characters"),
        ("a\n" * 40, "41 lines"),
    ],
)
def test_a_refusal_fits_a_terminal(text, fault):
    """The judge of messages itself: a few printable lines."""
    assert fault in wrong_message(text)
    assert wrong_message("image a.png cannot be read: é ünï 中文") == ""
