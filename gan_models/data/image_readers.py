"""Single images from files, arrays and the built-in generator, with one interface.

Images are (C, H, W) in 0 .. 255 in the requested form: uint8, or float32 for files with more than 8 bits and colors
that need it.
"""

from __future__ import annotations

import hashlib
import math
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..files.errors import UserError, WorkFailed
from ..files.pictures.picture import Picture, PictureError
from ..files.pictures.picture_reader import picture_doubt, picture_fault, picture_size, read_picture
from ..files.texts.number_text import counted
from .spec import PictureForm

MEMORY_LIMIT_BYTES = 512 * 2**20  # maximum bytes of decoded images of one split in memory
_MULTI_PICTURE_SUFFIXES = (
    ".gif",
    ".webp",
    ".apng",
    ".tif",
    ".tiff",
    ".avif",
)  # formats of files that may contain several pictures
CIFAR_SIZE = (32, 32)
PLANES_CURE = ". Try .npy of [C, H, W] or [H, W, C], or TIFF of a gray page per channel"
_CIFAR_RECORD = 1 + 3 * 32 * 32


class Pictures(Protocol):
    """A sequence of entries, each of one or more images.

    Copies of an entry are never in two splits if the entries can be compared: by `files(index)`, an entry's files, or
    `digest(index)`, the hash of its pixels. Entries that are augmented by their own code have `drawn(index, number)`,
    which is `read` with random numbers from `number`.
    """

    def __len__(self) -> int: ...

    def read(self, index: int) -> tuple[Tensor, ...]:
        """Return the images of one entry, each (C, H, W) in 0 .. 255, uint8 or float32."""
        ...


class FilePictures:
    """Image files, resized with bicubic interpolation as upstream does; decoded ones are cached.

    Args:
        paths: The readable files (see `good_files`).
        forms: Forms of the images of each file, in order. Several forms of one whole picture all show that picture.
        halves: True if each file is two images side by side.
        swapped: True if the right half comes first.
    """

    def __init__(self, paths: Sequence[Path], *forms: PictureForm, halves: bool = False, swapped: bool = False) -> None:
        self.paths = paths
        self.forms = forms
        self.halves = halves
        self.swapped = swapped
        self._remembered: dict[int, tuple[Tensor, ...]] = {}
        self._room_bytes = MEMORY_LIMIT_BYTES

    def __len__(self) -> int:
        return len(self.paths)

    def files(self, index: int) -> tuple[Path, ...]:
        """Return the files of one entry."""
        return (self.paths[index],)

    def read(self, index: int) -> tuple[Tensor, ...]:
        """Return the images of one file. Raises WorkFailed, naming the file, if it cannot be read."""
        if index in self._remembered:
            return self._remembered[index]
        path = self.paths[index]
        try:
            picture = read_picture(path, max(form.planes for form in self.forms))
            parts = picture.halves() if self.halves else (picture,) * len(self.forms)
            parts = parts[::-1] if self.swapped else parts
            images = tuple(_to_tensor(part, form) for part, form in zip(parts, self.forms, strict=True))
        except PictureError as error:
            raise WorkFailed(f"image {path} cannot be decoded: got {error}. Try to repair or remove it") from error
        self._room_bytes -= sum(image.nbytes for image in images)
        if self._room_bytes >= 0:
            self._remembered[index] = images
        return images


class ArrayPictures:
    """Images in memory: one tensor (N, C, H, W) for each image of an entry."""

    def __init__(self, *images: Tensor) -> None:
        self.images = images
        self._digests: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.images[0])

    def read(self, index: int) -> tuple[Tensor, ...]:
        """Return the images of one entry."""
        return tuple(images[index] for images in self.images)

    def digest(self, index: int) -> str:
        """Return the hash of one entry's pixels."""
        if index not in self._digests:
            pixels = b"".join(image.numpy().tobytes() for image in self.read(index))
            self._digests[index] = hashlib.sha256(pixels).hexdigest()
        return self._digests[index]


class LabeledPictures:
    """Images, each with the label of its class (int64, shape ()) as the last part of its entry."""

    def __init__(self, pictures: Pictures, labels: Sequence[int]) -> None:
        self.pictures = pictures
        self.labels = torch.tensor(labels, dtype=torch.int64)
        for name in ("files", "digest"):  # whichever identifies an entry's content
            if hasattr(pictures, name):
                setattr(self, name, getattr(pictures, name))

    def __len__(self) -> int:
        return len(self.pictures)

    def read(self, index: int) -> tuple[Tensor, ...]:
        """Return the images of one entry and its label."""
        return (*self.pictures.read(index), self.labels[index])


class RenderedPictures:
    """Images rendered on access by a function of a range, for sets too large for memory."""

    def __init__(self, render: Callable[[range], tuple[Tensor, ...]], count: int) -> None:
        self.render = render
        self.count = count

    def __len__(self) -> int:
        return self.count

    def read(self, index: int) -> tuple[Tensor, ...]:
        """Return the images of one entry."""
        return tuple(images[0] for images in self.render(range(index, index + 1)))


class PartOf:
    """Some entries of pictures, renumbered.

    Args:
        whole: The pictures.
        entries: Numbers of the entries.
    """

    def __init__(self, whole: Pictures, entries: Sequence[int]) -> None:
        self.whole = whole
        self.entries = tuple(entries)

    def __len__(self) -> int:
        return len(self.entries)

    def read(self, index: int) -> tuple[Tensor, ...]:
        """Return the images of one entry."""
        return self.whole.read(self.entries[index])

    def drawn(self, index: int, number: int | None) -> tuple[Tensor, ...]:
        """Return the images of one entry, augmented by their own code if it supports that."""
        return read_drawn(self.whole, self.entries[index], number)


def read_drawn(pictures: Pictures, index: int, number: int | None) -> tuple[Tensor, ...]:
    """Return the images of one entry, augmented by their own code if it supports that.

    Args:
        pictures: The entries.
        index: Index of the entry.
        number: Random number of the augmentation; None: none.
    """
    drawn = getattr(pictures, "drawn", None)
    return pictures.read(index) if drawn is None else drawn(index, number)


def rendered(render: Callable[[range], tuple[Tensor, ...]], count: int, forms: Sequence[PictureForm]) -> Pictures:
    """Return rendered images: all at once (which is faster) if they fit in memory, else one by one.

    Args:
        render: Function that returns the images of a range of entries.
        count: Number of entries.
        forms: Forms of an entry's images.
    """
    if count * sum(math.prod(form.shape) for form in forms) <= MEMORY_LIMIT_BYTES:
        return ArrayPictures(*render(range(count)))
    return RenderedPictures(render, count)


def good_files(
    paths: list[Path], strict: bool, halves: bool = False, planes: int | None = None
) -> tuple[list[Path], tuple[str, ...]]:
    """Return the files that can be read to their full range, and `path: reason` for each other file.

    Args:
        paths: Files to check.
        strict: True to raise on the first bad file.
        halves: True if a file must be two images side by side. If most are wider than high, the others are left out.
        planes: Channels of each file, as in `PictureForm.planes`; None: any.

    Raises:
        UserError: There is a bad file with `strict`, or no good file.
    """
    reasons = {path: reason for path in paths if (reason := picture_fault(path, halves, planes)) is not None}
    if halves:
        sizes = {path: size for path in paths if path not in reasons and (size := picture_size(path))}
        if 2 * sum(width > height for width, height in sizes.values()) >= len(sizes):
            reasons |= {
                path: f"{width}x{height} is too narrow for A|B side by side; most others are wider than high"
                for path, (width, height) in sizes.items()
                if width <= height
            }
    bad = tuple(f"{path}: {reasons[path]}" for path in paths if path in reasons)
    if bad and strict:
        raise UserError(f"image {bad[0].replace(': ', ' is bad: ', 1)}. Try to repair or remove it, or omit --strict")
    good = [path for path in paths if path not in reasons]
    if bad and not good:
        raise UserError(
            f"none of {counted(len(paths), 'image')} can be read: {some_of(bad)}{PLANES_CURE * bool(planes)}"
        )
    return good, bad


def doubts_of(files: Sequence[Path], planes: int = 0) -> list[str]:
    """Return a note for each kind of ambiguous file, with the first such file.

    All files that may contain several pictures are checked. Of the others, the first 50 are, and cause a note if all
    are of one kind.

    Args:
        files: The files.
        planes: Channels of each file, as in `PictureForm.planes`.
    """
    several = [path for path in files if path.suffix.lower() in _MULTI_PICTURE_SUFFIXES]
    doubts = {path: doubt for path in [*several, *files[:50]] if (doubt := picture_doubt(path, planes))}
    firsts: dict[str, list[Path]] = {}
    for path, doubt in doubts.items():
        firsts.setdefault(doubt, []).append(path)
    return [f"{len(paths)} image files contain {doubt} ({paths[0].name})" for doubt, paths in firsts.items()]


def sizes_of(files: Sequence[Path], halves: bool = False) -> list[tuple[int, int]]:
    """Return heights and widths of pictures from their headers; for A|B side by side, those of a half."""
    sizes = [size for size in map(picture_size, files) if size]
    return [(height, width // 2 if halves else width) for width, height in sizes]


def some_of(lines: Sequence[str]) -> str:
    """Return the first five of many lines as one line."""
    return "; ".join(lines[:5]) + ("; ..." if len(lines) > 5 else "")


def _to_tensor(picture: Picture, form: PictureForm) -> Tensor:
    return torch.from_numpy(
        picture.formed(form.color, form.width, form.height, form.channels).transpose(2, 0, 1).copy()
    )


def in_form(images: Tensor, form: PictureForm) -> Tensor:
    """Return RGB images (N, 3, H, W) in 0 .. 255, uint8, in a form: resized, and converted to its color.

    Raises:
        UserError: The form has more channels than RGB provides.
    """
    if form.planes:
        raise UserError(
            f"the data have RGB images: got a generator of {form.channels} channels; expected 1 to 4. Try a folder of "
            ".npy files of [C, H, W]"
        )
    if images.shape[1:] == form.shape and form.color == "rgb":
        return images
    pictures = (Picture(image.permute(1, 2, 0).contiguous().numpy()) for image in images)
    formed = [_to_tensor(picture, form) for picture in pictures]
    return torch.stack(formed) if formed else torch.empty(0, *form.shape)


def cifar_pictures(source: Path, split: str, form: PictureForm) -> Pictures:
    """Return CIFAR-10 from its binary version: 50,000 training images, or the 10,000 test images (also for "val").

    Args:
        source: `cifar-10-binary.tar.gz`, or the folder extracted from it.
        split: "train", "val" or "test".
        form: The form that the images of 32 x 32 are read in.

    Raises:
        ValueError: A file is missing or not a CIFAR-10 binary batch (the Python version is pickled: refused).
    """
    records = _cifar_records(source, split)
    images = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32))
    return rendered(lambda indices: (in_form(images[indices.start : indices.stop], form),), len(images), [form])


def cifar_labels(source: Path, split: str) -> list[int]:
    """Return the label, 0 to 9, of each image of `cifar_pictures`, with the same arguments and errors."""
    return _cifar_records(source, split)[:, 0].tolist()


def _cifar_records(source: Path, split: str) -> np.ndarray:
    """Return the records of a split (N, 3073): a byte of label, then the image."""
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] if split == "train" else ["test_batch.bin"]
    blocks = []
    for name, data in zip(names, _cifar_bytes(source, names), strict=True):
        if not data or len(data) % _CIFAR_RECORD:
            raise UserError(f"{name} in {source} is not a CIFAR-10 binary batch: got {len(data)} bytes")
        blocks.append(np.frombuffer(data, np.uint8).reshape(-1, _CIFAR_RECORD))
    return np.concatenate(blocks)


def _cifar_bytes(source: Path, names: list[str]) -> list[bytes]:
    wanted = f"{source} lacks {names[0]}: expected CIFAR-10's *binary* version (the Python version is pickled: refused)"
    if source.is_dir():
        folder = source if (source / "data_batch_1.bin").is_file() else source / "cifar-10-batches-bin"
        if not all((folder / name).is_file() for name in names):
            raise UserError(wanted)
        return [(folder / name).read_bytes() for name in names]
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(source) as archive:
            for member in archive:
                name = Path(member.name).name
                if name in names and member.isfile():
                    stream = archive.extractfile(member)
                    found[name] = stream.read() if stream else b""
    except (tarfile.TarError, EOFError, OSError) as error:
        raise UserError(f"archive {source} cannot be read ({error}); {wanted}") from error
    if set(found) != set(names):
        raise UserError(wanted)
    return [found[name] for name in names]
