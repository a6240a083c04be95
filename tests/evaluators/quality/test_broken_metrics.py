"""A user's own metric that fails in a trial is left out with the reason; the other measurements are kept."""

import re

import pytest
import torch
from ganprune.evaluators.features.catalog import load_encoder
from ganprune.evaluators.quality.catalog import MetricSet
from ganprune.evaluators.quality.suite import measure_quality
from ganprune.gan_models.files.user_code import UserCodeFailed
from ganprune.search.artifacts.error_log import LOG, tracebacks_in

BROKEN = """
def raises(images):
    raise KeyError("no such layer")
def nan(images):
    return images.mean((1, 2, 3)) * float("nan")
def text(images):
    return "good"
def nothing(images):
    return None
def shape(images):
    return images
def late(images):
    return images.mean((1, 2, 3)).tolist() if len(images) > 3 else {}[0]
def sample(features):
    return features.mean() / 0 * 0
sample.reads = "sample"
for each in (raises, nan, text, nothing, shape, late, sample):
    each.better = "higher"


class Whole:
    better = "lower"
    def prepare(self, real): ...
    def reset(self, full): ...
    def update(self, outputs, references): ...
    def compute(self): return []


class Prepares(Whole):
    def prepare(self, real): raise ValueError("not ready")
class Resets(Whole):
    def reset(self, full): raise ValueError("no reset")
class Updates(Whole):
    def update(self, outputs, references): raise ValueError("no update")
class Computes(Whole):
    def compute(self): raise ValueError("no number")
class Says(Whole):
    def compute(self): return "0.5"


def segment(images):
    raise ValueError("no street")
segment.classes = 2
"""
SAID = {
    "raises": r"raised KeyError: 'no such layer' \(bad.py, line 3\)",
    "nan": r"gives values that are not finite: got nan at place 0",
    "text": "gives str: got 'good'; expected numbers",
    "nothing": "gives NoneType: got None",
    "shape": "gives 4x3x16x16 for 4 images",
    "late": r"raised KeyError: 0 \(bad.py, line 13\)",
    "sample": "gives values that are not finite: got nan",
    "Prepares": r"raised ValueError: not ready \(bad.py, line 30\)",
    "Resets": "raised ValueError: no reset",
    "Updates": "raised ValueError: no update",
    "Computes": "raised ValueError: no number",
    "Says": r"\(bad.py, line 38\) gives str: got '0.5'; expected a list of measurements",
    "miou": r"segmenter .*bad.py:segment raised ValueError: no street \(bad.py, line 42\)",
}


@pytest.fixture
def measured(tmp_path):
    """Measures seven images in two batches with a broken metric beside ours, or as the quality."""
    (tmp_path / "bad.py").write_text(BROKEN)
    encoder, images = load_encoder("shapes"), torch.rand(7, 3, 16, 16, generator=torch.Generator().manual_seed(0))

    def call(name, strict=False, objective=False):
        own = name if name == "miou" else f"{tmp_path}/bad.py:{name}"
        weights = {"segmenter": f"{tmp_path}/bad.py:segment"}
        metrics = MetricSet(() if objective else (own,), weights, objective=own if objective else "")
        batches = [((part,), part) for part in images.split(4)]
        real = torch.randn(7, 96, generator=torch.Generator().manual_seed(1))
        return measure_quality(lambda x: x / 2, batches, encoder, real, metrics=metrics, aligned=False, strict=strict)

    return call


@pytest.mark.parametrize("name", SAID)
def test_the_other_measurements_are_kept(name, measured, tmp_path):
    """One line says what failed and where; the traceback of code that raised goes to the log."""
    with tracebacks_in(tmp_path / "log"):
        found = measured(name)
    (absent,) = (m for m in found if "its code failed" in m.protocol)
    assert absent.name.startswith(name.lower())
    assert re.search(SAID[name], absent.reason)
    assert "\n" not in absent.reason
    assert {"l1", "psnr", "ssim"} <= {m.name for m in found}
    assert found[0].name.startswith("fd[shapes")
    logged = tmp_path / "log" / LOG
    assert logged.is_file() == (" raised " in absent.reason)
    with pytest.raises(UserCodeFailed, match=SAID[name]):
        measured(name, strict=True)


@pytest.mark.parametrize("name", [name for name in SAID if name != "miou"])
def test_a_quality_that_fails_ends_the_trial(name, measured):
    """Nothing else says how good a trial is."""
    with pytest.raises(UserCodeFailed, match=SAID[name]):
        measured(name, objective=True)
