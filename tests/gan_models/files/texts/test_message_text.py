"""Messages that quote files: fit for a terminal."""

import pytest
from ganprune.gan_models.files.errors import UserError, UserErrors, WorkFailed
from ganprune.gan_models.files.texts.message_text import MAX_CHARACTERS, message_line


@pytest.mark.parametrize("text", ["plain", "é ü 中文 𝔊 😀 · ×", ""])
def test_ordinary_text_is_unchanged(text):
    """In any script."""
    assert message_line(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\nb", r"a\nb"),
        ("\u202egnp", r"\u202egnp"),
        ("\ud800", r"\ud800"),
        ("a\u2028b", r"a\u2028b"),
    ],
)
def test_control_characters_are_shown_by_their_codes(text, shown):
    """A file's name cannot clear a terminal, add a line to a log, or turn its text around."""
    assert message_line(text) == shown
    assert str(UserError(text)) == str(WorkFailed(text)) == shown


def test_the_middle_of_a_long_text_is_left_out():
    """The beginning says what is wrong, the end what to do."""
    line = message_line(f"begin {'x' * 10**6}\x1b end")
    assert len(line) <= MAX_CHARACTERS
    assert line.startswith("begin x")
    assert line.endswith(r"\x1b end")


def test_several_errors_have_a_line_each():
    """Only the separator of errors is a line break."""
    assert str(UserErrors([UserError("a\nb"), UserError("c")])) == "a\\nb\nc"
