"""Pictures at their own size, in RGB, for crops without resizing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..files.errors import WorkFailed
from ..files.pictures.picture import Picture, PictureError
from ..files.pictures.picture_reader import read_picture
from .image_readers import MEMORY_LIMIT_BYTES


class WholePictures:
    """Entries of one or two files, or of the halves of one; decoded ones are cached.

    Args:
        entries: The files of each entry: one, or the low and the high side.
        scale: Pixels of the last image of an entry per pixel of the first, along a side. The high side is cropped at
            its right and lower end to a multiple of the low side.
        halves: True if each file is two images side by side.
        swapped: True if the right half comes first.
    """

    def __init__(
        self, entries: Sequence[tuple[Path, ...]], scale: int = 1, halves: bool = False, swapped: bool = False
    ) -> None:
        self.entries = list(entries)
        self.scale, self.halves, self.swapped = scale, halves, swapped
        self._remembered: dict[int, tuple[Tensor, ...]] = {}
        self._room_bytes = MEMORY_LIMIT_BYTES

    def __len__(self) -> int:
        return len(self.entries)

    def files(self, index: int) -> tuple[Path, ...]:
        """Return the files of one entry."""
        return self.entries[index]

    def read(self, index: int) -> tuple[Tensor, ...]:
        """Return the images of one entry, each (3, H, W) in 0 .. 255 at its own size: uint8 or float32.

        Raises:
            WorkFailed: A file cannot be read; the message names it.
        """
        if index in self._remembered:
            return self._remembered[index]
        pictures: list[Picture] = []
        for path in self.entries[index]:
            try:
                picture = read_picture(path)
                pictures += picture.halves()[:: -1 if self.swapped else 1] if self.halves else [picture]
            except PictureError as error:
                raise WorkFailed(f"image {path} cannot be decoded: got {error}. Try to repair or remove it") from error
        if len(pictures) > 1:
            width, height = pictures[0].size
            pictures[-1] = pictures[-1].cropped(0, 0, self.scale * width, self.scale * height)
        images = tuple(torch.from_numpy(picture.pixels.transpose(2, 0, 1).copy()) for picture in pictures)
        self._room_bytes -= sum(image.nbytes for image in images)
        if self._room_bytes >= 0:
            self._remembered[index] = images
        return images
