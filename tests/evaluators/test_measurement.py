import json
import math

import pytest
from ganprune.evaluators.measurement import Measurement, frechet_name, kernel_name, zero_shot_name


def test_json_both_ways():
    """A measurement survives JSON text unchanged, interval and protocol included."""
    one = Measurement("fd[shapes,n=500]", 3.25, "1", 3.0, 3.5, 500, "test-vs-test; n_real=500")
    assert Measurement.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_absent_value_is_explicit():
    """A value that could not be measured is null in strict JSON and NaN with its reason when read back."""
    absent = Measurement.absent("fd[shapes,n=8]", "1", "collapsed", n=8)
    back = Measurement.from_json(json.loads(json.dumps(absent.to_json(), allow_nan=False)))
    assert math.isnan(back.value)
    assert back.reason == "collapsed"


@pytest.mark.parametrize(
    "arguments",
    [
        {"value": math.nan},
        {"value": math.inf},
        {"value": "3"},
        {"value": True},
        {"low": 1.0},
        {"low": 2.0, "high": 1.0},
        {"low": 0.0, "high": math.inf},
        {"n": 0},
        {"unit": ""},
        {"name": "FID"},
        {"name": "fid"},
        {"name": "fid[shapes,n=500]"},
        {"name": "fid[inception-12345678,n=500]"},
        {"name": "kid[shapes,n=500]"},
        {"name": "is[shapes,n=500,splits=10]"},
        {"better": "up"},
        {"name": "l1[]"},
        {"name": "-shot[error,n=8]"},
        {"name": "zero-[error,n=8]"},
        {"reason": "why?"},
    ],
)
def test_illegal_states_cannot_be_made(arguments):
    """Every malformed measurement is refused with one line."""
    legal = {"name": "l1", "value": 1.0, "unit": "1"}
    Measurement(**legal)
    with pytest.raises(ValueError) as caught:
        Measurement(**{**legal, **arguments})
    assert "\n" not in str(caught.value)


def test_unknown_key_in_json_is_refused():
    """JSON with a key that no measurement has is not read in silence."""
    with pytest.raises(ValueError, match="keys"):
        Measurement.from_json({"name": "l1", "value": 1.0, "unit": "1", "sigma": 2})


def test_only_inception_gives_fid():
    """The name FID (and KID) belongs to the published Inception weights alone."""
    assert frechet_name("inception", 500) == "fid[inception,n=500]"
    assert frechet_name("shapes", 500) == "fd[shapes,n=500]"
    assert frechet_name("inception-0a0b0c0d", 5) == "fd[inception-0a0b0c0d,n=5]"
    assert kernel_name("inception", 500) == "kid[inception,n=500]"
    assert kernel_name("shapes", 500) == "kd[shapes,n=500]"
    for name in (frechet_name("shapes", 3), frechet_name("inception", 3), kernel_name("inception-0a0b0c0d", 3)):
        Measurement(name, 1.0, "1")


@pytest.mark.parametrize(
    ("name", "untrained"),
    [
        ("fd[shapes,n=500]", "zero-shot[fd,features=shapes,n=500]"),
        ("psnr[border=4]", "zero-shot[psnr,border=4]"),
        ("error[n=64]", "zero-shot[error,n=64]"),
        ("l1", "zero-shot[l1]"),
    ],
)
def test_what_is_measured_before_training_has_a_name_of_its_own(name: str, untrained: str):
    """The name says what was measured and that nothing was trained, and a measurement takes it."""
    assert zero_shot_name(name) == untrained
    assert Measurement(untrained, 1.0, "1").name == untrained
