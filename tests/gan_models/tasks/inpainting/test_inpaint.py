"""The task inpaint: drawn and given masks, its batches and its losses."""

import numpy as np
import pytest
import torch
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.specs import InputSpec, OutputSpec
from ganprune.gan_models.tasks.catalog import TASKS, asked_task
from ganprune.gan_models.tasks.inpainting.drawn_holes import holes
from ganprune.gan_models.tasks.inpainting.inpaint import InpaintSettings, InpaintTask
from ganprune.gan_models.tasks.task_data import fingerprint, open_split
from PIL import Image

from ....data_specs import of_inputs

INPUTS = "3,32,32;holes=mask:1,32,32"


def batch():
    torch.manual_seed(0)
    target, missing = torch.rand(2, 3, 16, 16) * 2 - 1, torch.zeros(2, 1, 16, 16)
    missing[:, :, 4:8, 4:12] = 1
    return {"image": target * (1 - missing), "holes": missing, "target": target}


def terms(given, output, **settings):
    task = InpaintTask(InpaintSettings(**settings))
    judges = {"G": lambda x: x.mean((1, 2, 3))}
    found, outputs = task.generator_losses({"G": lambda image, missing: output}, judges, given)
    return {name: float(term) for name, term in found.items()}, task.discriminator_loss(outputs, judges, given)


@pytest.mark.parametrize("source", ["strokes", "box"])
def test_a_number_has_one_mask(source):
    """The same number, the same holes; another number, others. Neither nothing nor all is missing."""
    first, again, other = (holes(source, number, 32, 48) for number in (3, 3, 4))
    assert first.shape == (1, 32, 48)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    for number in range(40):
        mask = holes(source, number, 32, 32)
        assert set(mask.unique().tolist()) == {0.0, 1.0}
        assert 0.02 <= float(mask.mean()) < 0.9


def test_masks_of_a_folder_are_resized_without_values_in_between(tmp_path):
    """White is missing."""
    pixels = np.zeros((8, 8), np.uint8)
    pixels[:, :4] = 255
    Image.fromarray(pixels).save(tmp_path / "left.png")
    mask = holes(str(tmp_path), 0, 16, 32)
    assert mask[0, :, :16].mean() == 1
    assert mask[0, :, 16:].sum() == 0


def test_a_folder_without_masks_is_refused(tmp_path):
    """The message says what masks may be."""
    with pytest.raises(UserError, match="has no pictures: expected strokes, box, or a folder"):
        InpaintSettings(masks=str(tmp_path))


def save_pictures(folder, gray_values):
    """Write one plain picture of 16x16 per gray value."""
    folder.mkdir(parents=True)
    for value in gray_values:
        Image.new("RGB", (16, 16), (value,) * 3).save(folder / f"{value}.png")


def save_masks(folder, *columns):
    """Write one mask per column, which is white."""
    folder.mkdir(parents=True)
    for column in columns:
        pixels = np.zeros((16, 16), np.uint8)
        pixels[:, column] = 255
        Image.fromarray(pixels).save(folder / f"{column}.png")


@pytest.mark.parametrize("place", ["data/masks", "elsewhere"])
def test_masks_in_a_folder_of_their_own_are_neither_images_nor_of_another_split(tmp_path, place):
    """Within the data's folder or outside of it, they are holes of their split, and a part of the data's content."""
    save_pictures(tmp_path / "data" / "train", (10, 20, 30))
    save_pictures(tmp_path / "data" / "test", (40, 50))
    save_masks(tmp_path / place / "train", 1, 2)
    save_masks(tmp_path / place / "test", 3)
    spec = of_inputs(
        tmp_path / "data", "inpaint", "3,16,16;holes=mask:1,16,16", settings={"masks": str(tmp_path / place)}
    )
    train, test = (open_split(spec, split, tell=False) for split in ("train", "test"))
    assert (len(train), len(test)) == (3, 2)
    columns = [{int(data[i]["holes"][0, 0].argmax()) for i in range(len(data))} for data in (train, test)]
    assert columns[0] <= {1, 2}
    assert columns[1] == {3}
    before = fingerprint(spec)
    Image.new("L", (16, 16), 255).save(tmp_path / place / "test" / "3.png")
    assert fingerprint(spec) != before


def test_a_folder_of_nothing_but_masks_is_refused(tmp_path):
    """The data's folder itself cannot be that of the masks."""
    save_masks(tmp_path / "train", 1, 2)
    save_masks(tmp_path / "test", 3)
    spec = of_inputs(tmp_path, "inpaint", "3,16,16;holes=mask:1,16,16", settings={"masks": str(tmp_path)})
    with pytest.raises(UserError, match="has no train images except for the masks"):
        open_split(spec, "train", tell=False)


def test_holes_differ_per_epoch_in_training_alone():
    """Test images always have the same holes, inside which the input is 0."""
    spec = of_inputs("builtin:shapes", "inpaint", INPUTS, n_train=3, n_test=3)
    test, again = (open_split(spec, "test")[1] for _ in range(2))
    assert torch.equal(test["holes"], again["holes"])
    assert float((test["image"] * test["holes"]).abs().sum()) == 0
    assert torch.equal(test["image"], test["target"] * (1 - test["holes"]))
    assert not torch.equal(test["holes"], open_split(spec, "train")[1]["holes"])


def test_pixels_weigh_by_where_they_are():
    """The terms are means inside and outside the holes; the discriminator sees holes and output."""
    given = batch()
    output = given["target"] + 0.5 * given["holes"] + 0.25 * (1 - given["holes"])
    found, _ = terms(given, output, weight_holes=2.0, weight_known=4.0, adversarial="lsgan", weight_adversarial=1.0)
    assert found["holes"] == pytest.approx(1.0, rel=1e-5)
    assert found["known"] == pytest.approx(1.0, rel=1e-5)
    seen = torch.cat((given["holes"], output), 1).mean((1, 2, 3))
    assert found["adversarial"] == pytest.approx(float((seen - 1).square().mean()), rel=1e-5)
    assert terms(given, output, weight_adversarial=0)[0].keys() == {"holes", "known"}


def test_the_task_is_asked_for_by_its_settings():
    """A folder of images is read for inpainting if a setting says so."""
    assert asked_task({"masks": "box"}, "unconditional") == "inpaint"


@pytest.mark.parametrize("inputs", ["3,16,16", "3,16,16;mask:3,16,16", "3,16,16;mask:1,8,8", "latent:4"])
def test_a_generator_of_other_inputs_is_refused(inputs):
    """An image and a mask of its size, in this order."""
    spec = InputSpec.parse(inputs)
    with pytest.raises(UserError, match="gives a generator an image and a mask of holes"):
        TASKS.find("inpaint").load().fit({}, "mine", spec, OutputSpec.of_shape((3, 16, 16), spec))
