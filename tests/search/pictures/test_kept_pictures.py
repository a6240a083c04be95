"""Pictures at fixed steps: within the stated bytes, one strip per step, the same file if a step is made again."""

import io

import numpy as np
import pytest
import torch
from ganprune.search.pictures.kept_pictures import PICTURE_BYTES, encoded, kept_beside, kept_strips, write_strip
from ganprune.search.pictures.shown_pictures import fixed_inputs, shown_outputs
from PIL import Image

from ...tiny_study import SMALL, made, opened


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def test_a_strip_is_lossless_if_it_fits():
    """Pictures stand below each other, each pixel as it was."""
    images = [torch.rand(3, 16, 20, generator=torch.Generator().manual_seed(i)) * 2 - 1 for i in range(3)]
    expected = torch.cat(images, 1).add(1).mul(127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(pixels(encoded(images, 100_000)), expected)


@pytest.mark.parametrize("limit", [20_000, 3_000, 1_000])
def test_a_strip_keeps_to_its_bytes(limit):
    """Noise, which nothing compresses, loses quality and then size; rows stay whole."""
    images = [torch.rand(3, 96, 96, generator=torch.Generator().manual_seed(i)) * 2 - 1 for i in range(2)]
    content = encoded(images, limit)
    assert len(content) <= limit
    height, width, _ = pixels(content).shape
    assert height == 2 * width


def test_pictures_that_are_not_finite_are_not_kept(tmp_path):
    """A network that diverged leaves no strip."""
    write_strip(tmp_path, "G", "000000001", [torch.full((3, 4, 4), float("nan"))], 1000)
    write_strip(tmp_path, "G", "000000002", [torch.zeros(3, 4, 4)], 1000)
    assert [strip.step for strip in kept_strips(tmp_path)] == [2]


def test_a_study_keeps_pictures_of_teacher_and_trials():
    """The teacher's folder has inputs and targets, and strips by step; a trial has its cut and its end."""
    study = made()
    folder = study.root / "tiny"
    beside, columns = kept_beside(folder / "teacher")
    assert beside["G"].labels == ("input", "target")
    assert sorted(columns) == [("G", 0), ("G", 1)]
    assert [strip.step for strip in kept_strips(folder / "teacher")] == [1, 2]
    strips = kept_strips(folder / "0")
    assert [(strip.network, strip.step) for strip in strips] == [("G", 0), ("G", 1)]
    assert sum(len(strip.content) for strip in strips) <= PICTURE_BYTES
    assert kept_strips(folder / "3") == ()  # it failed before it was cut


def test_strips_are_what_the_network_makes():
    """The last strip of the teacher is the pictures of its outputs for the fixed inputs."""
    study = made()
    from ganprune.search.config import StudyConfig
    from ganprune.search.preparations.prepare import make_teacher

    bench = opened(StudyConfig(name="tiny", **SMALL))
    make_teacher(bench, study.root / "tiny")
    inputs, _, _ = fixed_inputs(bench, "G")
    images = shown_outputs(bench, bench.generators["G"], inputs)
    strip = kept_strips(study.root / "tiny" / "teacher")[-1]
    np.testing.assert_array_equal(pixels(strip.content), pixels(encoded(images, 100_000)))


def test_a_task_that_cannot_be_pictured_ends_no_training(tmp_path, monkeypatch):
    """A warning names the exception, and nothing is raised."""
    from ganprune.search.config import StudyConfig
    from ganprune.search.pictures import kept_pictures

    bench = opened(StudyConfig(name="tiny", **SMALL))

    def broken(*_):
        raise KeyError("no columns")

    monkeypatch.setattr(kept_pictures, "fixed_inputs", broken)
    with pytest.warns(UserWarning, match="no pictures.*KeyError.*no columns"):
        kept_pictures.keep_pictures(bench, {}, tmp_path, 1, 0.5)
    assert kept_strips(tmp_path) == ()
