"""The selection split: no image of it is trained on or tested on, whatever the layout, links and copies."""

import io
import os
import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from ganprune.gan_models.data.dataset import Draw, ImageSet
from ganprune.gan_models.data.image_readers import ArrayPictures, FilePictures, RenderedPictures
from ganprune.gan_models.data.layouts import LayoutError
from ganprune.gan_models.data.selection import MIN_SELECTION_IMAGES, SHARE, TooFewToSelect, chosen, others
from ganprune.gan_models.data.spec import DataSpec, PictureForm
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.tasks.task_data import Splits, fingerprint, open_split
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from ...data_specs import square

SIDES = {"paired": (4, 2), "unpaired": (3, 3), "unconditional": (3, 3)}


@cache
def png(content: int, size: tuple[int, int]) -> bytes:
    """Return a picture that differs from each other number's."""
    pixels = np.random.default_rng(content).integers(0, 256, (size[1], size[0], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def write(folder: Path, count: int, first: int = 0, size: tuple[int, int] = (3, 3)) -> None:
    """Write pictures whose numbers begin with `first`."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        (folder / f"{i:03}.png").write_bytes(png(first + i, size))


def spec_of(root: Path, task: str, **more) -> DataSpec:
    return square(root, task, 16, selects=True, **more)


def files_of(images: ImageSet) -> list[Path]:
    """Return all files of a set, in order."""
    found: list[Path] = []
    for pictures in images.sources.values():
        whole, numbers = getattr(pictures, "whole", pictures), getattr(pictures, "entries", range(len(pictures)))
        found += [whole.files(number)[0] for number in numbers]
    return found


def contents(images: ImageSet) -> set[bytes]:
    """Return the bytes of all files of a set."""
    return {path.read_bytes() for path in files_of(images)}


FOLDERS = [
    "train", "val", "test", "A", "B", "trainA", "trainB", "valA", "valB", "testA", "testB", "day", "train/day", "A/val"
]  # fmt: skip
TREES = st.lists(
    st.tuples(st.sampled_from(FOLDERS), st.sampled_from([3, 40, 130]), st.integers(0, 9).map(lambda tens: 30 * tens)),
    min_size=1, max_size=5, unique_by=lambda drawn: drawn[0],
)  # fmt: skip
LINKS = st.lists(st.tuples(st.sampled_from(FOLDERS), st.integers(0, 400), st.sampled_from(["link", "hard", "copy"])))


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(TREES, LINKS, st.sampled_from(list(SIDES)), st.integers(0, 3))
@pytest.mark.long
def test_train_select_and_test_have_no_image_in_common(folders, links, task, seed):
    """Over random trees with links, hard links and copies: nothing to select by is trained on or tested on."""
    with TemporaryDirectory() as place:
        root = Path(place).resolve()
        for name, count, first in folders:
            write(root / name, count, first, SIDES[task])
        files = sorted(root.rglob("*.png"))
        for number, (name, which, kind) in enumerate(links):
            source, target = files[which % len(files)], root / name / f"more{number}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            {"link": os.symlink, "hard": os.link, "copy": shutil.copy}[kind](source, target)
        splits = Splits(spec_of(root, task, seed=seed))
        try:
            train, select, test = (splits.open(name) for name in ("train", "select", "test"))
        except UserError as error:
            assume(isinstance(error, LayoutError | TooFewToSelect) or "expected" in str(error))
            assume(False)
        assert not contents(select) & (contents(train) | contents(test))
        assert all(select.count(name) >= 2 for name in select.sources)
        old = Splits(square(root, task, 16, seed=seed))
        assert set(files_of(train)) <= set(files_of(old.open("train")))
        assert files_of(old.open("test")) == files_of(test)
        assert fingerprint(splits.spec) == fingerprint(old.spec)


def test_validation_images_are_those_to_select_by(tmp_path):
    """With val/ and test/ nothing is taken from the training."""
    for name, first in (("train", 0), ("val", 200), ("test", 300)):
        write(tmp_path / name, 120 if name == "train" else 8, first)
    splits = Splits(spec_of(tmp_path, "unconditional"))
    assert {path.parent.name for path in files_of(splits.open("select"))} == {"val"}
    assert [len(splits.open(name)) for name in ("train", "select", "test")] == [120, 8, 8]


@pytest.mark.parametrize("held_out", ["val", "test"])
def test_a_tenth_of_the_training_images_is_kept_apart_if_one_folder_is_held_out(held_out, tmp_path):
    """Whichever it is, it is the test split; the same images are kept apart each time, whatever the seed."""
    write(tmp_path / "train", 230)
    write(tmp_path / held_out, 9, 400)
    splits = Splits(spec_of(tmp_path, "unconditional"))
    assert [len(splits.open(name)) for name in ("train", "select", "test")] == [207, 23, 9]
    again = Splits(spec_of(tmp_path, "unconditional", seed=5))
    assert files_of(again.open("select")) == files_of(splits.open("select"))
    moved = tmp_path.parent / "moved"
    tmp_path.rename(moved)
    names = [path.name for path in files_of(splits.open("select"))]
    assert [path.name for path in files_of(Splits(spec_of(moved, "unconditional")).open("select"))] == names
    moved.rename(tmp_path)


def test_no_more_images_are_kept_apart_than_the_test_has_or_fifty(tmp_path):
    """The selection split has 55 of 600 training images with 55 test images, and 50 with 4 test images."""
    for name, tests, wanted in (("many", 55, 55), ("few", 4, 50)):
        write(tmp_path / name / "train", 600)
        write(tmp_path / name / "test", tests, 900)
        assert len(open_split(spec_of(tmp_path / name, "unconditional"), "select")) == wanted


def test_too_few_training_images_are_refused_with_the_bound_and_the_cure(tmp_path):
    """99 are one too few; the message names them, the bound, a folder and the option."""
    write(tmp_path / "train", SHARE * MIN_SELECTION_IMAGES - 1)
    write(tmp_path / "test", 9, 400)
    splits = Splits(spec_of(tmp_path, "unconditional"))
    for name in ("train", "select"):
        with pytest.raises(TooFewToSelect, match=r"got 99; expected 100 or more, or .* val/\. Try --select-on test"):
            splits.open(name)
    assert len(splits.open("test")) == 9


def test_copies_stay_together(tmp_path):
    """Both copies of each of 60 training images are on one side; copies of test images are trained on."""
    write(tmp_path / "train/a", 60)
    write(tmp_path / "train/b", 60)
    write(tmp_path / "train/c", 60, 300)
    write(tmp_path / "test", 60, 300)
    splits = Splits(spec_of(tmp_path, "unconditional"))
    select, train = files_of(splits.open("select")), files_of(splits.open("train"))
    assert len(select) == 18
    assert {path.parent.name for path in select} == {"a", "b"}
    assert not {path.name for path in select} & {path.name for path in train if path.parent.name != "c"}


def test_sources_of_equal_length_keep_the_same_entries_apart():
    """Parts of one number stay together, and `entry` gives the number in the whole set."""

    def numbers(shift: int) -> RenderedPictures:
        return RenderedPictures(lambda which: (torch.full((1, 3, 16, 16), which[0] + shift),), 140)

    spec = square("somewhere", "paired", 16, selects=True)
    item = lambda images, index, number: {  # noqa: E731
        name: images.read(name, index, number)[0] for name in ("one", "other")
    } | {"entry": torch.tensor(images.entry("one", index))}  # fmt: skip
    whole = ImageSet(spec, {"one": numbers(0), "other": numbers(100)}, item)
    entries = chosen(whole, whole)
    assert entries["one"] == entries["other"]
    select, train = whole.part(entries), others(whole, entries)
    for part in (select, train):
        for i in range(len(part)):
            one, other, entry = (part[i][key] for key in ("one", "other", "entry"))
            assert torch.allclose((other - one) * 127.5, torch.tensor(100.0), atol=1e-3)
            assert torch.allclose((one + 1) * 127.5, entry.float(), atol=1e-3)
    assert (len(select), len(train)) == (14, 126)


def test_parts_that_many_entries_share_do_not_join_these(tmp_path):
    """Entries of a picture and one of two masks are copies if all their files are the same."""
    write(tmp_path / "photos", 130)
    write(tmp_path / "masks", 2, 500)
    photos, masks = sorted((tmp_path / "photos").iterdir()), sorted((tmp_path / "masks").iterdir())
    photos[1].write_bytes(photos[3].read_bytes())

    class Entries:
        def __len__(self):
            return len(photos)

        def files(self, index):
            return photos[index], masks[index % 2]

    spec = square(str(tmp_path), "paired", 16, selects=True)
    test = ImageSet(spec, {"pairs": FilePictures(masks * 30, *spec.pictures)}, lambda images, i, n: {})
    train = ImageSet(spec, {"pairs": Entries()}, lambda images, i, n: {})
    entries = chosen(train, test)["pairs"]
    assert len(entries) == 13
    assert (1 in entries) == (3 in entries)


def test_pairs_of_a_validation_stay_pairs_without_what_is_trained_on(tmp_path):
    """A pair of validation images of two domains is left out if one of its images is trained on."""
    for name, n, first in (("trainA", 9, 0), ("trainB", 7, 50), ("valA", 5, 100), ("valB", 5, 200)):
        write(tmp_path / name, n, first)
    for name, first in (("testA", 300), ("testB", 400)):
        write(tmp_path / name, 4, first)
    (tmp_path / "valA" / "002.png").write_bytes((tmp_path / "trainA" / "001.png").read_bytes())
    spec = spec_of(tmp_path, "unpaired", settings={"paired_test": True})
    select = Splits(spec).open("select")
    names = [path.relative_to(tmp_path).as_posix() for path in files_of(select)]
    assert names == [f"val{domain}/{i:03}.png" for domain in "AB" for i in (0, 1, 3, 4)]


def test_equal_pixels_in_memory_stay_together():
    """Sets without files are told apart by their pixels."""
    images = torch.arange(130, dtype=torch.uint8).repeat(2)[:, None, None, None].expand(-1, 3, 16, 16).contiguous()
    spec = square("somewhere", "unconditional", 16, selects=True)
    train = ImageSet(spec, {"target": ArrayPictures(images)}, lambda images, i, n: {})
    test = ImageSet(spec, {"target": ArrayPictures(images[:60])}, lambda images, i, n: {})
    entries = set(chosen(train, test)["target"])
    assert len(entries) == 26
    assert {(i + 130) % 260 for i in entries} == entries
    assert not entries & set(range(60))


def test_images_to_select_by_are_read_like_test_images(tmp_path):
    """With a size to crop from, training images are augmented, and those to select by are resized whole."""
    write(tmp_path / "train", 120, size=(32, 32))
    write(tmp_path / "test", 9, 400, (32, 32))
    splits = Splits(spec_of(tmp_path, "unconditional", load_size=24))
    select, train = splits.open("select"), splits.open("train")
    path = files_of(select)[0]
    plain = FilePictures([path], PictureForm(3, 16, 16)).read(0)[0].float() / 127.5 - 1
    assert torch.equal(select[0]["target"], plain)
    assert not torch.equal(train[Draw(0, 1)]["target"], train[Draw(0, 2)]["target"])


@pytest.mark.parametrize(("source", "task"), [("builtin:shapes", "paired"), ("builtin:stripes", "unpaired")])
def test_built_in_sets_have_a_rendering_of_their_own_to_select_by(source, task):
    """As many images as the test has, other ones, and the training is as it was."""
    spec = square(source, task, 16, n_train=5, n_test=4, selects=True)
    splits = Splits(spec)
    names = ("train", "select", "test")
    items = {name: [splits.open(name)[i] for i in range(len(splits.open(name)))] for name in names}
    assert [len(items[name]) for name in names] == [5, 4, 4]
    drawn = [image.numpy().tobytes() for name in names for item in items[name] for image in item.values()]
    assert len(set(drawn)) == len(drawn)
    whole = open_split(square(source, task, 16, n_train=5, n_test=4), "train")
    assert all(torch.equal(a, b) for i, item in enumerate(items["train"]) for a, b in zip(
        item.values(), whole[i].values(), strict=True))  # fmt: skip


def test_without_selection_there_is_no_such_split():
    """A spec that says nothing has no split to select by, and all training images."""
    with pytest.raises(ValueError, match="selects"):
        open_split(square("builtin:shapes", "paired", 16, n_train=5, n_test=4), "select")
