"""Datasets, layouts, bad images and the order of batches."""

import io
import subprocess
import sys
import tarfile

import numpy as np
import pytest
import torch
from ganprune.gan_models.data.dataset import Draw
from ganprune.gan_models.data.spec import DataSpec
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.tasks.catalog import check_source
from ganprune.gan_models.tasks.task_data import detect_task, fingerprint, open_split
from PIL import Image

from ...data_specs import square


def picture(value, width=20, height=20):
    """A noisy picture whose red channel's mean is about `value`."""
    noise = np.random.default_rng(value).integers(0, 20, (height, width, 3))
    return Image.fromarray((noise + np.array([value, 40, 90])).astype(np.uint8))


def write(folder, count, start=0, width=20, suffix="png"):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        picture(start + 10 * i, width).save(folder / f"{i:02}.{suffix}")


def aligned(root, splits=("train", "test"), count=4):
    """Pairs whose left half is dark red and whose right half is bright red."""
    for split in splits:
        (root / split).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            pair = Image.new("RGB", (40, 20))
            pair.paste(picture(10 * i), (0, 0))
            pair.paste(picture(200), (20, 0))
            pair.save(root / split / f"{i:02}.png")
    return root


def spec_of(root, task, **more):
    return square(root, task, more.pop("size", 16), **more)


class TestLayouts:
    def test_aligned_halves_follow_the_direction(self, tmp_path):
        """AtoB gives the left half as input, BtoA the right one; values lie in [-1, 1]."""
        root = aligned(tmp_path)
        there = open_split(spec_of(root, "paired"), "test")[0]
        back = open_split(spec_of(root, "paired", direction="BtoA"), "test")[0]
        assert there["input"].shape == there["target"].shape == (3, 16, 16)
        assert there["input"].dtype == torch.float32
        assert there["input"][0].mean() < -0.5 < 0.5 < there["target"][0].mean()
        assert torch.equal(there["input"], back["target"])
        assert torch.equal(there["target"], back["input"])
        assert there["input"].min() >= -1
        assert there["target"].max() <= 1

    def test_pixels_are_those_of_the_file(self, tmp_path):
        """At the file's own size nothing is resampled: value v becomes v / 127.5 - 1."""
        root = aligned(tmp_path)
        item = open_split(spec_of(root, "paired", size=20), "test")[1]
        pixels = torch.from_numpy(np.array(Image.open(root / "test" / "01.png"))).permute(2, 0, 1)
        assert torch.allclose(item["input"], pixels[:, :, :20] / 127.5 - 1)
        assert torch.allclose(item["target"], pixels[:, :, 20:] / 127.5 - 1)

    def test_val_and_test_stand_for_each_other(self, tmp_path):
        """A set with train and val alone has a test split."""
        root = aligned(tmp_path, ("train", "val"))
        assert len(open_split(spec_of(root, "paired"), "test")) == 4

    def test_unpaired_folders(self, tmp_path):
        """CycleGAN's layout gives A in order, B of another count, and each entry both keys."""
        for name, count, start in (("trainA", 3, 0), ("trainB", 2, 200), ("testA", 2, 0), ("testB", 2, 200)):
            write(tmp_path / name, count, start)
        assert detect_task(str(tmp_path)) == "unpaired"
        train = open_split(spec_of(tmp_path, "unpaired"), "train")
        assert len(train) == 3
        assert set(train[2]) == {"A", "B"}
        assert train[2]["A"][0].mean() < 0 < train[2]["B"][0].mean()
        drawn = {round(float(train[Draw(0, n)]["B"].mean()), 4) for n in range(30)}
        assert len(drawn) == 2  # both images of B meet the first of A

    def test_folders_without_a_split_hold_out_about_a_tenth(self, tmp_path):
        """Train and test of plain folders are disjoint and together whole; the seed decides."""
        for i in range(60):
            folder = tmp_path / f"class{i % 2}"
            folder.mkdir(exist_ok=True)
            picture(i * 3).save(folder / f"{i}.jpg")
        assert detect_task(str(tmp_path)) == "unconditional"
        spec = spec_of(tmp_path, "unconditional")
        train, test = open_split(spec, "train"), open_split(spec, "test")
        assert len(train) + len(test) == 60
        assert 1 <= len(test) <= 15
        assert set(train[0]) == {"target"}

    def test_builtin_sets_serve_their_tasks(self):
        """shapes is paired or unconditional, stripes unpaired; sizes are as asked."""
        shapes = open_split(square("builtin:shapes", "paired", 16, n_train=5, n_test=3), "train")
        assert len(shapes) == 5
        single = open_split(square("builtin:shapes", "unconditional", 16, n_train=5, n_test=3), "test")
        assert len(single) == 3
        stripes = open_split(square("builtin:stripes", "unpaired", 16, n_train=5, n_test=3), "train")
        assert set(stripes[0]) == {"A", "B"}
        assert torch.equal(
            single[0]["target"],
            open_split(square("builtin:shapes", "paired", 16, n_test=3), "test")[0]["target"],
        )
        assert detect_task("builtin:shapes") == "paired"
        assert detect_task("builtin:stripes") == "unpaired"


class TestErrors:
    def test_missing_empty_and_wrong_folders_show_the_layouts(self, tmp_path):
        """Each is one line that names the folder; where there is a folder, the layouts too."""
        (tmp_path / "empty").mkdir()
        (tmp_path / "plain").mkdir()
        write(tmp_path / "plain", 2)
        cases = [
            (lambda: detect_task(str(tmp_path / "none")), "does not exist"),
            (lambda: detect_task(str(tmp_path / "empty")), "trainA"),
            (lambda: open_split(spec_of(tmp_path / "plain", "paired"), "train"), "side by side"),
            (lambda: open_split(spec_of(tmp_path / "plain", "unpaired"), "train"), "trainA"),
            (lambda: open_split(spec_of(tmp_path / "none", "paired"), "train"), "does not exist"),
            (lambda: open_split(spec_of(tmp_path / "plain", "unconditional"), "dev"), "split 'dev'"),
        ]
        for act, message in cases:
            with pytest.raises(ValueError, match=message) as caught:
                act()
            assert "\n" not in str(caught.value)

    def test_square_pictures_are_no_pairs(self, tmp_path):
        """A folder train/ of square images is not taken for pairs, nor opened as such."""
        write(tmp_path / "train", 3)
        write(tmp_path / "test", 3)
        assert detect_task(str(tmp_path)) == "unconditional"
        with pytest.raises(ValueError, match="too narrow"):
            open_split(spec_of(tmp_path, "paired"), "train")

    def test_bad_images_are_named_and_left_out_or_fail(self, tmp_path):
        """A cut JPEG, a cut PNG and a text file are each named; `strict` raises on the first."""
        write(tmp_path, 8)
        picture(5, 200, 200).save(tmp_path / "cut.jpg")
        for name, source in (("cut.jpg", "cut.jpg"), ("cut.png", "01.png")):
            data = (tmp_path / source).read_bytes()
            (tmp_path / name).write_bytes(data[: len(data) * 2 // 3])
        (tmp_path / "text.png").write_text("no image")
        spec = spec_of(tmp_path, "unconditional")
        with pytest.warns(UserWarning, match="left out"):
            splits = [open_split(spec, split) for split in ("train", "test")]
        bad = {line.split(":")[0].rpartition("/")[2] for split in splits for line in split.skipped}
        assert bad == {"cut.jpg", "cut.png", "text.png"}
        assert sum(map(len, splits)) == 8
        strict = spec_of(tmp_path, "unconditional", strict=True)
        with pytest.raises(ValueError, match="is bad"):
            [open_split(strict, split) for split in ("train", "test")]

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"source": "builtin:cats"}, "builtin:shapes"),
            ({"direction": "AB"}, "AtoB or BtoA"),
            ({"size": 2}, "image size: got 2"),
            ({"load_size": 10}, "load size: got 10"),
            ({"n_train": 0}, "n_train=0"),
        ],
    )
    def test_a_wrong_spec_says_what_is_allowed(self, fields, message):
        """Each field is checked when the spec is made."""
        with pytest.raises(ValueError, match=message):
            square(**({"source": "builtin:shapes", "task": "paired", "size": 64} | fields))

    def test_a_source_that_the_task_cannot_read_says_which_task_can(self):
        """Known without opening anything: the built-in set's tasks, and the names of all tasks."""
        with pytest.raises(ValueError, match="unpaired or stylize, not paired"):
            check_source("paired", "builtin:stripes")
        with pytest.raises(ValueError, match=r"task .triple.*paired"):
            check_source("triple", "builtin:shapes")

    def test_the_spec_survives_json(self):
        """to_json and from_json are inverse; an unknown field is refused."""
        spec = square("builtin:shapes", "paired", 64, load_size=72, seed=4)
        assert from_json(DataSpec, to_json(spec)) == spec
        with pytest.raises(ValueError, match="color is not a known field"):
            from_json(DataSpec, to_json(spec) | {"color": 1})


class TestCifar:
    @pytest.fixture
    def folder(self, tmp_path):
        root = tmp_path / "cifar-10-batches-bin"
        root.mkdir()
        for i, name in enumerate([*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]):
            records = np.full((3, 3073), i, np.uint8)
            records[:, 1:1025] = 200  # the red plane comes first
            (root / name).write_bytes(records.tobytes())
        return root

    def test_labels_are_the_records_first_bytes(self, folder):
        """A generator that takes a label reads them beside the images, whatever these are resized to."""
        assert detect_task(str(folder), ("latent", "label")) == "class_conditional"
        for size in (32, 16):
            data = open_split(spec_of(folder, "class_conditional", size=size), "train", tell=False)
            assert [int(data[i]["label"]) for i in range(len(data))] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
        assert int(open_split(spec_of(folder, "class_conditional"), "test", tell=False)[0]["label"]) == 5

    def test_folder_and_archive_hold_the_same_images(self, folder, tmp_path):
        """Five training batches and one test batch, planes in RGB order, from either form."""
        archive = tmp_path / "cifar-10-binary.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(folder, arcname=folder.name)
        for source in (folder, tmp_path, archive):
            assert detect_task(str(source)) == "unconditional"
            train = open_split(spec_of(source, "unconditional", size=32), "train")
            test = open_split(spec_of(source, "unconditional", size=32), "test")
            assert (len(train), len(test)) == (15, 3)
            assert torch.allclose(train[3]["target"][0], torch.tensor(200 / 127.5 - 1))
            assert torch.allclose(train[3]["target"][1:], torch.tensor(1 / 127.5 - 1))

    def test_the_pickled_version_is_refused(self, tmp_path):
        """The Python version of CIFAR-10 gets one line that asks for the binary one; nothing is unpickled."""
        archive = tmp_path / "cifar-10-python.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            info = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
            info.size = 4
            tar.addfile(info, io.BytesIO(b"abcd"))
        with pytest.raises(ValueError, match="binary"):
            open_split(spec_of(archive, "unconditional", size=32), "train")

    def test_a_cut_batch_is_refused(self, folder):
        """A file that is no whole number of records is named."""
        path = folder / "data_batch_3.bin"
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(ValueError, match=r"data_batch_3\.bin"):
            open_split(spec_of(folder, "unconditional", size=32), "train")


class TestFingerprint:
    def test_it_is_of_the_content(self, tmp_path):
        """The direction does not change it; one byte of one file does, and so does a file's name."""
        root = aligned(tmp_path)
        first = fingerprint(spec_of(root, "paired"))
        assert fingerprint(spec_of(root, "paired", direction="BtoA", size=32)) == first
        (root / "test" / "03.png").rename(root / "test" / "33.png")
        renamed = fingerprint(spec_of(root, "paired"))
        picture(99, 40).save(root / "train" / "02.png")
        assert len({first, renamed, fingerprint(spec_of(root, "paired"))}) == 3

    def test_builtin_sets_differ_by_seed_and_count(self):
        """A built-in set's fingerprint follows what decides its content."""
        specs = [square("builtin:shapes", "paired", 64, seed=s, n_train=n) for s in (0, 1) for n in (10, 20)]
        assert len({fingerprint(spec) for spec in specs}) == 4


class TestAugmentation:
    def test_both_pictures_of_a_pair_are_cropped_and_mirrored_alike(self, tmp_path):
        """With B = inverted A the two stay inverted through every crop and flip, and there are many of each."""
        (tmp_path / "train").mkdir()
        left = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(np.concatenate([left, 255 - left], 1)).save(tmp_path / "train" / "a.png")
        data = open_split(spec_of(tmp_path, "paired", size=20, load_size=24), "train")
        seen = set()
        for number in range(600):
            item = data[Draw(0, number * 7919)]
            assert torch.allclose(item["input"], -item["target"], atol=1e-6)
            seen.add(item["input"].numpy().tobytes())
        assert len(seen) == 2 * 5 * 5

    def test_flip_off_and_test_split_are_plain(self, tmp_path):
        """Without flip and crop a draw is the plain entry; an integer index never augments."""
        spec = square("builtin:shapes", "paired", 16, flip=False, n_train=2)
        data = open_split(spec, "train")
        assert all(torch.equal(data[Draw(1, n)]["input"], data[1]["input"]) for n in range(8))


def test_settings_import_no_torch():
    """A configuration can hold specs and recipes, and list tasks, without torch."""
    modules = ["data.spec", "data.layouts", "training.recipe", "tasks.settings", "tasks.catalog"]
    code = "import sys\n" + "".join(f"import ganprune.gan_models.{m}\n" for m in modules)
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
