"""Entries of several files: matched by name, in any nesting, and refused with the names that lack one."""

import numpy as np
import pytest
from ganprune.gan_models.data.inputs.role_folders import RoleFolders, has_targets
from ganprune.gan_models.data.layouts import LayoutError, SplitFolder
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.specs import InputSpec
from PIL import Image

INPUTS = InputSpec.parse("photo=3,8,8;mask:1,8,8;mood=vector:2;style=latent:3")


def write(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".npy":
            np.save(path, np.zeros(2))
        else:
            Image.new("RGB", (8, 8)).save(path)


def opened(root, inputs=INPUTS, divides=False):
    return RoleFolders(SplitFolder(root, 0, ("target",), divides), inputs)


@pytest.mark.parametrize("form", ["{split}/{role}/{name}", "{role}/{split}/{name}", "{split}_{role}/sub/{name}"])
def test_files_of_one_name_are_one_entry(tmp_path, form):
    """Suffixes do not matter, nor which of role and split stands first; a latent has no files."""
    for split in ("train", "test"):
        for n in range(3):
            for role, suffix in (("photo", "jpg"), ("mask", "png"), ("mood", "npy"), ("target", "png")):
                write(tmp_path, form.format(split=split, role=role, name=f"{n}.{suffix}"))
    for split in ("train", "test"):
        entries = opened(tmp_path).entries(split)
        assert [sorted(entry) for entry in entries] == [["mask", "mood", "photo", "target"]] * 3
        for entry in entries:
            assert len({path.stem for path in entry.values()}) == 1
            assert all(split in path.relative_to(tmp_path).as_posix() for path in entry.values())
    assert has_targets(tmp_path)


def test_an_input_without_a_folder_of_its_name_has_that_of_its_kind(tmp_path):
    """`hole=mask:1,8,8` reads `mask/`, as long as no other input is a mask."""
    write(tmp_path, *(f"train/{role}/1.png" for role in ("photo", "mask", "target")))
    assert opened(tmp_path, InputSpec.parse("photo=3,8,8;hole=mask:1,8,8")).roles == {"photo": "photo", "hole": "mask"}
    with pytest.raises(LayoutError, match=r"no images of other \(mask:1,8,8\).*mask, photo, target"):
        opened(tmp_path, InputSpec.parse("photo=3,8,8;mask=mask:1,8,8;other=mask:1,8,8"))


def test_splits_that_no_folder_says_are_those_of_the_targets(tmp_path):
    """A held-out tenth of the targets takes its inputs along; no file is in both."""
    names = [f"{role}/{n}.png" for n in range(40) for role in ("photo", "mask", "target")]
    write(tmp_path, *names)
    inputs = InputSpec.parse("photo=3,8,8;mask:1,8,8")
    train, test = (opened(tmp_path, inputs, divides=True).entries(split) for split in ("train", "test"))
    assert len(train) + len(test) == 40
    assert len(test) > 0
    assert all(len({path.stem for path in entry.values()}) == 1 for entry in (*train, *test))


def test_files_that_lack_another_are_named(tmp_path):
    """Both directions at once: targets without a mask, masks without a target, the first five of each."""
    write(tmp_path, *(f"train/{role}/{n}.png" for n in range(9) for role in ("photo", "target")))
    write(tmp_path, "train/mask/0.png", "train/mask/1.png", "train/mask/odd.png")
    with pytest.raises(UserError) as caught:
        opened(tmp_path, InputSpec.parse("photo=3,8,8;mask:1,8,8")).entries("train")
    said = str(caught.value)
    assert "7 targets have no mask (2, 3, 4, 5, 6, ...)" in said
    assert "1 file of mask has no target (odd)" in said
    assert "\n" not in said
