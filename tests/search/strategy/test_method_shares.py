"""Methods that a study has too few trials for, told before it starts."""

import pytest
from ganprune.search.config import StudyConfig
from ganprune.search.setup.resolve import resolve
from ganprune.search.strategy.method_shares import untried

from ...tiny_study import SMALL

THREE = ("uniform", "magnitude", "widths")


@pytest.mark.parametrize(
    ("ladder", "shares", "trials", "left"),
    [
        (["uniform", "uniform"], {}, 3, ["widths"]),
        (["uniform", "uniform"], {}, 4, []),
        (["uniform", "uniform"], {}, 2, ["magnitude", "widths"]),
        (["uniform"] * 5, {}, 3, ["magnitude", "widths"]),
        (["magnitude"], {}, 3, []),
        (["uniform"], {"widths": 1.0}, 9, []),  # the others have no share: the user said so
        (["uniform"], {"magnitude": 0.9}, 4, ["widths"]),
    ],
)
def test_methods_are_untried_if_ladder_and_turns_end_before_them(ladder, shares, trials, left):
    """The ladder's plans count for the method that makes them; then each method in turn, or by its share."""
    assert untried(THREE, ladder, shares, trials) == left


def test_a_study_with_too_few_trials_says_which_methods_and_how_many_would_do():
    """Three methods in three trials: two are the ladder's, so the third method has none; four trials are enough."""

    def notes(trials: int) -> list[str]:
        config = StudyConfig(name="few", **SMALL | {"methods": THREE, "trials": trials})
        return [note for note in resolve(config, sharing=lambda kind: 1)[0].notes if "too few to try" in note]

    (note,) = notes(3)
    assert note.startswith("3 trials are too few to try widths: the ladder takes 2 of them, of uniform")
    assert "--trials 4" in note
    assert notes(4) == []
