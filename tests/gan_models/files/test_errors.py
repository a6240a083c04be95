"""Mistakes of an input: kept while work goes on, and told together."""

import pickle

import pytest
from ganprune.gan_models.files.errors import Refusals, UserError, UserErrors, WorkFailed, errors_of, malformed_as


def refuse(*texts: str) -> None:
    raise UserErrors([UserError(text) for text in texts]) if len(texts) > 1 else UserError(texts[0])


def test_nothing_seen_raises_nothing():
    """An input without a mistake passes."""
    refusals = Refusals()
    assert refusals.passes(int, "1")
    refusals.end()


def test_one_mistake_is_raised_as_it_is():
    """One mistake keeps its class and its traceback: the caller sees what was raised."""
    refusals, error = Refusals(), UserError("one")
    with refusals.kept():
        raise error
    with pytest.raises(UserError) as told:
        refusals.end()
    assert told.value is error


def test_several_are_told_together_and_each_once():
    """Each mistake has a line, in the order in which it was seen; what was seen twice is told once."""
    refusals = Refusals()
    assert not refusals.passes(refuse, "one", "two")
    assert not refusals.passes(refuse, "two")
    assert not refusals.passes(refuse, "three")
    with pytest.raises(UserErrors) as told:
        refusals.end()
    assert str(told.value).splitlines() == ["one", "two", "three"]
    assert [str(one) for one in errors_of(told.value)] == ["one", "two", "three"]


def test_a_fault_of_ours_is_not_kept():
    """Only a user's mistakes are kept: any other exception ends the work."""
    with pytest.raises(ZeroDivisionError):
        Refusals().passes(lambda: 1 // 0)


def test_several_mistakes_survive_a_pickle():
    """They come whole out of another process."""
    error = UserErrors([UserError("one"), UserError("two")])
    assert list(map(str, errors_of(pickle.loads(pickle.dumps(error))))) == ["one", "two"]


@pytest.mark.parametrize(
    "error", [KeyError("a"), TypeError("b"), OverflowError("c"), RecursionError("d"), ValueError("e\nf")]
)
def test_malformed_values_become_one_line(error):
    """The type and the text of what was raised, with the record's name."""
    with pytest.raises(WorkFailed, match=rf"a record cannot be read: got {type(error).__name__}: .*; expected") as told:
        with malformed_as(WorkFailed, "a record"):
            raise error
    assert told.value.__cause__ is error


@pytest.mark.parametrize("error", [UserError("a"), WorkFailed("b"), OSError("c"), KeyboardInterrupt()])
def test_other_errors_pass(error):
    """Those that have their one line already, and those that the value did not cause."""
    with pytest.raises(type(error)) as told, malformed_as(UserError, "a record"):
        raise error
    assert told.value is error
