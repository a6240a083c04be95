"""Entries of several inputs: what an item holds, what generator and discriminator are given, and their splits."""

import numpy as np
import pytest
import torch
from ganprune.gan_models.data.dataset import batches, in_order
from ganprune.gan_models.data.inputs.entry_inputs import EntryInputs
from ganprune.gan_models.data.spec import DataSpec, PictureForm
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.gan_models.tasks.task import make_task
from ganprune.gan_models.tasks.task_data import open_split
from PIL import Image

INPUTS = InputSpec.parse("labels=label:3,8,8;mood=vector:2;photo=3,8,8;mask:1,8,8;style=latent:4")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """150 training entries of which many have one mask and one mood; each photo and target is its own."""
    folder = tmp_path_factory.mktemp("entries")
    for split, numbers in (("train", range(150)), ("test", range(200, 230))):
        for role in ("labels", "mood", "photo", "mask", "target"):
            (folder / split / role).mkdir(parents=True)
        for n in numbers:
            random = np.random.default_rng(n)
            pixels = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            pixels[:, 4:] = np.maximum(pixels[:, 4:], 128)  # brighter on the right, to see mirroring
            pixels[:, :4] = np.minimum(pixels[:, :4], 127)
            right = np.repeat((np.arange(8) > 3)[None], 8, 0)
            Image.fromarray(pixels).save(folder / split / "photo" / f"{n}.png")
            Image.fromarray(255 - pixels).save(folder / split / "target" / f"{n}.png")
            Image.fromarray((255 * right).astype(np.uint8)).save(folder / split / "mask" / f"{n}.png")
            Image.fromarray((2 * right).astype(np.uint8)).save(folder / split / "labels" / f"{n}.png")
            np.save(folder / split / "mood" / f"{n}.npy", np.array([n % 3, 1]))
    return folder


def test_the_folders_of_targets_tell_a_class_that_has_no_files(tmp_path):
    """The label is the folder's place among all of them, beside the image of the same name; classes take turns."""
    for split in ("train", "test"):
        for role in ("photo", "target"):
            for place, name in enumerate(("cat", "dog", "owl")):
                (tmp_path / split / role / name).mkdir(parents=True)
                for n in range(3):
                    pixels = np.full((8, 8, 3), 40 * place + 10 * n, np.uint8)
                    Image.fromarray(pixels).save(tmp_path / split / role / name / f"{n}.png")
    spec = DataSpec(str(tmp_path), "paired", InputSpec.parse("photo=3,8,8;label:3"), PictureForm(3, 8, 8))
    images = open_split(spec, "test", tell=False)
    assert images.classes == ("cat", "dog", "owl")
    assert "labels of classes: 0 cat, 1 dog, 2 owl" in images.notes
    assert [int(images[i]["label"]) for i in range(9)] == [0, 1, 2] * 3
    for i in range(9):
        assert torch.equal(images[i]["photo"], images[i]["target"])
        assert int(images[i]["label"]) == round(float((images[i]["photo"].mean() + 1) * 127.5)) // 40
    few = DataSpec(str(tmp_path), "paired", InputSpec.parse("photo=3,8,8;label:2"), PictureForm(3, 8, 8))
    with pytest.raises(UserError, match="more classes than the generator's label: got 3, of which 'owl' would be"):
        open_split(few, "test")


def spec_of(root, **more):
    return DataSpec(str(root), "paired", INPUTS, PictureForm(3, 8, 8), **more)


def test_an_item_holds_each_input_in_its_own_values_mirrored_alike(root):
    """Images in [-1, 1], masks of 0 and 1, class numbers, vectors: after crop and mirroring all still belong together."""
    seen = set()
    for batch in (
        b for b, _ in zip(batches(open_split(spec_of(root, load_size=10), "train"), 8, 1), range(4), strict=False)
    ):
        assert batch["labels"].dtype == torch.int64
        assert batch["mood"].shape == (8, 2)
        for i in range(8):
            right = batch["mask"][i, 0] == 1
            seen.add(bool(right[0, 0]))
            assert torch.equal(batch["labels"][i], 2 * right)
            assert set(batch["mask"][i].unique().tolist()) <= {0.0, 1.0}
            inside = batch["photo"][i].mean(0)
            assert float(inside[right].mean()) > float(inside[~right].mean())
            assert torch.allclose(batch["photo"][i], -batch["target"][i], atol=0.02)
    assert seen == {True, False}


def test_generator_and_discriminator_are_given_what_their_inputs_say(root):
    """In the generator's order; the discriminator sees pictures, of a label map one channel per class."""
    task = make_task("paired", {"inputs": INPUTS.text, "discriminator": {"ndf": 4, "n_layers": 1}}, 3)
    batch = next(in_order(open_split(spec_of(root), "test"), 5))
    given = task.inputs(batch, "G")
    assert [tuple(x.shape[1:]) for x in given] == [one.shape for one in INPUTS.inputs]
    assert all(torch.equal(a, b) for a, b in zip(given, task.inputs(batch, "G"), strict=True))
    shown = task.judged(given, batch["target"])
    assert shown.shape == (5, 3 + 3 + 1 + 3, 8, 8)
    assert torch.equal(shown[:, :3].argmax(1), batch["labels"])
    assert task.make_discriminators(0)["G"](shown).shape[0] == 5
    assert list(task.columns(batch, "G")) == ["labels", "photo", "mask", "target"]
    assert all(-1 <= float(x.min()) <= float(x.max()) <= 1 for x in task.columns(batch, "G").values())


def test_entries_that_share_a_mask_may_be_on_both_sides_of_a_selection(root):
    """Targets tell entries apart: a tenth is kept to choose by, and no target is in two splits."""
    splits = {name: open_split(spec_of(root, selects=True), name) for name in ("train", "select", "test")}
    assert {name: len(data) for name, data in splits.items()} == {"train": 135, "select": 15, "test": 30}
    targets = [
        {image["target"].numpy().tobytes() for image in map(data.__getitem__, range(len(data)))}
        for data in splits.values()
    ]
    assert len(set().union(*targets)) == 180


def test_names_that_entries_have_already_are_refused():
    """`target` and `step` are in every batch."""
    with pytest.raises(UserError, match="an input has a reserved name: got target"):
        EntryInputs(InputSpec.parse("target=3,8,8;mask:1,8,8"))
