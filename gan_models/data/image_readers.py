"""Where single images come from: files, arrays and the built-in generator, behind one small interface.

Images are uint8 (3, S, S) with S = the size they were asked for.
"""

from __future__ import annotations

import tarfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from ..files.errors import UserError, WorkFailed

MEMORY_LIMIT_BYTES = 512 * 2**20  # decoded images of one split are kept in memory up to here
_CIFAR_RECORD = 1 + 3 * 32 * 32


class Pictures(Protocol):
    """A list of entries, each of one or two images of one size."""

    def __len__(self) -> int: ...

    def read(self, index: int) -> tuple[Tensor, ...]:
        """The images of one entry, each uint8 (3, S, S)."""
        ...


class FilePictures:
    """Image files, resized to S x S with bicubic interpolation as upstream does; decoded ones are remembered.

    Args:
        paths: the files, good ones only (see `good_files`).
        size: S.
        halves: each file is two images side by side.
        swapped: the right half comes first.
    """

    def __init__(self, paths: list[Path], size: int, halves: bool = False, swapped: bool = False) -> None:
        self.paths = paths
        self.size = size
        self.halves = halves
        self.swapped = swapped
        n_images = len(paths) * (2 if halves else 1)
        self._remembered: dict[int, tuple[Tensor, ...]] | None = (
            {} if n_images * 3 * size * size <= MEMORY_LIMIT_BYTES else None
        )

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> tuple[Tensor, ...]:
        """The images of one file; RuntimeError naming the file if it cannot be decoded."""
        if self._remembered is not None and index in self._remembered:
            return self._remembered[index]
        path = self.paths[index]
        try:
            with Image.open(path) as file:
                picture = file.convert("RGB")
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise WorkFailed(f"image {path} cannot be decoded ({error}); repair or remove it") from error
        parts = [picture]
        if self.halves:
            middle = picture.width // 2
            parts = [
                picture.crop((0, 0, middle, picture.height)),
                picture.crop((middle, 0, 2 * middle, picture.height)),
            ]
        images = tuple(_to_tensor(part, self.size) for part in (reversed(parts) if self.swapped else parts))
        if self._remembered is not None:
            self._remembered[index] = images
        return images


class ArrayPictures:
    """Images that lie in memory: one uint8 tensor (N, 3, S, S) for each image of an entry."""

    def __init__(self, *images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images[0])

    def read(self, index: int) -> tuple[Tensor, ...]:
        """The images of one entry."""
        return tuple(images[index] for images in self.images)


class RenderedPictures:
    """Images made when they are asked for, by a function of a range; for sets too big for memory."""

    def __init__(self, render: Callable[[range], tuple[Tensor, ...]], count: int) -> None:
        self.render = render
        self.count = count

    def __len__(self) -> int:
        return self.count

    def read(self, index: int) -> tuple[Tensor, ...]:
        """The images of one entry."""
        return tuple(images[0] for images in self.render(range(index, index + 1)))


def rendered(render: Callable[[range], tuple[Tensor, ...]], count: int, size: int, per_entry: int) -> Pictures:
    """Rendered images: all at once (which is quicker) where they fit in memory, else one by one."""
    if count * per_entry * 3 * size * size <= MEMORY_LIMIT_BYTES:
        return ArrayPictures(*render(range(count)))
    return RenderedPictures(render, count)


def good_files(paths: list[Path], strict: bool, halves: bool = False) -> tuple[list[Path], tuple[str, ...]]:
    """The files that can be read, and for each other one `path: reason`.

    Looks at headers, PNG checksums and JPEG end marks, and decodes only where these leave a doubt: 50,000
    images take seconds, not minutes.

    Args:
        paths: files to look at.
        strict: raise on the first bad file.
        halves: a file must be wide enough to be two images.

    Raises:
        ValueError: a bad file with `strict`, or no good file at all.
    """
    good, bad = [], []
    for path in paths:
        reason = _fault(path, halves)
        if reason is None:
            good.append(path)
            continue
        if strict:
            raise UserError(f"image {path} is bad: {reason}; repair or remove it, or leave out --strict")
        bad.append(f"{path}: {reason}")
    if bad:
        shown = "; ".join(bad[:5]) + ("; ..." if len(bad) > 5 else "")
        if not good:
            raise UserError(f"none of {len(paths)} images can be read: {shown}")
        warnings.warn(f"left out {len(bad)} of {len(paths)} images: {shown}", stacklevel=2)
    return good, tuple(bad)


def _fault(path: Path, halves: bool) -> str | None:
    try:
        with Image.open(path) as image:
            width, height = image.size
            kind = image.format
            if kind == "PNG":
                image.verify()
            elif kind != "JPEG" or not _ends_with_mark(path):
                image.load()
    except UnidentifiedImageError:
        return "not an image"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return str(error) or type(error).__name__
    # Wider than high, or two squares are not there: this catches plain images in the place of pairs.
    if halves and width <= height:
        return f"{width}x{height} is too narrow for A|B side by side"
    return None


def _ends_with_mark(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 2))
        return file.read(2) == b"\xff\xd9"


def _to_tensor(picture: Image.Image, size: int) -> Tensor:
    if picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(picture, dtype=np.uint8).transpose(2, 0, 1).copy())


def cifar_pictures(source: Path, split: str, size: int) -> Pictures:
    """CIFAR-10 from its binary version: 50,000 training images, or the 10,000 test images (also for "val").

    Args:
        source: `cifar-10-binary.tar.gz`, or the folder extracted from it.
        split: "train", "val" or "test".
        size: S; other than 32 the images are resized.

    Raises:
        ValueError: a file is missing or is no CIFAR-10 binary batch (the Python version is pickled: refused).
    """
    names = [f"data_batch_{i}.bin" for i in range(1, 6)] if split == "train" else ["test_batch.bin"]
    blocks = []
    for name, data in zip(names, _cifar_bytes(source, names), strict=True):
        if not data or len(data) % _CIFAR_RECORD:
            raise UserError(f"{name} in {source} is no CIFAR-10 binary batch: {len(data)} bytes")
        records = np.frombuffer(data, np.uint8).reshape(-1, _CIFAR_RECORD)
        blocks.append(records[:, 1:].reshape(-1, 3, 32, 32))
    images = torch.from_numpy(np.concatenate(blocks))
    if size == 32:
        return ArrayPictures(images)

    def resized(indices: range) -> tuple[Tensor, ...]:
        pictures = (Image.fromarray(images[i].permute(1, 2, 0).numpy()) for i in indices)
        return (torch.stack([_to_tensor(picture, size) for picture in pictures]),)

    return rendered(resized, len(images), size, 1)


def _cifar_bytes(source: Path, names: list[str]) -> list[bytes]:
    wanted = f"{source} lacks {names[0]}; give CIFAR-10's *binary* version (the Python version is pickled: refused)"
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
