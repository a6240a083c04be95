"""Losses by step: what a training notes is kept, thinned to the stated bytes, and comes back from JSON."""

import json
from itertools import pairwise

import pytest
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.search.records.learning_curve import LOSS_BYTES, LearningCurve, thinned
from ganprune.search.records.messages import TrialOutcome, TrialReport


def test_points_become_columns():
    """Steps count from the trial's start; a term that had no part in a step has no value there."""
    curve = LearningCurve.of([(1, {"l1": 0.123456}), (5, {"l1": 2.0, "adversarial": 1e-9})], first=10)
    assert curve.steps == (11, 15)
    assert curve.losses == {"l1": (0.1235, 2.0), "adversarial": (None, 1e-9)}


def test_a_long_curve_is_thinned_to_the_stated_bytes():
    """The first and the last step stay, the others lie evenly, and all phases together fit."""
    terms = {f"term number {i}": 1.2345e-6 for i in range(30)}
    points = [(step, terms) for step in range(1, 201)]
    found = thinned({phase: LearningCurve.of(points) for phase in ("prune", "finetune")} | {"none": LearningCurve()})
    assert set(found) == {"prune", "finetune"}
    assert len(json.dumps(to_json(found))) <= LOSS_BYTES + 50  # names of the phases
    steps = found["prune"].steps
    assert (steps[0], steps[-1]) == (1, 200)
    assert len({later - earlier for earlier, later in pairwise(steps[:-1])}) == 1
    short = LearningCurve.of(points[:3])
    assert short.within(LOSS_BYTES) == short


def test_records_of_earlier_versions_have_no_curves():
    """Curves come back from JSON; without any the JSON is that of earlier versions, which is read."""
    curves = {"finetune": LearningCurve((1, 2), {"l1": (0.5, None)})}
    for value in (TrialReport(1, 2.0, 3.0, {}, curves=curves), TrialOutcome("COMPLETE", 1.0, 2.0, curves=curves)):
        assert from_json(type(value), json.loads(json.dumps(to_json(value)))) == value
    plain = to_json(TrialOutcome("COMPLETE", 1.0, 2.0))
    assert "curves" not in plain
    assert from_json(TrialOutcome, plain).curves == {}


@pytest.mark.parametrize("wrong", [{"steps": (2, 2)}, {"steps": (1,), "losses": {"l1": (1.0, 2.0)}}])
def test_a_curve_is_checked(wrong):
    """Steps rise, and each term has a value per step."""
    with pytest.raises(ValueError, match=r"expected ascending|expected one per step"):
        LearningCurve(**wrong)
