"""Layouts of folders: a split is honored wherever it is said, and what is left out is counted by reason."""

import os
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from ganprune.gan_models.data.image_readers import doubts_of
from ganprune.gan_models.data.layouts import LayoutError, SplitFolder, has_domains
from ganprune.gan_models.data.picture_tree import SPLIT_WORDS, PictureTree, split_said
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.tasks.catalog import TASKS
from ganprune.gan_models.tasks.task_data import detect_task, fingerprint, open_split
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ...data_specs import square


def tree(root: Path, *names: str) -> Path:
    """Write an empty file per name, of which only the name is looked at."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def found(root: Path, split: str, domain: str = "", domains=("",)) -> set[str]:
    return {path.relative_to(root).as_posix() for path in SplitFolder(root, 0, domains).files(split, domain)}


UNPAIRED = {
    "trainA": "{split}{domain}",
    "train_A": "{split}_{domain}",
    "A_train": "{domain}_{split}",
    "A-train": "{domain}-{split}",
    "A/train": "{domain}/{split}",
    "train/A": "{split}/{domain}",
    "train/domainA": "{split}/domain{domain}",
    "maps/A/day/train": "maps/{domain}/day/{split}",
    "train/A/day": "{split}/{domain}/day",
}


@pytest.mark.parametrize("layout", UNPAIRED)
@pytest.mark.parametrize(
    "words", [("train", "test"), ("Train", "TEST"), ("training", "valid"), ("train", "validation"), ("train", "val")]
)
def test_unpaired_layouts_are_read_as_one(layout, words, tmp_path):
    """Wherever split and domain are said, three training and two test pictures per domain are found as such."""
    for word, n in zip(words, (3, 2), strict=True):
        for domain in "AB":
            folder = UNPAIRED[layout].format(split=word, domain=domain)
            tree(tmp_path, *(f"{folder}/{i}.jpg" for i in range(n)))
    assert has_domains(tmp_path)
    for domain in "AB":
        train, test = (found(tmp_path, split, domain, ("A", "B")) for split in ("train", "test"))
        assert (len(train), len(test)) == (3, 2)
        assert all(words[1] in name for name in test)


@pytest.mark.parametrize(
    "layout",
    [
        ("train", "test"), ("all/train", "all/test"), ("train/cats/tabby", "test/cats"), ("cats/train", "cats/test"),
        ("train2017", "val2017"), ("DIV2K_train_HR", "DIV2K_valid_HR"), ("photos-train", "photos-test"),
        ("training", "eval"), ("cats", "cats/test"),
    ],
)  # fmt: skip
def test_layouts_of_one_kind_of_picture(layout, tmp_path):
    """Classes may stand above or below the split, and numbers or the set's name beside it."""
    train, test = layout
    tree(tmp_path, *(f"{train}/{i}.png" for i in range(3)), *(f"{test}/{i}.png" for i in range(2)))
    assert found(tmp_path, "train") == {f"{train}/{i}.png" for i in range(3)}
    assert found(tmp_path, "test") == {f"{test}/{i}.png" for i in range(2)}


def test_a_word_in_a_class_name_is_no_split():
    """`bullet_train` says a split only beside a folder that differs in the split's word alone."""
    assert split_said("bullet_train", ["airliner", "bullet_train"]) == ""
    assert split_said("bullet_train", ["bullet_test", "bullet_train"]) == "train"
    assert split_said("trainer") == split_said("latest") == split_said("contest") == ""


FOLDERS = ["A", "B", "trainA", "A_train", "testB", "B-test", "day", "night", *SPLIT_WORDS]
PATHS = st.lists(
    st.tuples(st.lists(st.sampled_from(FOLDERS), max_size=3), st.integers(0, 3)), min_size=1, max_size=14, unique_by=str
)


def says_held_out(path: Path) -> bool:
    """Return whether a folder on the way is a test's or a validation's: the oracle, by itself."""
    return any(part.lower().strip("ab_-") in {"test", "testing", "v", "vl"} or "val" in part.lower() or part == "dev"
               for part in path.parts[:-1])  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(PATHS, st.sampled_from([("",), ("A", "B")]), st.integers(0, 5))
def test_no_test_picture_is_ever_a_training_picture(paths, domains, seed):
    """Over random trees: training and test files are disjoint, and no folder of a test is trained on."""
    with TemporaryDirectory() as place:
        root = tree(Path(place).resolve(), *("/".join([*folders, f"{i}.png"]) for folders, i in paths))
        splits = {split: set() for split in ("train", "val", "test")}
        for split in splits:
            for domain in domains:
                with suppress(LayoutError):
                    splits[split] |= set(SplitFolder(root, seed, domains).files(split, domain))
        assert not splits["train"] & (splits["val"] | splits["test"])
        assert not [path for path in splits["train"] if says_held_out(path.relative_to(root))]


LINKS = [("train/more", "test"), ("A/more", "B"), ("test/more", "train"), ("a_link", "test"), ("z_link", "test"),
         ("train/up", "."), ("train/out", "../outside"), ("test/out", "../outside"), ("train/x.png", "test/1.png"),
         ("A/y.png", "A/test/1.png"), ("trainA", "test"), ("A/self", "A")]  # fmt: skip


@pytest.mark.parametrize("chosen", [*combinations(LINKS, 1), *combinations(LINKS, 2)])
def test_no_link_leads_from_training_to_test(chosen, tmp_path):
    """Whatever is linked to whatever: walking ends, and no file is both trained on and tested on."""
    root = tree(tmp_path / "data", *(f"{f}/{i}.png" for f in ("train", "test", "A", "B", "A/test") for i in range(4)))
    tree(tmp_path / "outside", *(f"{i}.png" for i in range(3)))
    for name, target in chosen:
        if not (root / name).exists():
            (root / name).symlink_to((root / target).resolve())
    for domains in (("",), ("A", "B")):
        folder = SplitFolder(root, 0, domains)
        real = {}
        for split in ("train", "test"):
            real[split] = set()
            for domain in domains:
                with suppress(LayoutError):
                    real[split] |= {os.path.realpath(path) for path in folder.files(split, domain)}
        assert not real["train"] & real["test"]


def test_linked_folders_and_subfolders_are_read(tmp_path):
    """A folder of links to pictures elsewhere, and one that is a link itself, hold what they lead to."""
    store = tree(tmp_path / "store", *(f"{i}.JFIF" for i in range(5)))
    root = tree(tmp_path / "data", "trainB/0.png", "trainB/night/1.png", "testA/0.png", "testB/0.png")
    (root / "trainA").symlink_to(store)
    assert len(found(root, "train", "A", ("A", "B"))) == 5
    assert found(root, "train", "B", ("A", "B")) == {"trainB/0.png", "trainB/night/1.png"}
    for i in range(3):
        (root / "testA" / f"link{i}.png").symlink_to(store / f"{i}.JFIF")
    # Three of the five are tested on, now.
    assert len(found(root, "train", "A", ("A", "B"))) == 2
    assert SplitFolder(root, 0, ("A", "B")).left_out["held out under another name"] == 3


def test_a_folder_is_divided_as_before(tmp_path):
    """Without any split a tenth is held out by the hash of seed and name, whatever stands above the folder."""
    from hashlib import sha256

    root = tree(tmp_path, *(f"{domain}/day/{i}.png" for domain in "AB" for i in range(60)))
    for domain in "AB":
        held = {f"{domain}/day/{i}.png" for i in range(60) if sha256(f"0/day/{i}.png".encode()).digest()[0] % 10 == 0}
        assert found(root, "test", domain, ("A", "B")) == held
        assert len(found(root, "train", domain, ("A", "B"))) == 60 - len(held)


def test_what_is_left_out_is_counted_by_reason(tmp_path):
    """Other files, AppleDouble's, broken links, loops, pictures outside the splits: a number per reason."""
    root = tree(
        tmp_path, "train/0.png", "test/0.png", "loose.png", "notes.txt", "more.txt", "train/._0.png", ".DS_Store",
        "train/Thumbs.db", "__MACOSX/0.png", ".git/0.png",
    )  # fmt: skip
    (root / "train" / "gone.png").symlink_to(root / "nowhere.png")
    (root / "train" / "up").symlink_to(root)
    assert dict(SplitFolder(root, 0).left_out) == {
        "not an image format (.txt)": 2,
        "hidden or of the system": 1,
        "broken link": 1,
        "link to a folder above it": 1,
        "outside the folders of the splits": 1,
    }
    assert found(root, "train") == {"train/0.png"}


def test_folders_without_pictures_say_what_is_missing(tmp_path):
    """An empty split's folder is named; a missing one is named with its domain."""
    root = tree(tmp_path, "trainA/0.png", "trainB/0.png", "testA/0.png")
    (root / "testB").mkdir()
    with pytest.raises(LayoutError, match=r"testB contains no images"):
        found(root, "test", "B", ("A", "B"))
    (root / "testB").rmdir()
    with pytest.raises(LayoutError, match=r"has no testB/"):
        found(root, "test", "B", ("A", "B"))


def pair(path: Path, width: int, height: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), (9, 9, 9)).save(path)


class TestTasks:
    def test_the_layout_decides_the_task(self, tmp_path):
        """Two domains are unpaired, wide pictures with a training split paired, others unconditional."""
        for folder in ("A/train", "A/test", "B/train", "B/test"):
            pair(tmp_path / "two" / folder / "0.png", 8, 8)
        for folder in ("x/train", "x/test"):
            pair(tmp_path / "pairs" / folder / "0.png", 16, 8)
        for letter in "ABC":
            pair(tmp_path / "letters" / letter / "0.png", 8, 8)
        tasks = {name: detect_task(str(tmp_path / name)) for name in ("two", "pairs", "letters")}
        assert tasks == {"two": "unpaired", "pairs": "paired", "letters": "unconditional"}

    def test_portrait_pairs_are_read_if_the_task_says_so(self, tmp_path):
        """Each half is half as wide as the file; a note says how they are read, since they could be single ones."""
        for split in ("train", "test"):
            for i in range(3):
                pair(tmp_path / split / f"{i}.png", 40, 50)
        assert detect_task(str(tmp_path)) == "unconditional"
        with pytest.warns(UserWarning, match="40x50 are read as A|B side by side, 20x50 each"):
            data = open_split(square(tmp_path, "paired", 16), "train")
        assert len(data) == 3

    def test_one_portrait_among_landscape_pairs_is_left_out(self, tmp_path):
        """It is most likely a single picture; the reason says so."""
        for i in range(3):
            pair(tmp_path / "train" / f"{i}.png", 40, 20)
        pair(tmp_path / "train" / "odd.png", 30, 40)
        with pytest.warns(UserWarning, match=r"odd\.png: 30x40 is too narrow"):
            assert len(open_split(square(tmp_path, "paired", 16), "train")) == 3

    @pytest.mark.parametrize("task", ["unpaired", "unconditional"])
    def test_the_fingerprint_is_of_all_files_of_the_splits(self, task, tmp_path):
        """A picture that is added in a subfolder changes it."""
        for folder in ("trainA", "trainB", "testA", "testB"):
            pair(tmp_path / folder / "0.png", 8, 8)
        spec = square(tmp_path, task, 16)
        before = fingerprint(spec)
        pair(tmp_path / "trainA" / "day" / "1.png", 8, 8)
        assert fingerprint(spec) != before
        assert len(list(TASKS.find(task).load().files(spec))) >= 5

    def test_sixteen_bits_are_trained_on_to_their_full_range(self, tmp_path):
        """The item of a 16-bit picture has all values between -1 and 1, and reading it twice gives the same."""
        import numpy as np
        import torch

        ramp = np.linspace(0, 1, 256).reshape(16, 16)
        for split in ("train", "test"):
            (tmp_path / split).mkdir()
            Image.fromarray((ramp * 65535).astype(np.uint16)).save(tmp_path / split / "0.png")
        data = open_split(square(tmp_path, "unconditional", 16), "train")
        first, again = data[0]["target"], data[0]["target"]
        assert torch.equal(first, again)
        assert torch.allclose(first[0], torch.from_numpy(ramp).float() * 2 - 1, atol=1e-3)


@pytest.mark.parametrize(
    ("train", "test"),
    [("trainset", "testset"), ("Trains", "Tests"), ("images", "test_set"), ("photos", "Testing Images"),
     ("trn", "tst"), ("images", "holdout"), ("train", "held-out"), ("train_faces", "test_imgs")],
)  # fmt: skip
def test_further_names_of_splits_are_honored(train, test, tmp_path):
    """However a folder says that it is held out, it is the test, and nothing of it is trained on."""
    tree(tmp_path, *(f"{train}/{i}.png" for i in range(30)), *(f"{test}/{i}.png" for i in range(5)))
    assert found(tmp_path, "train") == {f"{train}/{i}.png" for i in range(30)}
    assert found(tmp_path, "test") == {f"{test}/{i}.png" for i in range(5)}


def test_hard_links_are_one_file(tmp_path):
    """A file that is also called something else in the test folder is not trained on."""
    tree(tmp_path, *(f"train/{i}.png" for i in range(4)), "test/9.png")
    (tmp_path / "test" / "same.png").hardlink_to(tmp_path / "train" / "0.png")
    folder = SplitFolder(tmp_path, 0)
    assert [path.name for path in folder.files("train")] == ["1.png", "2.png", "3.png"]
    assert folder.left_out == {"held out under another name": 1}


def test_folders_that_may_be_held_out_and_copies_are_told(tmp_path):
    """A name with a test's word that is trained on, and a training file of a test file's bytes, are named."""
    tree(tmp_path, *(f"{folder}/{i}.png" for folder in ("celeba_train", "ffhq_test") for i in range(20)))
    (note,) = SplitFolder(tmp_path, 0).notes
    assert "ffhq_test" in note
    assert "celeba_train" not in note
    tree(tmp_path / "two", "train/1.png", "train/2.png", "test/1.png")
    assert SplitFolder(tmp_path / "two", 0).notes == ()
    for name in ("train/2.png", "test/1.png"):
        (tmp_path / "two" / name).write_bytes(b"the same")
    (note,) = SplitFolder(tmp_path / "two", 0).notes
    assert "1 training files are copies" in note
    assert "train/2.png of test/1.png" in note


def test_a_folder_of_one_letter_elsewhere_is_no_class(tmp_path):
    """Classes of letters stand beside A and B; `trainA/x` leaves the pictures unpaired."""
    tree(tmp_path / "x", "horse/trainA/x/0.png", "horse/trainB/0.png")
    tree(tmp_path / "c", "A/0.png", "B/0.png", "C/0.png")
    assert has_domains(tmp_path / "x")
    assert not has_domains(tmp_path / "c")


def test_what_systems_leave_behind_is_no_picture(tmp_path):
    """The recycle bin and lock files of office programs are not trained on."""
    tree(tmp_path, "train/0.png", "train/~$0.png", "train/$RECYCLE.BIN/1.png", "System Volume Information/2.png",
         "lost+found/3.png", "test/0.png")  # fmt: skip
    assert found(tmp_path, "train") == {"train/0.png"}


def test_files_that_may_not_be_meant_as_they_are_read_are_told(tmp_path):
    """12 bits stored in 16 look black, and of an animation the first picture is read: a note names one of each."""
    dark, bright = np.full((8, 8), 4095, np.uint16), np.full((8, 8), 40000, np.uint16)
    Image.fromarray(dark).save(tmp_path / "dark.png")
    Image.fromarray(bright).save(tmp_path / "bright.png")
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    notes = doubts_of(sorted(tmp_path.iterdir()))
    assert len(notes) == 2
    assert any("nearly black (dark.png)" in note for note in notes)
    assert any("several pictures" in note and "moving.gif" in note for note in notes)


def test_a_source_that_no_task_reads_is_named_as_what_it_is(tmp_path):
    """A file is no folder, and a folder of other files says which they are."""
    tree(tmp_path, "set.zip", "one.png", "data/0.heic", "data/1.heic")
    for name, kind in (("set.zip", r"\.zip"), ("one.png", "one image")):
        with pytest.raises(UserError, match=rf"is a file: got {kind}"):
            detect_task(str(tmp_path / name))
    with pytest.raises(UserError, match=r"2 not an image format \(\.heic\)"):
        detect_task(str(tmp_path / "data"))


def test_repeated_files_are_pictures_of_their_own_where_each_name_counts(tmp_path):
    """Frames that are links to earlier frames all have an output; a hard link is a training picture as before."""
    tree(tmp_path, "train/0.png", "test/9.png")
    (tmp_path / "train" / "1.png").symlink_to("0.png")
    (tmp_path / "train" / "2.png").hardlink_to(tmp_path / "train" / "0.png")
    assert [p.path.name for p in PictureTree(tmp_path / "train", repeats=True).pictures] == ["0.png", "1.png", "2.png"]
    assert found(tmp_path, "train") == {"train/0.png", "train/2.png"}
