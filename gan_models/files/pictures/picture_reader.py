"""Pictures on disk, read in one way by training, measuring and `run`: upright, and every mode to its full range.

Pillow converts files of more than 8 bits by clipping them to 0 .. 255; here they keep their precision, as float32.
What has no known black and white is a `PictureError` with the reason. Imports Pillow only when something is read.

Shapes: H x W pixels; C channels of a color, see `colors`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .colors import CHANNELS, LUMA, OF_LAB, scaled_lab

if TYPE_CHECKING:
    from PIL import Image

READING = "upright, every mode to its full range"  # part of the keys of what is kept of pictures

_DEEP = ("F", "I", "I;16", "I;16B", "I;16L", "I;16N")
_GRAY = ("1", "L", "LA", "La", *_DEEP)
_TURNED = (5, 6, 7, 8)  # EXIF orientations that exchange width and height
_ORIENTATION, _BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 274, 258, 262, 339  # tags of TIFF and EXIF


class PictureError(ValueError):
    """A picture that cannot be read to its full range; the message is the reason, without the file's name."""


@dataclass(frozen=True)
class Picture:
    """A picture, upright.

    Attributes:
        pixels: (H, W, 3) of 0 .. 255: uint8, or float32 if the file has more than 8 bits per channel.
        alpha: (H, W) uint8; None if the file has no transparency.
        gray: The file has one channel, apart from alpha.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    gray: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def cropped(self, left: int, top: int, width: int, height: int) -> Picture:
        """Return a part of it."""
        part = np.s_[top : top + height, left : left + width]
        return Picture(self.pixels[part], None if self.alpha is None else self.alpha[part], self.gray)

    def halves(self) -> tuple[Picture, Picture]:
        """Return the left and the right half, A and B of a pair side by side; an odd last column is left out.

        Raises:
            PictureError: It does not look like two pictures; see `halves_fault`.
        """
        width, height = self.size
        if (reason := halves_fault(width, height)) is not None:
            raise PictureError(reason)
        return self.cropped(0, 0, width // 2, height), self.cropped(width // 2, 0, width // 2, height)

    def formed(self, color: str, width: int, height: int) -> np.ndarray:
        """Return its pixels resized and in a color, (height, width, C) of 0 .. 255, uint8 or float32.

        Args:
            color: See `colors`; what is transparent is 0 in alpha, and 255 is opaque.
            width: In pixels.
            height: In pixels.

        Raises:
            PictureError: No picture has this color.
        """
        if color in OF_LAB:
            return scaled_lab(resized(self.pixels, width, height), color)
        return resized(self._in_color(color), width, height)

    def _in_color(self, color: str) -> np.ndarray:
        if color == "rgb":
            return self.pixels
        if color in ("gray_alpha", "rgba"):
            alpha = np.full(self.pixels.shape[:2], 255, np.uint8) if self.alpha is None else self.alpha
            shown = self.pixels if color == "rgba" else self._in_color("gray")
            return np.concatenate([shown, alpha[:, :, None].astype(shown.dtype)], 2)
        if color != "gray":
            raise PictureError(f"pictures are not read as {color}; expected {', '.join(CHANNELS)}")
        if self.gray:
            return self.pixels[:, :, :1]
        if self.pixels.dtype == np.uint8:
            return np.asarray(_pillow().fromarray(self.pixels).convert("L"))[:, :, None]
        return (self.pixels @ np.array(LUMA, np.float32))[:, :, None]


def read_picture(path: str | Path) -> Picture:
    """Return the first picture of a file.

    Raises:
        PictureError: It is no picture, is damaged, or its black and white are not known.
    """
    try:
        with _opened(path) as file:
            return _read(file)
    except PictureError:
        raise
    except Exception as error:  # Pillow's readers raise many kinds
        raise PictureError(_reason(error, path)) from error


def read_indices(path: str | Path) -> np.ndarray | None:
    """Return the class numbers (H, W) that a picture holds: a palette's indices, or values of gray; None for colors.

    Raises:
        PictureError: It is no picture, or is damaged.
    """
    try:
        with _opened(path) as file:
            if file.mode not in ("P", "1", "L", "I", "I;16", "I;16B", "I;16L", "I;16N"):
                return None
            return _turned(np.asarray(file).astype(np.int64), file.getexif().get(_ORIENTATION))
    except Exception as error:  # as in `read_picture`
        raise PictureError(_reason(error, path)) from error


def picture_fault(path: str | Path, halves: bool = False) -> str | None:
    """Return why a file cannot be read; None if it can.

    Looks at headers, PNG checksums and JPEG end marks, and decodes only if these leave a doubt: 50,000 pictures take
    seconds, not minutes.

    Args:
        path: The file.
        halves: It must be two pictures side by side.
    """
    try:
        with _opened(path) as file:
            width, height = _upright_size(file)
            if file.format == "PNG" and file.mode != "I":
                file.verify()
            elif file.mode in _DEEP or file.format != "JPEG" or not _ends_with_mark(Path(path)):
                _read(file)
    except Exception as error:  # as in `read_picture`
        return _reason(error, path)
    return halves_fault(width, height) if halves else None


def halves_fault(width: int, height: int) -> str | None:
    """Return why a picture of this size is not taken for A|B side by side; None if it is.

    Squares are the ones that are not: most of them are single pictures, which were given in the place of pairs.
    """
    if width == height or width < 2:
        return (
            f"{width}x{height} is too narrow for A|B side by side: expected two pictures of one size, such as "
            f"{2 * width}x{height} of two {width}x{height}"
        )
    return None


def picture_size(path: str | Path) -> tuple[int, int] | None:
    """Return width and height of an upright picture, from its header; None if it is none."""
    try:
        with _opened(path) as file:
            return _upright_size(file)
    except Exception:  # as in `read_picture`
        return None


def picture_doubt(path: str | Path) -> str | None:
    """Return what is read of a file although it may not be meant; None if there is no doubt.

    Several pictures in a file, of which the first is read; or more than 8 bits of which only the lowest part is used,
    as of 12 bits that are stored in 16: these look black.
    """
    try:
        with _opened(path) as file:
            if getattr(file, "is_animated", False):
                return "several pictures in a file: the first is read"
            if file.mode not in _DEEP or file.mode == "F":
                return None
            brightest = float(_deep(file).max())
    except Exception:  # as in `read_picture`; `picture_fault` has the reason
        return None
    return "less than a tenth of their bits' range: nearly black" if 0 < brightest < 25.5 else None


def resized(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return pixels (H, W, C) of 0 .. 255 resampled with Pillow's bicubic filter, in their own precision."""
    image = _pillow()
    if pixels.shape[:2] == (height, width):
        return pixels
    if pixels.dtype == np.uint8:
        picture = image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
        return np.asarray(picture.resize((width, height), image.Resampling.BICUBIC)).reshape(height, width, -1)
    planes = [
        np.asarray(image.fromarray(plane).resize((width, height), image.Resampling.BICUBIC))
        for plane in np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32)
    ]
    return np.stack(planes, 2).clip(0, 255)  # the filter overshoots at edges


def _pillow() -> Any:
    from PIL import Image  # here, so that importing this module stays cheap

    return Image


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    # Given a path, Pillow maps plain TIFFs into memory by the size that they have after they are turned.
    with Path(path).open("rb") as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on strange metadata, and on sizes that are not refused
        with _pillow().open(stream) as file:
            yield file


def _upright_size(file: Image.Image) -> tuple[int, int]:
    """Return width and height from the header; `getexif` would decode a PNG to find them, and a TIFF is upright."""
    exif = _pillow().Exif()
    exif.load(file.info.get("exif") or b"")
    orientation = exif.get(_ORIENTATION) or _xmp_orientation(file.info.get("xmp"))
    return (file.size[1], file.size[0]) if orientation in _TURNED else file.size


def _xmp_orientation(packet: bytes | str | None) -> int | None:
    """Return the orientation that XMP says, as Pillow reads it if EXIF says none."""
    text = packet.decode("utf-8", "ignore") if isinstance(packet, bytes) else packet or ""
    said = re.search(r'tiff:Orientation(?:="|>)([1-8])', text)
    return int(said[1]) if said else None


def _read(file: Image.Image) -> Picture:
    from PIL import ImageOps

    if file.mode in _DEEP:
        file.load()
        plane = _turned(_deep(file), file.getexif().get(_ORIENTATION))
        return Picture(np.repeat(plane[:, :, None], 3, 2), gray=True)
    gray = file.mode in _GRAY
    picture = ImageOps.exif_transpose(file)
    alpha = None
    if picture.has_transparency_data:
        alpha = np.asarray(picture.convert("RGBA").getchannel("A"))
    return Picture(np.asarray(picture.convert("RGB")), alpha, gray)


def _deep(file: Image.Image) -> np.ndarray:
    """Return a picture of more than 8 bits as float32 (H, W) of 0 .. 255.

    Raises:
        PictureError: Its black and white are not known.
    """
    values, tags = np.asarray(file), getattr(file, "tag_v2", {})
    bits, number = _first(tags.get(_BITS)), _first(tags.get(_SAMPLE_FORMAT))
    if file.mode == "F":
        white = _white_of_floats(values)
    else:
        signed = number == 2
        if bits == 32 and not signed and number is not None:
            values = values.astype(np.int32).view(np.uint32)
        white = _white_of_integers(values, bits or (16 if file.mode != "I" else None), signed)
    scaled = (values.astype(np.float64) * (255.0 / white)).clip(0, 255).astype(np.float32)
    # Pillow turns pictures whose 0 is white for 8 bits alone.
    return 255 - scaled if tags.get(_PHOTOMETRIC) == 0 else scaled


def _white_of_integers(values: np.ndarray, bits: int | None, signed: bool) -> float:
    """Return the value of white: the largest that the file's bits hold.

    Pillow's 32 bits are mostly 16 of another source, so values up to 65535 are read as such.
    """
    low, high = int(values.min()), int(values.max())
    if low < 0:
        raise PictureError(f"integers from {low} to {high}, whose black is not known; expected 0 or more")
    if bits is not None and bits <= 16:
        return 2.0 ** (bits - signed) - 1
    full = 2.0 ** (31 if signed or bits is None else 32) - 1
    if 65535 < high < full / 256:
        raise PictureError(
            f"32-bit integers from {low} to {high}, whose white is not known; expected up to 65535, or up to {full:.0f}"
        )
    return full if high > 65535 else 65535.0


def _white_of_floats(values: np.ndarray) -> float:
    """Return the value of white: 1, or 255 if the values are those of 8 bits."""
    if not np.isfinite(values).all():
        raise PictureError("floating-point values that are not all finite")
    low, high = float(values.min()), float(values.max())
    if low >= -1e-3 and high <= 1 + 1e-3:
        return 1.0
    if low >= 0 and 16 <= high <= 255:
        return 255.0
    raise PictureError(
        f"floating-point values from {low:.4g} to {high:.4g}, whose black and white are not known; "
        "expected 0 to 1, or 0 to 255"
    )


def _turned(plane: np.ndarray, orientation: int | None) -> np.ndarray:
    """Return a plane (H, W) as EXIF's orientation says that it is to be seen."""
    turns: dict[int | None, Any] = {
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.T,
        6: lambda p: p.T[:, ::-1],
        7: lambda p: p.T[::-1, ::-1],
        8: lambda p: p.T[::-1],
    }
    return np.ascontiguousarray(turns[orientation](plane)) if orientation in turns else plane


def _first(tag: Any) -> int | None:
    return tag[0] if isinstance(tag, tuple) else tag


def _ends_with_mark(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 2))
        return file.read(2) == b"\xff\xd9"


def _reason(error: Exception, path: str | Path) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        with Path(path).open("rb") as file:
            head = file.read(64).lstrip().lower()
        if not head:
            return "an empty file"
        if head.startswith(b"version https://git-lfs"):
            return "a Git LFS pointer, not the image itself; fetch it with `git lfs pull`"
        if head.startswith((b"<!doctype", b"<html")):
            return "an HTML page, not an image; download it again"
        return "not an image, or of a kind that Pillow cannot read"
    return " ".join(str(error).split()) or type(error).__name__
