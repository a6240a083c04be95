"""The metrics of a search are called on a few images before anything is trained."""

import re

import pytest
from ganprune.studies.api import Search
from ganprune.studies.run_options import RunOptions

from ...tiny_study import SMALL

OPTIONS = {k: v for k, v in SMALL.items() if k not in ("model", "data", "budgets")} | {"trials": 4}
OWN = """
import math
from ganprune.evaluators.quality.reference_based import MeanOverImages


def brightness(images):
    return images.mean((1, 2, 3)) + 2


def broken(images):
    return images.mean((1, 2, 3)) * math.nan


class Scalar(MeanOverImages):
    name, better, needs_references = "scalar", "lower", False

    def values(self, outputs, references):
        return outputs.mean()


class Constructor(MeanOverImages):
    better = "lower"

    def __init__(self, size):
        super().__init__()


class Silent(MeanOverImages):
    name = "silent"


brightness.better, broken.better = "higher", "lower"
"""


def preflight(folder, **options):
    (folder / "own.py").write_text(OWN)
    named = {key: f"{folder}/own.py:{name}" for key, name in options.items()}
    given = OPTIONS | {key: (name,) if key == "also_measure" else name for key, name in named.items()}
    url = f"sqlite:///{folder}/s.db"
    return Search("resnet", "builtin:shapes", "60%", "pre", given, url, None, RunOptions(executor="local")).preflight(
        hours=False
    )


@pytest.mark.parametrize(
    ("name", "line", "text"),
    [
        ("broken", 10, "not finite: got nan"),
        ("Scalar", 17, "gives one number for 8 images"),
        ("Constructor", 21, "TypeError: .*missing 1 required positional argument: 'size'"),
        ("Silent", 28, "does not say which direction is better: got better=None"),
    ],
)
def test_a_metric_that_does_not_work_is_an_error_with_its_line(name, line, text, tmp_path):
    """The objective's fault is found on eight images, in one line with the user's file and line number."""
    (error,) = preflight(tmp_path, objective=name).of_kind("error")
    assert f"(own.py, line {line})" in error.line
    assert re.search(text, error.line)


def test_a_metric_that_works_is_told_with_its_direction(tmp_path):
    """The objective, and a metric besides it by path, have a number and a direction before anything is trained."""
    found = preflight(tmp_path, objective="brightness", also_measure="brightness")
    assert found.passes
    (line,) = [f.line for f in found.of_kind("passed") if f.line.startswith("metrics on 8 images")]
    assert re.search(r"brightness\[n=8\] \d\.\d+ \(higher is better\)", line)


def test_without_own_metrics_nothing_is_called(tmp_path):
    """Our usual metrics are not measured before the search: they are checked by their own tests."""
    assert not any("metrics on" in finding.line for finding in preflight(tmp_path).findings)
