"""Folders of images as pytorch-fid reads them: every image at its own size, in the order of the names.

Shapes: N images of a batch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ...gan_models.files.errors import UserError, WorkFailed
from ...gan_models.files.hashes import file_sha256

SUFFIXES = (".bmp", ".jpg", ".jpeg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def image_files(folder: Path) -> list[Path]:
    """The image files that lie directly in a folder, sorted as pytorch-fid sorts them.

    Raises:
        ValueError: no folder, or none with images in it; subfolders that hold some are named.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; give a folder of images")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != ".")
    if files:
        return files
    below = sorted({path.parent.name for path in folder.glob("*/*") if path.suffix.lower() in SUFFIXES})
    cure = f"; its subfolders do ({', '.join(below[:5])}): give one of them" if below else ""
    raise UserError(f"{folder} holds no images ({' '.join(SUFFIXES)}){cure}")


def content_of(files: Sequence[Path]) -> str:
    """Hex sha256 of the files' contents in their order; names do not matter."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(bytes.fromhex(file_sha256(path)))
    return digest.hexdigest()


def folder_batches(files: Sequence[Path], batch_size: int = 32, workers: int = 0) -> Iterator[Tensor]:
    """Images as (N, 3, H, W) float in [-1, 1], in order; a batch ends where the next image has another size.

    Args:
        files: see `image_files`.
        batch_size: most images of a batch.
        workers: processes that read ahead; 0 reads in this one. Nothing of the result depends on it.

    Raises:
        RuntimeError: a file that cannot be decoded, by name.
    """
    # Without batches of its own: only neighbors of one size may be stacked.
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
    """Images as uint8 (3, H, W)."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tensor:
        path = self.files[index]
        try:
            with Image.open(path) as file:
                pixels = np.array(file.convert("RGB"), dtype=np.uint8)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise WorkFailed(f"image {path} cannot be decoded ({error}); repair or remove it") from error
        return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def _stacked(images: list[Tensor]) -> Tensor:
    return torch.stack(images).float().div_(127.5).sub_(1.0)
