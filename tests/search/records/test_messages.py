import json
import math

import pytest
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.pruning.proposal import Proposal
from ganprune.search.records.messages import TrialOutcome, TrialReport, TrialRequest, failure
from ganprune.search.records.prepared_artifact import Prepared, PreparedArtifact
from ganprune.spaces.methods import settings_of
from hypothesis import given, settings
from hypothesis import strategies as st

from ...fakes.fake_study import fake_study

PROPOSAL = Proposal("magnitude", settings_of("magnitude", {"cost_exponent": 0.1}), 2.5, "macs", {"g": 4}, 8)
numbers = st.floats(allow_nan=False)
names = st.text("abc.", min_size=1, max_size=4)


@settings(deadline=None)  # the first reading makes the validator
@given(st.dictionaries(st.integers(0, 9), numbers), st.none() | numbers, st.dictionaries(names, numbers))
def test_results_survive_strict_json(rungs, quality, constraints):
    """A result comes back equal through JSON without NaN or infinity literals, infinite numbers included."""
    result = TrialOutcome("COMPLETE", quality, 2.0, rungs=rungs, constraints=constraints, widths={"a": 3})
    text = json.dumps(to_json(result), allow_nan=False)
    assert from_json(TrialOutcome, json.loads(text)) == result


def test_nan_survives():
    """A NaN quality is a NaN again after JSON, in results, reports and curves."""
    result = from_json(TrialOutcome, to_json(TrialOutcome("COMPLETE", math.nan, 1.0, rungs={4: math.nan})))
    assert math.isnan(result.quality)
    assert math.isnan(result.rungs[4])
    assert math.isnan(from_json(TrialReport, to_json(TrialReport(1, math.nan, 1.0, {}))).quality)


def test_requests_survive_json():
    """A request comes back equal through JSON."""
    prepared = Prepared("/s", {"teacher": PreparedArtifact("teacher", "0", {"teacher/generator-G.safetensors": "1"})})
    request = TrialRequest(3, 1, PROPOSAL, 7, "/w", fake_study(), prepared, {"small": 0.5})
    assert from_json(TrialRequest, json.loads(json.dumps(to_json(request)))) == request


def test_a_report_holds_its_own_rung():
    """A report's curve includes the rung it is about, even when the trial left it out."""
    assert TrialReport(2, 5.0, 1.0, {1: 6.0}).rungs == {1: 6.0, 2: 5.0}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TrialOutcome("DONE"), "got 'DONE'; expected one of COMPLETE, PRUNED, FAIL"),
        (lambda: TrialOutcome("PRUNED"), "has no reason"),
        (lambda: from_json(TrialOutcome, {"state": "COMPLETE", "qualty": 1}), "qualty is not a known field"),
        (lambda: TrialReport(-1, 1.0, 1.0, {}), "got -1; expected 0 or more"),
        (lambda: TrialRequest(0, 0, PROPOSAL, 0, "/w"), "attempt >= 1"),
    ],
)
def test_illegal_values_are_refused(make, message):
    """A record that makes no sense cannot be made; the message says what is allowed."""
    with pytest.raises(ValueError, match=message):
        make()


def test_failures_have_one_line():
    """A failure's reason is one line; its traceback stands beside it."""
    result = failure("a\n  b", "Traceback ...")
    assert (result.stopped, result.traceback) == ("a b", "Traceback ...")
