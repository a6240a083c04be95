import json
import math

import pytest
from fake_study import fake_study
from ganprune.search.records.messages import TrialReport, TrialRequest, TrialResult, failure, plain
from hypothesis import given
from hypothesis import strategies as st

numbers = st.floats(allow_nan=False)
names = st.text("abc.", min_size=1, max_size=4)


@given(st.dictionaries(st.integers(0, 9), numbers), st.none() | numbers, st.dictionaries(names, numbers))
def test_results_survive_strict_json(rungs, quality, constraints):
    """A result comes back equal through JSON without NaN or infinity literals, infinite numbers included."""
    result = TrialResult("COMPLETE", quality, 2.0, rungs=rungs, constraints=constraints, widths={"a": 3})
    text = json.dumps(result.to_json(), allow_nan=False)
    assert TrialResult.from_json(json.loads(text)) == result


def test_nan_survives():
    """A NaN quality is a NaN again after JSON, in results, reports and curves."""
    result = TrialResult.from_json(TrialResult("COMPLETE", math.nan, 1.0, rungs={4: math.nan}).to_json())
    assert math.isnan(result.quality)
    assert math.isnan(result.rungs[4])
    assert math.isnan(TrialReport.from_json(TrialReport(1, math.nan, 1.0, {}).to_json()).quality)


def test_requests_survive_json():
    """A request comes back equal through JSON."""
    request = TrialRequest(3, 1, "widths", {"a": 1}, 2.5, "macs", {"g": 4}, 7, "/w", fake_study(), {"sha256": "0"})
    assert TrialRequest.from_json(json.loads(json.dumps(request.to_json()))) == request


def test_a_report_holds_its_own_rung():
    """A report's curve includes the rung it is about, even when the trial left it out."""
    assert TrialReport(2, 5.0, 1.0, {1: 6.0}).rungs == {1: 6.0, 2: 5.0}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TrialResult("DONE"), "COMPLETE, PRUNED, FAIL; got 'DONE'"),
        (lambda: TrialResult("PRUNED"), "must say why"),
        (lambda: TrialResult.from_json({"state": "COMPLETE", "qualty": 1}), "no field 'qualty'"),
        (lambda: TrialReport(-1, 1.0, 1.0, {}), "0 or more; got -1"),
        (lambda: TrialRequest(0, 0, "m", {}, 1.0, "macs", None, 0, "/w"), "attempt >= 1"),
        (lambda: TrialRequest(0, 1, "m", {}, math.nan, "macs", None, 0, "/w"), "target"),
        (lambda: plain({"a": object()}), "JSON only"),
    ],
)
def test_illegal_values_are_refused(make, message):
    """A record that makes no sense cannot be made; the message says what is allowed."""
    with pytest.raises(ValueError, match=message):
        make()


def test_failures_have_one_line():
    """A failure's reason is one line; its traceback stands in the record."""
    result = failure("a\n  b", "Traceback ...")
    assert (result.stopped, result.record) == ("a b", {"traceback": "Traceback ..."})
