"""Labeled sets in files of their own format: CIFAR-10's binary version, the IDX files of MNIST and Fashion-MNIST."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch

from ..files.errors import UserError
from .image_readers import CIFAR_SIZE, Pictures, cifar_labels, cifar_pictures, in_form, rendered
from .layouts import is_cifar
from .spec import PictureForm

CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FASHION_CLASSES = (
    "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
_IDX_PARTS = {"train": "train", "val": "t10k", "test": "t10k"}
_IDX_FOLDERS = ("", "raw", "MNIST/raw", "FashionMNIST/raw")  # as torchvision downloads them, too
_IDX_BYTES = 0x08  # the code of unsigned bytes in the magic number


@dataclass(frozen=True)
class PackedSet:
    """A set of labeled images.

    Attributes:
        size: Height and width of its images.
        classes: Their names, by label.
        files: All of its files.
        pictures: Opens a split ("train", "val" or "test"), read in a form.
        labels: Labels of a split's images, in order.
    """

    size: tuple[int, int]
    classes: tuple[str, ...]
    files: tuple[Path, ...]
    pictures: Callable[[str, PictureForm], Pictures]
    labels: Callable[[str], list[int]]


def packed_set(root: Path) -> PackedSet | None:
    """Return the set that a file or folder is; None if it is none of these.

    Raises:
        UserError: IDX files are there, but one is missing or is damaged.
    """
    if is_cifar(root):
        files = (root,) if root.is_file() else tuple(root.rglob("*.bin"))
        return PackedSet(
            CIFAR_SIZE,
            CIFAR_CLASSES,
            files,
            lambda split, form: cifar_pictures(root, split, form),
            lambda split: cifar_labels(root, split),
        )
    folder = _idx_folder(root)
    if folder is None:
        return None
    height, width = _idx(_idx_file(folder, "test", "images-idx3"), 3).shape[1:]
    n_classes = 1 + int(_idx(_idx_file(folder, "train", "labels-idx1"), 1).max())
    fashion = "fashion" in str(root.absolute()).lower() and n_classes == len(FASHION_CLASSES)
    names = FASHION_CLASSES if fashion else tuple(map(str, range(n_classes)))
    kinds = ("images-idx3", "labels-idx1")
    files = tuple(_idx_file(folder, split, kind) for split in ("train", "test") for kind in kinds)

    def pictures(split: str, form: PictureForm) -> Pictures:
        images = torch.from_numpy(_idx(_idx_file(folder, split, kinds[0]), 3))[:, None]

        def render(indices: range) -> tuple[torch.Tensor, ...]:
            return (in_form(images[indices.start : indices.stop].expand(-1, 3, -1, -1), form),)

        return rendered(render, len(images), [form])

    def labels(split: str) -> list[int]:
        found = _idx(_idx_file(folder, split, kinds[1]), 1)
        count = len(_idx(_idx_file(folder, split, kinds[0]), 3))
        if len(found) != count:
            raise UserError(f"labels of {folder} do not fit its {split} images: got {len(found)}; expected {count}")
        return [int(label) for label in found]

    return PackedSet((int(height), int(width)), names, files, pictures, labels)


def _idx_folder(root: Path) -> Path | None:
    if not root.is_dir():
        return None
    folders = [root / name for name in _IDX_FOLDERS]
    return next((each for each in folders if each.is_dir() and any(each.glob("*-images?idx3-ubyte*"))), None)


def _idx_file(folder: Path, split: str, kind: str) -> Path:
    part = _IDX_PARTS[split]
    names = [f"{part}-{kind}-ubyte", f"{part}-{kind}-ubyte.gz", f"{part}-{kind.replace('-', '.')}-ubyte"]
    there = next((folder / name for name in names if (folder / name).is_file()), None)
    if there is None:
        raise UserError(f"{folder} lacks a file of MNIST's format: got no {names[0]}; expected it, or {names[1]}")
    return there


@cache
def _idx(path: Path, axes: int) -> np.ndarray:
    """Return the array of an IDX file: a magic number, the lengths of its axes (4 bytes each), the bytes."""
    try:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    start = 4 * (1 + axes)
    shape = tuple(int(n) for n in np.frombuffer(data[4:start], ">u4")) if len(data) > start else ()
    whole = bool(shape) and len(data) - start == int(np.prod(shape, dtype=np.int64))
    if data[:4] != bytes((0, 0, _IDX_BYTES, axes)) or not whole:
        raise UserError(
            f"{path} is not an IDX file of bytes with {axes} {'axis' if axes == 1 else 'axes'}: got {len(data)} bytes "
            f"that begin with {data[:4].hex() or 'nothing'}; expected 0000080{axes} and one byte per value"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape).copy()
