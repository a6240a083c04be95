"""The text of a measurement."""

from ganprune.evaluators.measurement import Measurement
from ganprune.studies.results.measurement_text import with_interval


def test_a_value_is_shown_with_its_interval_or_with_why_it_is_missing():
    """Four digits, both ends of the interval, and the reason in the place of a number."""
    assert with_interval(Measurement("l1", 0.123456, "1")) == "0.1235"
    assert with_interval(Measurement("l1", 0.123456, "1", 0.1, 0.2), digits=2) == "0.12 [0.1, 0.2]"
    assert with_interval(Measurement.absent("l1", "1", "no references")) == "no references"
    assert with_interval(None) == ""
