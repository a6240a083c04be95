"""Unpaired training with pairs as the test: references for what is measured, none for what is trained."""

import numpy as np
import pytest
import torch
from ganprune.gan_models.data.dataset import batches, in_order
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.tasks.task import make_task
from ganprune.gan_models.tasks.task_data import open_split
from PIL import Image

from ...data_specs import square

SETTINGS = {"paired_test": True}


@pytest.fixture
def root(tmp_path):
    """Test pictures of A and B of one name have one color; other names are of training."""
    for domain in "AB":
        for split, names in (("train", [f"{domain}{n}" for n in range(4)]), ("test", "pqr")):
            (tmp_path / f"{split}{domain}").mkdir()
            for i, name in enumerate(names):
                pixels = np.full((8, 8, 3), 40 * i + 10, np.uint8)
                suffix = "png" if domain == "A" else "bmp"
                Image.fromarray(pixels).save(tmp_path / f"{split}{domain}" / f"{name}.{suffix}")
    return tmp_path


def test_test_images_of_one_name_are_references(root):
    """In both directions, whatever their suffixes; training batches have none, and a task without the setting neither."""
    spec = square(str(root), "unpaired", 8, settings=SETTINGS)
    task = make_task("unpaired", SETTINGS)
    (batch,) = in_order(open_split(spec, "test"), 8)
    for name in ("AtoB", "BtoA"):
        assert torch.equal(task.reference(batch, name), *task.inputs(batch, name))
        assert torch.equal(task.reference(batch, name), task.reals(batch, name))
        assert set(task.columns(batch, name)) == {"input", "target"}
    trained = next(batches(open_split(spec, "train"), 2, seed=1))
    assert task.reference(trained, "AtoB") is None
    assert set(task.columns(trained, "AtoB")) == {"input"}
    (plain,) = in_order(open_split(square(str(root), "unpaired", 8), "test", tell=False), 8)
    assert make_task("unpaired").reference(plain, "AtoB") is None
    assert make_task("unpaired", SETTINGS).has_reference
    assert "paired_test" not in make_task("unpaired").settings_json()


def test_names_that_are_alike_are_offered_as_pairs(root):
    """A note, without the setting; none if the names differ."""
    spec = square(str(root), "unpaired", 8)
    assert any("--task-setting paired_test=true" in note for note in open_split(spec, "test", tell=False).notes)
    (root / "testB" / "r.bmp").rename(root / "testB" / "s.bmp")
    assert not any("paired_test" in note for note in open_split(spec, "test", tell=False).notes)


def test_test_images_that_are_no_pairs_are_refused_by_name(root):
    """One line: what each side lacks."""
    (root / "testB" / "r.bmp").rename(root / "testB" / "s.bmp")
    with pytest.raises(UserError, match="A lacks s and B lacks r") as caught:
        open_split(square(str(root), "unpaired", 8, settings=SETTINGS), "test")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="builtin:stripes has no pairs"):
        open_split(square("builtin:stripes", "unpaired", 8, settings=SETTINGS, n_test=2), "test")
