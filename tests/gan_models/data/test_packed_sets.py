"""MNIST's and Fashion-MNIST's IDX files: layouts, labels, splits, and damaged files in one line."""

import gzip
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from ganprune.gan_models.data.packed_sets import FASHION_CLASSES, packed_set
from ganprune.gan_models.data.spec import DataSpec
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.gan_models.tasks.task_data import detect_task, fingerprint, open_split

from ...data_specs import square

LABELED = InputSpec.parse("latent:4;label:10")


def written(folder: Path, packed: bool = False, n: int = 20) -> Path:
    """Write a small set: n training and 10 test images of 28x28 whose gray is their number."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, count, start in (("train", n, 0), ("t10k", 10, 100)):
        grays = np.arange(start, start + count, dtype=np.uint8)
        images = np.repeat(grays, 28 * 28).tobytes()
        for name, content in (
            (f"{part}-images-idx3-ubyte", struct.pack(">4i", 0x803, count, 28, 28) + images),
            (f"{part}-labels-idx1-ubyte", struct.pack(">2i", 0x801, count) + bytes(i % 10 for i in range(count))),
        ):
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)
    return folder


def spec_of(root: Path, task: str) -> DataSpec:
    return replace(square(root, task, 28, flip=False), inputs=LABELED)


@pytest.mark.parametrize(("below", "packed"), [("", True), ("FashionMNIST/raw", False), ("raw", True)])
def test_images_and_labels_are_read_where_others_put_them(tmp_path, below, packed):
    """Debian's package and torchvision's folders, packed or not; gray is repeated; validation is the test."""
    written(tmp_path / below, packed)
    assert detect_task(str(tmp_path)) == "unconditional"
    assert detect_task(str(tmp_path), ("latent", "label")) == "class_conditional"
    train = open_split(spec_of(tmp_path, "class_conditional"), "train", tell=False)
    assert len(train) == 20
    assert int(train[13]["label"]) == 3
    assert torch.allclose(train[13]["target"], torch.full((3, 28, 28), 13 / 127.5 - 1))
    test = open_split(spec_of(tmp_path, "unconditional"), "test", tell=False)
    assert torch.allclose(test[0]["target"], torch.full((3, 28, 28), 100 / 127.5 - 1))
    assert len(fingerprint(spec_of(tmp_path, "unconditional"))) == 64


def test_classes_are_called_as_the_set_calls_them(tmp_path):
    """Classes have Fashion-MNIST's names in a folder that says fashion, else digits."""
    digits, fashion = packed_set(written(tmp_path / "digits")), packed_set(written(tmp_path / "fashion-mnist"))
    assert digits is not None
    assert fashion is not None
    assert digits.classes == tuple("0123456789")
    assert fashion.classes == FASHION_CLASSES
    assert fashion.size == (28, 28)
    assert packed_set(tmp_path) is None


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda f: (f / "t10k-images-idx3-ubyte").unlink(), "lacks a file of MNIST's format: got no t10k-images"),
        (lambda f: (f / "train-images-idx3-ubyte").write_bytes(b"\x00\x00\x08\x03abc"), "is not an IDX file of bytes with 3"),
        (lambda f: (f / "t10k-images-idx3-ubyte").write_bytes(b""), "begin with nothing"),
        (lambda f: written(f, n=19) and (f / "train-images-idx3-ubyte").write_bytes(
            struct.pack(">4i", 0x803, 18, 28, 28) + bytes(18 * 784)), "got 19; expected 18"),
    ],
)  # fmt: skip
def test_a_damaged_set_is_refused_in_one_line(tmp_path, damage, why):
    """The message names the file and what is wrong with it."""
    damage(written(tmp_path))
    with pytest.raises(UserError, match=why) as caught:
        open_split(spec_of(tmp_path, "class_conditional"), "train", tell=False)
    assert "\n" not in str(caught.value)
