"""Pairs of low and high sides in folders: matched by name, with their splits; sizes that belong together."""

import numpy as np
import pytest
from ganprune.gan_models.data.layouts import LayoutError
from ganprune.gan_models.data.picture_tree import PictureTree
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.tasks.restoration.low_high_folders import LowHighFolder, has_low_high, sides_of, size_fault
from PIL import Image


def picture(path, width, height):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(abs(hash(path.name)) % 2**32).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def pairs(root, low, high, names=("a", "b"), scale=2, suffix=""):
    for name in names:
        picture(root / low / f"{name}{suffix}.png", 8, 6)
        picture(root / high / f"{name}.png", 8 * scale, 6 * scale)


def found(root, split, scale=0):
    folder = LowHighFolder(root, 0, sides_of(PictureTree(root, ("lr", "hr", "low", "high"))), scale)
    return [tuple(str(path.relative_to(root)) for path in (pair.low, pair.high)) for pair in folder.pairs(split)[0]]


@pytest.mark.parametrize(
    ("low", "high"),
    [("{}/lr", "{}/hr"), ("LR/{}", "HR/{}"), ("low_{}", "high_{}"), ("{}_lr", "{}_hr"), ("{}/lr/x", "{}/hr/x")],
)
def test_sides_and_splits_stand_in_folders_in_any_order(tmp_path, low, high):
    """Each split has its own pairs; the layout is recognized."""
    for split, names in (("train", "ab"), ("test", "cd")):
        pairs(tmp_path, low.format(split), high.format(split), names)
    assert has_low_high(tmp_path)
    for split, names in (("train", "ab"), ("test", "cd")):
        expected = [(f"{low.format(split)}/{n}.png", f"{high.format(split)}/{n}.png") for n in names]
        assert found(tmp_path, split) == expected


def test_div2k_lies_as_it_is_downloaded(tmp_path):
    """Folders with a scale, names with a scale, `valid` for the test split."""
    for split in ("train", "valid"):
        for scale in (2, 4):
            pairs(tmp_path, f"DIV2K_{split}_LR_bicubic/X{scale}", f"DIV2K_{split}_HR", [f"{split[0]}1"], scale,
                  f"x{scale}")  # fmt: skip
    assert has_low_high(tmp_path)
    assert found(tmp_path, "train", 4) == [("DIV2K_train_LR_bicubic/X4/t1x4.png", "DIV2K_train_HR/t1.png")]
    assert found(tmp_path, "test", 2) == [("DIV2K_valid_LR_bicubic/X2/v1x2.png", "DIV2K_valid_HR/v1.png")]
    with pytest.raises(UserError, match="has 2 low sides"):
        found(tmp_path, "train")


def test_equal_names_in_different_splits_and_folders_are_different_pairs(tmp_path):
    """The rest of the path belongs to the name."""
    for split in ("train", "test"):
        for scene in ("one", "two"):
            pairs(tmp_path, f"{split}/lr/{scene}", f"{split}/hr/{scene}", "a")
    assert found(tmp_path, "test") == [(f"test/lr/{s}/a.png", f"test/hr/{s}/a.png") for s in ("one", "two")]


def test_folders_without_a_split_hold_out_a_tenth(tmp_path):
    """No pair is in both splits, and none is lost."""
    pairs(tmp_path, "lr", "hr", [f"{i:03}" for i in range(60)], suffix="x2")
    train, test = found(tmp_path, "train"), found(tmp_path, "test")
    assert not set(train) & set(test)
    assert len(train) + len(test) == 60
    assert 1 <= len(test) <= 15


def test_a_picture_without_its_other_side_is_named(tmp_path):
    """With the folder that lacks it; if all lack theirs, it is another layout."""
    pairs(tmp_path, "train/lr", "train/hr", "ab")
    (tmp_path / "train" / "lr" / "b.png").unlink()
    kept, alone = LowHighFolder(tmp_path, 0, ("lr", "hr")).pairs("train")
    assert [pair.high.name for pair in kept] == ["a.png"]
    assert len(alone) == 1
    assert "b.png: no low side of this name in a folder lr" in alone[0]
    (tmp_path / "train" / "lr" / "a.png").rename(tmp_path / "train" / "lr" / "z.png")
    with pytest.raises(LayoutError, match="no train pair of one name"):
        LowHighFolder(tmp_path, 0, ("lr", "hr")).pairs("train")


def test_input_and_target_of_one_size_are_another_tasks(tmp_path):
    """Folders that say no more than input and target are of super-resolution if their sizes differ."""
    pairs(tmp_path / "same", "train/input", "train/target", scale=1)
    pairs(tmp_path / "larger", "train/input", "train/target", scale=2)
    pairs(tmp_path / "lr", "train/lr", "train/hr", scale=1)
    assert [has_low_high(tmp_path / name) for name in ("same", "larger", "lr")] == [False, True, True]


@pytest.mark.parametrize("name", ["hrafn", "three", "elrond", "chrome", "A", "cathr"])
def test_letters_within_a_word_say_no_side(tmp_path, name):
    """Only whole words of a folder's name count."""
    picture(tmp_path / name / "a.png", 8, 8)
    picture(tmp_path / "lr" / "a.png", 8, 8)
    assert not has_low_high(tmp_path)


@pytest.mark.parametrize(("high", "fits"), [((32, 24), True), ((35, 27), True), ((36, 24), False), ((31, 24), False)])
def test_sizes_of_a_pair_may_differ_by_less_than_a_pixel_of_the_low_side(high, fits):
    """At scale 4, of a low side of 8x6; the message has both sizes and the one that is expected."""
    reason = size_fault((8, 6), high, 4)
    assert (reason is None) == fits
    assert fits or all(part in reason for part in ("8x6", f"{high[0]}x{high[1]}", "32x24", "scale 4"))
