"""Plans as a user gives them: by the name of a scored one, or as a file."""

import json

import pytest
from ganprune.evaluators.measurement import Measurement
from ganprune.gan_models.files.errors import UserError
from ganprune.search.records.plan_score import PlanErrors, PlanScore, as_score, error_scores
from ganprune.studies.plans.given_plan import read_plan

SCORED = (
    PlanScore("P0", {"a": 4, "b": 8}, 100.0, (), "dense teacher"),
    PlanScore("P1", {"a": 2, "b": 3}, 20.0, error_scores(PlanErrors(0.25), "", 8, "p"), "local search", parent=7),
)


def test_a_name_is_that_of_a_scored_plan():
    """Widths and the trial that it is cut from come along."""
    given = read_plan("P1", "s", SCORED)
    assert (given.origin, given.widths, given.channels, given.parent) == ("P1", {"a": 2, "b": 3}, None, 7)


@pytest.mark.parametrize(
    ("content", "widths", "channels"),
    [
        ({"widths": {"a": 2, "b": 3}}, {"a": 2, "b": 3}, None),
        ({"a": 2, "b": 3}, {"a": 2, "b": 3}, None),
        ({"channels": {"a": [0, 3], "b": [1]}}, {"a": 2, "b": 1}, {"a": (0, 3), "b": (1,)}),
        ({"a": [0, 3], "b": [1]}, {"a": 2, "b": 1}, {"a": (0, 3), "b": (1,)}),
    ],
)
def test_a_file_says_widths_or_channels(tmp_path, content, widths, channels):
    """Either with the word before it or without, as a trial's own `plan.json` has it."""
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(content))
    given = read_plan(str(path), "s", ())
    assert (given.origin, given.widths, given.channels) == ("mine.json", widths, channels)


def test_a_file_of_several_plans_names_one(tmp_path):
    """`FILE::NAME` takes one plan of a forecast's file; without a name it is refused with those there are."""
    path = tmp_path / "forecast.json"
    path.write_text(json.dumps({"plans": [{"name": "P3", "widths": {"a": 1}}, {"name": "P4", "widths": {"a": 2}}]}))
    assert read_plan(f"{path}::P4", "s", ()).widths == {"a": 2}
    with pytest.raises(UserError, match=r"got .*forecast\.json with P3, P4; expected one of them"):
        read_plan(str(path), "s", ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("P7", "plan is not known: got P7; study 's' has P0 to P1"),
        ("no.json", "plan is not there: got no.json"),
        ("bad.json", "got bad.json, which is not JSON"),
        ("list.json", "got list.json with list"),
        ("words.json", "got words.json with other values than whole numbers"),
        ("empty.json", "got empty.json without groups"),
    ],
)
def test_what_is_no_plan_is_refused_in_one_line(tmp_path, monkeypatch, text, message):
    """Each says what was given and what is expected."""
    monkeypatch.chdir(tmp_path)
    for name, content in (("bad", "{"), ("list", "[1]"), ("words", '{"a": "x"}'), ("empty", "{}")):
        (tmp_path / f"{name}.json").write_text(content)
    with pytest.raises(UserError, match=r"^[^\n]*$") as raised:
        read_plan(text, "s", SCORED)
    assert message in str(raised.value)


def test_a_score_is_never_under_the_name_of_a_quality():
    """A metric of an untrained network has another name, and a plan takes no other."""
    measured = Measurement("fd[shapes,n=9]", 3.0, "1", 2.0, 4.0, 9, "p")
    score = as_score(measured)
    assert score.name == "zero-shot[fd,features=shapes,n=9]"
    assert (score.value, score.low, score.high, score.n) == (3.0, 2.0, 4.0, 9)
    with pytest.raises(UserError, match=r"the name of a quality: got fd\[shapes,n=9\]"):
        PlanScore("P0", {"a": 1}, 1.0, (measured,), "uniform")
