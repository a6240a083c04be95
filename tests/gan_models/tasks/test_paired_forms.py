"""Pairs in other forms than two squares of RGB."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ganprune.gan_models.data.spec import DataSpec, PictureForm
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.pictures.colors import lab_of
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.gan_models.tasks.paired import PairedTask
from ganprune.gan_models.tasks.task import make_task
from ganprune.gan_models.tasks.task_data import open_split
from PIL import Image


def pictures(root, height, width, count=3):
    """Noise of one size in train and test."""
    random = np.random.default_rng(2)
    for split in ("train", "test"):
        (root / split).mkdir()
        for i in range(count):
            Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8)).save(root / split / f"{i}.png")
    return root


def test_halves_are_read_in_the_forms_of_their_sides(tmp_path):
    """A gray rectangle in, a color one of twice the size out; the direction exchanges the halves, not the forms."""
    root = pictures(tmp_path, 32, 128)
    for direction in ("AtoB", "BtoA"):
        spec = DataSpec(
            str(root), "paired", InputSpec.parse("1,16,32"), PictureForm(3, 32, 64), direction, load_size=20
        )
        for split in ("train", "test"):
            item = open_split(spec, split)[0]
            assert (tuple(item["input"].shape), tuple(item["target"].shape)) == ((1, 16, 32), (3, 32, 64))


def test_halves_that_are_resized_apart_have_a_note(tmp_path):
    """It says both sizes; equal sizes have none."""
    root = pictures(tmp_path, 32, 128)
    notes = []
    for height, width in ((16, 32), (32, 64)):
        spec = DataSpec(str(root), "paired", InputSpec.parse("3,16,32"), PictureForm(3, height, width))
        notes.append(open_split(spec, "test", tell=False).notes)
    apart = "the halves of A|B are resized apart: inputs to 16x32 (height x width), targets to "
    assert notes == [(), (f"{apart}32x64",)]


@pytest.mark.parametrize(
    ("size", "output", "says"),
    [
        ((32, 128), (32, 32), r"halves of A\|B have one proportion: got a generator from 16x32 .* to 32x32"),
        ((32, 96), (16, 32), r"0\.png is 3 squares side by side, not A\|B: got 96x32, whose halves are 48x32"),
        ((32, 97), (16, 32), r"none of 3 images can be read: .*97x32 has no two halves for A\|B side by side"),
    ],
    ids=["stretched", "three squares", "odd"],
)
def test_halves_that_do_not_belong_together_are_refused(tmp_path, size, output, says):
    """One line with the sizes; a setting says that stretched halves and squares are meant."""
    root = pictures(tmp_path, *size)
    spec = DataSpec(str(root), "paired", InputSpec.parse("3,16,32"), PictureForm(3, *output))
    with pytest.raises(UserError, match=says) as caught:
        open_split(spec, "train")
    assert "\n" not in str(caught.value)
    meant = replace(spec, settings={"any_halves": True})
    if size[1] % 2 == 0:
        assert len(open_split(meant, "train", tell=False)) == 3


def test_the_sizes_of_pictures_are_those_of_their_halves(tmp_path):
    """Height and width of the input's half; of whole pictures their own."""
    root = pictures(tmp_path, 32, 128)
    spec = DataSpec(str(root), "paired", InputSpec.parse("3,16,32"), PictureForm(3, 16, 32))
    assert PairedTask.picture_sizes(spec, 2) == [(32, 64)] * 2
    whole = DataSpec(
        str(root), "paired", InputSpec.parse("lightness:1,16,32"), PictureForm(2, 16, 32, "ab"), settings={}
    )
    assert PairedTask.picture_sizes(whole, 9) == [(32, 128)] * 3


def test_lightness_and_ab_are_of_the_same_whole_picture(tmp_path):
    """A square picture, which is no A|B, is its own pair."""
    root = pictures(tmp_path, 16, 16)
    spec = DataSpec(str(root), "paired", InputSpec.parse("lightness:1,16,16"), PictureForm(2, 16, 16, "ab"))
    item = open_split(spec, "test")[1]
    lab = torch.from_numpy(lab_of(np.asarray(Image.open(root / "test" / "1.png")))).permute(2, 0, 1)
    assert torch.allclose((item["input"][0].double() + 1) * 50, lab[0], atol=1e-3)
    assert torch.allclose(item["target"].double() * 110, lab[1:], atol=1e-3)


def test_a_discriminator_sees_an_input_of_another_size_enlarged():
    """Channels of both stand one after the other at the output's size; an input of the same size is as it was."""
    settings = {"input_channels": 1, "discriminator": {"ndf": 4, "n_layers": 1}}
    task = make_task("paired", settings)
    small, large = torch.rand(2, 1, 8, 8), torch.rand(2, 3, 16, 16)
    shown = task.judged((small,), large)
    assert shown.shape == (2, 4, 16, 16)
    assert torch.equal(shown[:, 1:], large)
    assert torch.equal(task.judged((large[:, :1],), large), torch.cat((large[:, :1], large), 1))
    judge = task.make_discriminators(0)["G"]
    assert bool(torch.isfinite(judge(shown)).all())
