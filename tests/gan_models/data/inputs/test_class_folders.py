"""Classes are folders that say no split; labels follow their names."""

import pytest
from ganprune.gan_models.data.inputs.class_folders import ClassFolders
from ganprune.gan_models.data.picture_tree import PictureTree
from ganprune.gan_models.files.errors import UserError
from PIL import Image


def pictures(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(root / name)
    return ClassFolders(root, PictureTree(root).pictures)


@pytest.mark.parametrize("form", ["{c}/{n}.png", "train/{c}/{n}.png", "{c}/test/{n}.png", "set/train/{c}/deep/{n}.png"])
def test_a_class_is_the_first_folder_that_says_no_split(tmp_path, form):
    """Beside or below folders of splits, and below a folder that holds all: the label is the place of its name."""
    found = pictures(tmp_path, *(form.format(c=c, n=n) for c in ("dog", "cat") for n in range(2)))
    assert found.names == ("cat", "dog")
    assert [found.label(tmp_path / form.format(c=c, n=1)) for c in ("dog", "cat")] == [1, 0]


def test_classes_take_turns(tmp_path):
    """The first n pictures are of all classes, as far as these have pictures."""
    names = [f"{c}/{n}.png" for c, count in (("a", 3), ("b", 1), ("c", 2)) for n in range(count)]
    found = pictures(tmp_path, *names)
    order = [path.relative_to(tmp_path).as_posix() for path in found.mixed(tmp_path / name for name in reversed(names))]
    assert order == ["a/0.png", "b/0.png", "c/0.png", "a/1.png", "c/1.png", "a/2.png"]


@pytest.mark.parametrize(
    ("names", "said"),
    [(("cat/1.png", "2.png"), "2.png is in no class's folder"), (("cat/1.png",), "no folders of classes"),
     (("1.png", "2.png"), "no folders of classes")],
)  # fmt: skip
def test_pictures_without_classes_are_refused(tmp_path, names, said):
    """A loose picture is named; one class alone is none."""
    with pytest.raises(UserError, match=said):
        pictures(tmp_path, *names)
