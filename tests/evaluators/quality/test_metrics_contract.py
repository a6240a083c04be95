"""Every row of the table of metrics keeps its protocol; rows of other packages and own classes are measured too."""

import subprocess
import sys
from functools import cache
from types import SimpleNamespace

import pytest
import torch
from ganprune.evaluators.features.catalog import load_encoder
from ganprune.evaluators.measurement import Measurement
from ganprune.evaluators.quality.catalog import METRICS, MetricSet
from ganprune.evaluators.quality.metric import MeasuredMetric, MetricSpec
from ganprune.evaluators.quality.reference_based import MeanOverImages
from ganprune.evaluators.quality.suite import measure_quality
from ganprune.gan_models.data.synthetic import render_shapes
from ganprune.gan_models.files import open_table
from ganprune.gan_models.files.errors import UserError

from ...fakes.features import features_of
from ...fakes.lpips_files import written
from ...tiny_study import new_folder

N = 30
ROWS = [name for name in METRICS if name != "lpips_vgg"]  # the class of lpips, with a network ten times slower
OWN = '''
import torch
from ganprune.evaluators.quality.reference_based import MeanOverImages


class EdgeError(MeanOverImages):
    """Difference of neighboring pixels' differences."""

    name, better = "edge_error", "lower"

    def values(self, outputs, references):
        return (outputs.diff(dim=-1) - references.diff(dim=-1)).abs().flatten(1).mean(1)
'''


@pytest.fixture(scope="module")
def study():
    """Inputs, targets, the bundled encoder and the targets' features."""
    inputs, targets = (part.float() / 127.5 - 1 for part in render_shapes(3, "test", range(N), 32))
    encoder = load_encoder("shapes")
    encoder.name = "inception-00000000"  # with classes: of their scores one row takes Inception's alone
    weight_KD = torch.randn(5, encoder.dimension, generator=torch.Generator().manual_seed(0))
    center_D = features_of([targets], encoder).mean(0)
    encoder.class_scores = lambda features: (features - center_D) @ weight_KD.T / 4
    return SimpleNamespace(inputs=inputs, targets=targets, encoder=encoder, real=features_of([targets], encoder))


def near(study):
    """A generator's outputs that are the targets but for a little noise."""
    return 0.98 * study.targets + 0.01 * torch.randn(study.targets.shape, generator=torch.Generator().manual_seed(0))


def far(study):
    """Outputs that are noise around one and the same picture."""
    noise = torch.randn(study.targets.shape, generator=torch.Generator().manual_seed(0))
    return (study.targets[:1] + 0.5 * noise).clamp(-1, 1)


def measured(study, outputs, metrics=None, *, references=True, full=True):
    pairs = zip(outputs.split(8), study.targets.split(8), strict=True)
    batches = [((x, torch.arange(len(x)) % 2), t if references else None) for x, t in pairs]  # beside a class
    return measure_quality(lambda x, label: x, batches, study.encoder, study.real, metrics=metrics, full=full)


@cache
def weight_files():
    """Return files with random weights under the names that some row asks for."""
    return {row: dict(zip(METRICS[row].weights, files, strict=True)) for row, files in _written()}


def _written():
    yield "lpips", written(new_folder(), "alex")
    segmenter = new_folder() / "bright.py"
    segmenter.write_text("def bright(images):\n    return (images.mean(1) > 0).long()\n\n\nbright.classes = 2\n")
    yield "miou", (f"{segmenter}:bright",)


def only(name):
    """The quality, which every pass measures, and one row besides."""
    metrics = MetricSet((name,), weight_files().get(name), {"class_label": (1, 2)})
    metrics.metrics = tuple(m for m in metrics.metrics if m.name in ("frechet", name))
    return metrics


def own_of(study, name, outputs, **how):
    """Return the measurements of one row."""
    names = {m.name for m in measured(study, outputs, only("frechet"), **how)} if name != "frechet" else set()
    return [m for m in measured(study, outputs, only(name), **how) if m.name not in names]


@pytest.mark.parametrize("name", ROWS)
def test_a_row_tells_good_images_from_bad_ones(study, name):
    """Each number of a row is better, in the row's direction, for images near their targets than for noise."""
    good, bad = own_of(study, name, near(study)), own_of(study, name, far(study))
    assert good
    assert [m.name for m in good] == [m.name for m in bad]
    for one, other in zip(good, bad, strict=True):
        lower, higher = (one, other) if METRICS[name].lower_is_better else (other, one)
        assert lower.value < higher.value, one.name


@pytest.mark.parametrize("name", ROWS)
def test_a_row_forgets_the_last_pass(study, name):
    """The same metric gives a second generator the numbers that a fresh one gives it."""
    metrics = only(name)
    measured(study, far(study), metrics)
    assert measured(study, near(study), metrics) == measured(study, near(study), only(name))


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_measured_when_it_says(study, name):
    """Without references, rows that need them are left out; at a rung, rows that are not cheap."""
    row = METRICS[name]
    assert bool(own_of(study, name, near(study), references=False)) == (not row.needs_references)
    assert bool(own_of(study, name, near(study), full=False)) == row.cheap
    assert row.note


def test_real_images_are_prepared_once(study):
    """A metric prepares once for the same real images, and again for others."""

    class Counting(MeanOverImages):
        name, prepared = "counting", 0

        def prepare(self, real):
            self.prepared += 1

        def values(self, outputs, references):
            return outputs.flatten(1).mean(1)

    metrics, metric = only("frechet"), Counting()
    extra = MeasuredMetric("counting", MetricSpec(Counting, needs_references=True), metric)
    metrics.metrics += (extra,)
    for _ in range(3):
        measured(study, near(study), metrics)
    assert metric.prepared == 1
    others = SimpleNamespace(**vars(study) | {"real": study.real.clone()})
    measured(others, near(study), metrics)
    assert metric.prepared == 2


def test_features_are_computed_once_for_all_metrics(study):
    """Each image goes through the encoder once, however many metrics read its features."""
    seen = []

    class Watched:
        name, sha256, dimension = study.encoder.name, study.encoder.sha256, study.encoder.dimension
        preprocessing = study.encoder.preprocessing

        def __call__(self, images):
            seen.append(len(images))
            return study.encoder(images)

        def to(self, device):
            return self

    batches = [((x,), t) for x, t in zip(near(study).split(8), study.targets.split(8), strict=True)]
    found = measure_quality(lambda x: x, batches, Watched(), study.real)
    assert len(found) == 10
    assert sum(seen) == N


def test_own_class_by_path(study, tmp_path):
    """A class in a file of the user's is measured beside ours, after them, with the pass's protocol."""
    (tmp_path / "edges.py").write_text(OWN)
    metrics = MetricSet([f"{tmp_path / 'edges.py'}:EdgeError"])
    found = measured(study, near(study), metrics)
    assert [m.name for m in found[:-1]] == [m.name for m in measured(study, near(study))]
    assert found[-1].name == "edge_error"
    expected = (near(study).diff(dim=-1) - study.targets.diff(dim=-1)).abs().flatten(1).mean(1).mean()
    assert found[-1].value == pytest.approx(float(expected), rel=1e-5)
    assert found[-1].protocol == found[1].protocol
    assert found[-1].low < found[-1].value < found[-1].high
    assert [m.name for m in measured(study, near(study), metrics, full=False)][-1] != "edge_error"


def test_what_is_on_request_is_measured_only_then(study):
    """The luma's metrics do not stand in every table; asked for, they are named after the others of their kind."""
    usual = [m.name for m in measured(study, near(study))]
    assert "psnr_y" not in usual
    asked = [m.name for m in measured(study, near(study), MetricSet(["psnr_y"]))]
    assert sorted(asked) == sorted([*usual, "psnr_y"])


def test_a_row_is_told_what_it_takes_of_the_task_alone(study):
    """The border reaches PSNR and SSIM, and no other metric's name or value."""
    usual, bordered = ({m.name: m.value for m in measured(study, near(study), MetricSet(of_task=of_task))}
                       for of_task in ({}, {"border": 4, "other": 1}))  # fmt: skip
    assert set(usual) - set(bordered) == {"psnr", "ssim"}
    assert set(bordered) - set(usual) == {"psnr[border=4]", "ssim[border=4]"}
    assert all(usual[name] == bordered[name] for name in set(usual) & set(bordered))


def test_row_of_another_package(study, monkeypatch):
    """A row by an entry point of `ganprune.metrics` is measured by its name."""

    class Brightness(MeanOverImages):
        name, needs_references = "brightness", False

        def values(self, outputs, references):
            return outputs.flatten(1).mean(1)

    point = SimpleNamespace(
        name="brightness", module="other", dist=SimpleNamespace(name="other"), load=lambda: MetricSpec(Brightness)
    )
    monkeypatch.setattr(
        open_table, "_entry_points", lambda group: {"brightness": (point,)} if group == "ganprune.metrics" else {}
    )
    found = measured(study, near(study), MetricSet(["brightness"]), references=False)
    assert found[-1].name == "brightness"
    assert found[-1].value == pytest.approx(float(near(study).mean()), abs=1e-6)


def test_what_is_no_metric_is_refused(study, tmp_path):
    """An unknown name, a class without the methods and a missing weight file are named, with the cure."""
    with pytest.raises(UserError, match=r"unknown metric 'ssmi'.*Did you mean ssim"):
        MetricSet(["ssmi"])
    (tmp_path / "no.py").write_text("class No:\n    def update(self, a, b): ...\n")
    with pytest.raises(UserError, match="without prepare, reset, compute"):
        MetricSet([f"{tmp_path / 'no.py'}:No"])
    row = MetricSpec(MeanOverImages, weights=("vgg",))
    with pytest.raises(UserError, match=r"got inception; expected vgg\. Try --weights vgg=FILE"):
        row.build("lpips", {"inception": tmp_path})
    with pytest.raises(UserError, match="expected one of images, features, sample"):
        MetricSpec(MeanOverImages, reads="pixels")


def test_two_metrics_of_one_name_are_refused(study, tmp_path):
    """No table mixes two numbers under one heading."""
    (tmp_path / "twice.py").write_text(OWN.replace('"edge_error"', '"l1"'))
    with pytest.raises(ValueError, match="'l1', which another metric has measured"):
        measured(study, near(study), MetricSet([f"{tmp_path / 'twice.py'}:EdgeError"]))


def test_weights_reach_the_metric(tmp_path):
    """A row's weights are given by name; others are not."""
    made = {}

    class Weighted(MeanOverImages):
        def __init__(self, vgg):
            super().__init__()
            made["vgg"] = vgg

    MetricSpec(Weighted, weights=("vgg",)).build("x", {"vgg": tmp_path, "inception": tmp_path / "i"})
    assert made == {"vgg": tmp_path}


def test_the_table_needs_no_torch():
    """The names of metrics are known to the command line without torch."""
    code = "import sys; import ganprune.evaluators.quality.catalog; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_measurements_of_the_table_are_valid(study):
    """Measurements of every row come back from JSON as they were."""
    found = measured(study, near(study))
    assert [Measurement.from_json(m.to_json()) for m in found] == found
