"""Numbers as words: percentages without exponents, counts with their nouns."""

import math

import pytest
from ganprune.gan_models.files.texts.number_text import counted, percent
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [
        (1, 2, "100"),
        (0.9999, 2, "100"),
        (0.25, 3, "25"),
        (0.2514, 3, "25.1"),
        (12.3456, 3, "1235"),
        (0.0000423, 2, "0.0042"),
        (-0.5, 3, "-50"),
        (0, 3, "0"),
        (math.nan, 3, "nan"),
        (math.inf, 3, "inf"),
    ],
)
def test_percentages_have_their_digits(share, digits, text):
    """Small ones keep their significant digits, and large ones their whole percents."""
    assert percent(share, digits) == text


@given(st.floats(1e-9, 1e9), st.integers(1, 6))
def test_percentages_have_no_exponent_and_are_near_the_share(share, digits):
    """The error is at most half of the last digit."""
    text = percent(share, digits)
    assert "e" not in text
    assert float(text) == pytest.approx(100 * share, rel=0.51 * 10 ** (1 - digits))


@pytest.mark.parametrize(
    ("count", "words", "text"),
    [
        (1, ("group",), "1 group"),
        (0, ("group",), "0 groups"),
        (2, ("group",), "2 groups"),
        (1204, ("image",), "1,204 images"),
        (3, ("study", "studies"), "3 studies"),
    ],
)
def test_one_is_the_only_singular(count, words, text):
    """Plurals that add more than an s are given."""
    assert counted(count, *words) == text
