"""Files of one input, read as the input's kind: images, masks, label maps, labels, vectors and sound.

Shapes: C channels, H x W pixels.
"""

from __future__ import annotations

import wave
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...files.errors import UserError, WorkFailed
from ...files.parsers.array_files import load_array
from ...files.pictures.picture import Picture, PictureError
from ...files.pictures.picture_reader import read_indices, read_picture
from ...files.texts.number_text import percent
from ...networks.specs import Input
from ..image_readers import MEMORY_LIMIT_BYTES
from ..spec import PictureForm
from .instance_edges import read_edges
from .nearest import nearest

MAX_CHECKED_FILES = 500  # number of files per input whose values are checked before training
# What the readers of arrays and sounds raise; `wave` raises RuntimeError without a message for a chunk that ends early.
UNREADABLE = (OSError, ValueError, EOFError, IndexError, RuntimeError, ArithmeticError, MemoryError, wave.Error)
_WHITE_OF_16_BITS = 32768.0


class PictureParts:
    """Entries of one picture per part, for images, masks and label maps; decoded ones are cached.

    Args:
        entries: The files of each entry, one per part.
        parts: The input of each; None for the target, an image.
        forms: The form that each is read in; masks and label maps use only its size.
        soft: True if masks may have values between 0 and 1.
        instances: Names of masks whose files are maps of instances; the masks are their edges.
    """

    def __init__(
        self,
        entries: Sequence[Sequence[Path]],
        parts: Sequence[Input | None],
        forms: Sequence[PictureForm],
        soft: bool = False,
        instances: Collection[str] = (),
    ) -> None:
        self.instances = instances
        self.entries = [tuple(paths) for paths in entries]
        self.parts, self.forms, self.soft = tuple(parts), tuple(forms), soft
        self._remembered: dict[int, tuple[Tensor, ...]] = {}
        self._room_bytes = MEMORY_LIMIT_BYTES

    def __len__(self) -> int:
        return len(self.entries)

    def files(self, index: int) -> tuple[Path, ...]:
        """Return the file that identifies an entry, the target's: many entries may share a mask."""
        return self.entries[index][-1:]

    def read(self, index: int) -> tuple[Tensor, ...]:
        """Return the pictures of one entry: images and masks (C, H, W) in 0 .. 255, label maps (1, H, W) of labels.

        Raises:
            UserError: A mask or a label map has invalid values.
            WorkFailed: A file cannot be read.
        """
        if index in self._remembered:
            return self._remembered[index]
        read = tuple(self._part(*each) for each in zip(self.entries[index], self.parts, self.forms, strict=True))
        self._room_bytes -= sum(part.nbytes for part in read)
        if self._room_bytes >= 0:
            self._remembered[index] = read
        return read

    def check(self) -> None:
        """Check masks and label maps: at most `MAX_CHECKED_FILES` of each, evenly spread.

        Raises UserError as `read`.
        """
        for part, form, column in zip(self.parts, self.forms, zip(*self.entries, strict=True), strict=True):
            if part is not None and part.kind != "image":
                for place in _spread(len(self)):
                    self._part(column[place], part, form)

    def _part(self, path: Path, part: Input | None, form: PictureForm) -> Tensor:
        try:
            if part is not None and part.is_map:
                return label_map(path, part, form.height, form.width)
            if part is not None and part.name in self.instances:
                return read_edges(path, form.height, form.width)
            if part is not None and part.kind == "mask":
                return mask(path, part, form.height, form.width, self.soft)
            return _formed(read_picture(path, form.planes), form)
        except PictureError as error:
            raise WorkFailed(f"image {path} cannot be decoded: got {error}. Try to repair or remove it") from error


class ValueParts:
    """Entries of vectors, sounds and labels, one file per part.

    Args:
        entries: The files of each entry, one per part; for a label without a file, the label.
        parts: The input of each.
        targets: The target of each entry, which identifies it.
    """

    def __init__(
        self, entries: Sequence[Sequence[Path | int]], parts: Sequence[Input], targets: Sequence[Path] = ()
    ) -> None:
        self.entries = [tuple(paths) for paths in entries]
        self.parts, self.targets = tuple(parts), tuple(targets)

    def __len__(self) -> int:
        return len(self.entries)

    def files(self, index: int) -> tuple[Path, ...]:
        """Return the file that identifies an entry: many entries may share a vector."""
        return self.targets[index : index + 1]

    def read(self, index: int) -> tuple[Tensor, ...]:
        """Return the values of one entry, each of its input's shape. Raises UserError for a file of another shape."""
        return tuple(
            torch.tensor(source) if isinstance(source, int) else values(source, part)
            for source, part in zip(self.entries[index], self.parts, strict=True)
        )

    def check(self) -> None:
        """Read at most `MAX_CHECKED_FILES` entries, evenly spread. Raises UserError as `read`."""
        for place in _spread(len(self)):
            self.read(place)


def label_map(path: Path, part: Input, height: int, width: int) -> Tensor:
    """Return class numbers (1, H, W), float32, of a palette or gray picture; resized by nearest neighbor.

    Raises:
        UserError: A class is out of range, or the picture has colors.
        PictureError: It cannot be read.
    """
    indices = read_indices(path)
    if indices is None:
        raise UserError(
            f"label map {path} contains colors instead of class numbers: expected a palette or gray. Try PNG in mode "
            f"P or L"
        )
    if (highest := int(indices.max())) >= part.classes:
        raise UserError(
            f"label map {path} has a class out of range: got {highest}; expected 0 to {part.classes - 1} "
            f"({part.name}={part.text}). "
            f"Try a generator of {highest + 1} classes, or other labels"
        )
    return torch.from_numpy(nearest(indices, height, width).astype(np.float32))[None]


def mask(path: Path, part: Input, height: int, width: int, soft: bool = False) -> Tensor:
    """Return a mask (C, H, W) of 0 and 255, uint8; resized by nearest neighbor.

    Raises:
        UserError: The mask has other values than black and white, and `soft` is False.
        PictureError: It cannot be read.
    """
    picture = read_picture(path)
    pixels = picture.formed("gray" if part.shape[0] == 1 else "rgb", *picture.size)
    grays = pixels[(pixels != 0) & (pixels != 255)]
    if len(grays) and not soft:
        raise UserError(
            f"mask {path} contains other values than black and white: got {float(grays[0]):g} of 255 in "
            f"{percent(len(grays) / pixels.size, 2)} % of its pixels; expected 0 and 255. Try PNG instead of JPEG, or "
            f"--task-setting soft_masks=true"
        )
    if soft:
        form = PictureForm(part.shape[0], height, width)
        return _formed(Picture(np.repeat(pixels[:, :, :1], 3, 2), gray=True), form)
    return torch.from_numpy(nearest(pixels, height, width).transpose(2, 0, 1).copy())


def sound_length(path: Path) -> int:
    """Return the number of samples of a sound, from its header. Raises WorkFailed if it cannot be read."""
    try:
        if path.suffix.lower() == ".wav":
            with wave.open(str(path)) as file:
                return file.getnframes()
        return load_array(path, mapped=True).shape[-1]
    except UNREADABLE as error:
        raise WorkFailed(f"file {path} cannot be read: got {_reason(error)}. Try to repair or remove it") from error


def values(path: Path, part: Input) -> Tensor:
    """Return a vector, a sound or a label from a file: `.npy`, or `.wav` of 16 bits for sound.

    Returns:
        float32 of the input's shape; a longer sound is truncated. A label is int64 without axes.

    Raises:
        UserError: The shape is wrong, or a label is out of range.
        WorkFailed: It cannot be read.
    """
    try:
        array = _sound(path) if path.suffix.lower() == ".wav" else load_array(path)
    except UNREADABLE as error:
        raise WorkFailed(f"file {path} cannot be read: got {_reason(error)}. Try to repair or remove it") from error
    if part.kind == "label":
        label = int(array.reshape(-1)[0]) if array.size == 1 and array.dtype.kind in "iu" else -1
        if not 0 <= label < part.classes:
            raise UserError(
                f"label {path} does not fit {part.name}: got {array.reshape(-1)[:1].tolist()} of shape {array.shape}; "
                f"expected one whole number, 0 to {part.classes - 1}"
            )
        return torch.tensor(label)
    if part.kind == "audio" and array.ndim == 2 and array.shape[1] > part.shape[1]:
        array = array[:, : part.shape[1]]
    if array.shape != part.shape or array.dtype.kind not in "buif" or not np.isfinite(array).all():
        raise UserError(
            f"file {path} does not fit {part.name}: got {array.dtype} of shape {array.shape}; expected finite numbers "
            f"of shape {part.shape} ({part.text})"
        )
    return torch.from_numpy(array.astype(np.float32))


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _formed(picture: Picture, form: PictureForm) -> Tensor:
    """Return a picture as (C, H, W) in 0 .. 255 in a form."""
    return torch.from_numpy(
        picture.formed(form.color, form.width, form.height, form.channels).transpose(2, 0, 1).copy()
    )


def _sound(path: Path) -> np.ndarray:
    """Return the samples of a WAV file (channels, samples) in [-1, 1]."""
    with wave.open(str(path)) as file:
        if file.getsampwidth() != 2:
            raise ValueError(f"{8 * file.getsampwidth()} bits per sample; expected 16")
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
    return samples.T / _WHITE_OF_16_BITS


def _spread(n: int) -> list[int]:
    """Return at most `MAX_CHECKED_FILES` evenly spread indices below n."""
    return np.unique(np.linspace(0, n - 1, min(n, MAX_CHECKED_FILES)).round().astype(int)).tolist()
