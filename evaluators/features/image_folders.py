"""Folders of images, read like pytorch-fid: every image at its own size, in the order of the names.

Shapes: N images per batch.
"""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ...gan_models.files.errors import UserError, WorkFailed
from ...gan_models.files.hashes import file_sha256
from ...gan_models.files.pictures.picture import PictureError
from ...gan_models.files.pictures.picture_names import is_hidden, is_picture_name
from ...gan_models.files.pictures.picture_reader import picture_fault, read_picture
from ...gan_models.files.texts.number_text import counted


def image_files(folder: Path) -> list[Path]:
    """Return the image files that lie directly in a folder, sorted as pytorch-fid sorts them.

    Raises:
        UserError: There is no such folder, or it contains no images; subfolders that contain some are named.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; expected a folder of images")
    files = sorted(path for path in folder.iterdir() if _is_image(path))
    if files:
        return files
    below = sorted({path.parent.name for path in folder.glob("*/*") if _is_image(path)})
    cure = f"; its subfolders do ({', '.join(below[:5])}): give one of them" if below else ""
    raise UserError(f"{folder} holds no images{cure}")


def readable_files(folder: Path) -> list[Path]:
    """Return the files of `image_files` that can be read to their full range, and warn of the others.

    Raises:
        UserError: There is no such folder, or it contains no readable images.
    """
    files = image_files(folder)
    bad = {path: reason for path in files if (reason := picture_fault(path)) is not None}
    shown = "; ".join(f"{path.name}: {reason}" for path, reason in [*bad.items()][:5]) + "; ..." * (len(bad) > 5)
    if len(bad) == len(files):
        raise UserError(f"none of {counted(len(files), 'image')} in {folder} can be read: {shown}")
    if bad:
        warnings.warn(f"left out {len(bad)} of {counted(len(files), 'image')} in {folder}: {shown}", stacklevel=2)
    counts = Counter(filter(None, map(_other, folder.iterdir())))
    if counts:
        parts = ", ".join(f"{n} {reason}" for reason, n in sorted(counts.items()))
        warnings.warn(f"left out {sum(counts.values())} more files in {folder}: {parts}", stacklevel=2)
    return [path for path in files if path not in bad]


def _is_image(path: Path) -> bool:
    return is_picture_name(path.name) and not is_hidden(path.name) and not path.is_dir()


def _other(path: Path) -> str:
    """Return the reason that an entry of a folder is not one of its images; empty if it is, or is clearly no image."""
    if path.is_dir():
        return "" if is_hidden(path.name) or not any(map(_is_image, path.iterdir())) else "folders of images"
    if is_hidden(path.name):
        return "hidden or of the system" if is_picture_name(path.name) else ""
    return "" if is_picture_name(path.name) else f"not an image format ({path.suffix.lower() or 'no suffix'})"


def content_of(files: Sequence[Path]) -> str:
    """Return the hex sha256 of the files' contents in their order; names do not matter."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(bytes.fromhex(file_sha256(path)))
    return digest.hexdigest()


def folder_batches(files: Sequence[Path], batch_size: int = 32, workers: int = 0) -> Iterator[Tensor]:
    """Yield images as (N, 3, H, W) float in [-1, 1], in order; a batch ends before an image of another size.

    Args:
        files: See `image_files`.
        batch_size: Maximum number of images per batch.
        workers: Processes that read ahead; 0 reads in this one. The result does not depend on it.

    Raises:
        RuntimeError: A file cannot be decoded; the message names it.
    """
    # The loader does not make batches: only neighbors of one size may be stacked.
    loader = DataLoader(_Files(files), batch_size=None, num_workers=workers, generator=torch.Generator().manual_seed(0))
    waiting: list[Tensor] = []
    for image in loader:
        if waiting and (len(waiting) == batch_size or waiting[0].shape != image.shape):
            yield _stacked(waiting)
            waiting = []
        waiting.append(image)
    if waiting:
        yield _stacked(waiting)


class _Files(Dataset[Tensor]):
    """A dataset of images (3, H, W) in 0 .. 255: uint8, or float32 for files with more than 8 bits."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor:
        path = self.files[index]
        try:
            pixels = read_picture(path).pixels
        except PictureError as error:
            raise WorkFailed(f"image {path} cannot be decoded ({error}); repair or remove it") from error
        return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def _stacked(images: list[Tensor]) -> Tensor:
    return torch.stack([image.float() for image in images]).div_(127.5).sub_(1.0)
