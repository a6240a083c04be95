"""Pictures on disk, read in the same way by training, measuring and `run`: upright, and every mode to its full range.

Pillow converts files of more than 8 bits by clipping them to 0 .. 255; here they keep their precision, as float32.
Unknown values of black and white raise a `PictureError` with the reason. Pillow is imported on the first read.

Shapes: H x W pixels; C channels of a color, see `colors`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .array_reader import array_size, has_bytes, is_array, read_array
from .picture import Picture, PictureError, channels_fault, halves_fault, picture_of_channels
from .tiff_bands import TiffBands, tiff_bands
from .white_levels import white_of_floats, white_of_integers

if TYPE_CHECKING:
    from PIL import Image

READING_CONVENTION = "upright, every mode to its full range"  # part of the keys of cached features

_WIDE_MODES = ("F", "I", "I;16", "I;16B", "I;16L", "I;16N")
_GRAY = ("1", "L", "LA", "La", *_WIDE_MODES)
_TRANSPOSING_ORIENTATIONS = (5, 6, 7, 8)  # EXIF orientations that exchange width and height
_MULTI_PICTURE_NOTE = "several pictures in a file: the first is read"
_ORIENTATION, _BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 274, 258, 262, 339  # numbers of TIFF and EXIF tags


def read_picture(path: str | Path, planes: int = 0) -> Picture:
    """Return the first picture of a file.

    Args:
        path: The file.
        planes: Required number of channels, more than 4. If a file has this many pages, they are read as its channels.

    Raises:
        PictureError: It is not a picture, is damaged, or its values of black and white are unknown.
    """
    try:
        if is_array(path):
            return read_array(path)
        if planes and (bands := tiff_bands(path)) is not None:
            return _read_bands(bands)
        with _opened(path) as file:
            return _read_pages(file) if planes and _channels(file, planes) == planes else _read(file)
    except PictureError:
        raise
    except Exception as error:  # Pillow's readers raise many kinds of exceptions
        raise PictureError(_reason(error, path)) from error


def read_indices(path: str | Path) -> np.ndarray | None:
    """Return the class numbers (H, W) in a picture: a palette's indices, or values of gray; None for colors.

    Raises:
        PictureError: It is not a picture, or is damaged.
    """
    try:
        with _opened(path) as file:
            if file.mode not in ("P", "1", "L", "I", "I;16", "I;16B", "I;16L", "I;16N"):
                return None
            return _turned(np.asarray(file).astype(np.int64), file.getexif().get(_ORIENTATION))
    except Exception as error:  # as in `read_picture`
        raise PictureError(_reason(error, path)) from error


def picture_fault(path: str | Path, halves: bool = False, planes: int | None = None) -> str | None:
    """Return the reason why a file cannot be read; None if it can.

    It reads headers, PNG checksums and JPEG end marks, and decodes only if these are inconclusive: 50,000 pictures take
    seconds, not minutes.

    Args:
        path: The file.
        halves: True if it must be two pictures side by side.
        planes: Required number of channels, if more than 4; 0: 1 to 4; None: any.
    """
    try:
        if is_array(path):
            channels, height, width = array_size(path)
            if not has_bytes(path):
                read_array(path)
            reason = None if planes is None else channels_fault(channels, planes)
            return reason or (halves_fault(width, height) if halves else None)
        if planes and (bands := tiff_bands(path)) is not None:
            if (reason := channels_fault(bands.channels, planes)) is None:
                _read_bands(bands)
            return reason or (halves_fault(*_bands_size(bands)) if halves else None)
        with _opened(path) as file:
            width, height = _upright_size(file)
            if planes and (reason := channels_fault(_channels(file, planes), planes)) is not None:
                return reason
            if planes:
                _read_pages(file)
            elif file.format == "PNG" and file.mode != "I":
                file.verify()
            elif file.mode in _WIDE_MODES or file.format != "JPEG" or not _ends_with_mark(Path(path)):
                _read(file)
    except Exception as error:  # as in `read_picture`
        return _reason(error, path)
    return halves_fault(width, height) if halves else None


def picture_size(path: str | Path) -> tuple[int, int] | None:
    """Return width and height of an upright picture, from its header; None if it is not a picture."""
    try:
        if is_array(path):
            _, height, width = array_size(path)
            return width, height
        if (bands := tiff_bands(path)) is not None:
            return _bands_size(bands)
        with _opened(path) as file:
            return _upright_size(file)
    except Exception:  # as in `read_picture`
        return None


def picture_doubt(path: str | Path, planes: int = 0) -> str | None:
    """Return a warning about a file whose content is ambiguous; None if it is not.

    Args:
        path: The file.
        planes: As in `read_picture`; if it is given, several pages are channels and not ambiguous.

    Two kinds of content are ambiguous. One is several pictures in a file, of which only the first is read. The other is
    more than 8 bits of which only the lowest are used, such as 12 bits stored in 16: the picture looks black.
    """
    try:
        if planes and (bands := tiff_bands(path)) is not None:
            return _MULTI_PICTURE_NOTE if bands.pages else None
        with _opened(path) as file:
            if planes and _channels(file, planes) == planes:
                return None
            if getattr(file, "is_animated", False):
                return _MULTI_PICTURE_NOTE
            if file.mode not in _WIDE_MODES or file.mode == "F":
                return None
            brightest = float(_deep(file).max())
    except Exception:  # as in `read_picture`; `picture_fault` has the reason
        return None
    return "less than a tenth of their bits' range: nearly black" if 0 < brightest < 25.5 else None


def _pillow() -> Any:
    from PIL import Image  # imported here, so that importing this module stays fast

    return Image


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    # Given a path, Pillow memory-maps plain TIFFs with the size that they have after rotation.
    with Path(path).open("rb") as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # for unusual metadata, and for sizes that are not refused
        with _pillow().open(stream) as file:
            yield file


def _upright_size(file: Image.Image) -> tuple[int, int]:
    """Return width and height from the header; `getexif` would decode a PNG, and a TIFF is upright already."""
    exif = _pillow().Exif()
    exif.load(file.info.get("exif") or b"")
    orientation = exif.get(_ORIENTATION) or _xmp_orientation(file.info.get("xmp"))
    return (file.size[1], file.size[0]) if orientation in _TRANSPOSING_ORIENTATIONS else file.size


def _xmp_orientation(packet: bytes | str | None) -> int | None:
    """Return the orientation in XMP, which Pillow reads if EXIF has none."""
    text = packet.decode("utf-8", "ignore") if isinstance(packet, bytes) else packet or ""
    said = re.search(r'tiff:Orientation(?:="|>)([1-8])', text)
    return int(said[1]) if said else None


def _read(file: Image.Image) -> Picture:
    from PIL import ImageOps

    if file.mode in _WIDE_MODES:
        file.load()
        plane = _turned(_deep(file), file.getexif().get(_ORIENTATION))
        return Picture(np.repeat(plane[:, :, None], 3, 2), gray=True)
    gray = file.mode in _GRAY
    picture = ImageOps.exif_transpose(file)
    alpha = None
    if picture.has_transparency_data:
        alpha = np.asarray(picture.convert("RGBA").getchannel("A"))
    return Picture(np.asarray(picture.convert("RGB")), alpha, gray)


def _channels(file: Image.Image, planes: int) -> int:
    """Return a file's channels: the number of gray pages if that equals `planes`, else those of its first picture."""
    pages = getattr(file, "n_frames", 1)
    if pages == planes and file.mode in _GRAY and not file.has_transparency_data:
        return pages
    return (1 if file.mode in _GRAY else 3) + file.has_transparency_data


def _read_pages(file: Image.Image) -> Picture:
    """Return the picture with one channel per gray page.

    Raises:
        PictureError: A page is in color, or of another size.
    """
    pages = []
    for number in range(getattr(file, "n_frames", 1)):
        file.seek(number)
        page = _read(file)
        if not page.gray or page.alpha is not None or page.size != (pages[0].size if pages else page.size):
            raise PictureError(f"page {number + 1} is in color or of another size than the first; expected gray pages")
        pages.append(page)
    return picture_of_channels(np.concatenate([page.pixels[:, :, :1] for page in pages], 2))


def _read_bands(bands: TiffBands) -> Picture:
    """Return the picture of a TIFF of more than 4 channels."""
    values, orientation = bands.read(), bands.tags.get(_ORIENTATION)
    if values.dtype != np.uint8:
        values = _scaled(values, bands.tags)
    elif _first(bands.tags.get(_PHOTOMETRIC)) == 0:
        values = 255 - values
    planes = [_turned(values[:, :, i], orientation) for i in range(bands.channels)]
    return picture_of_channels(np.stack(planes, 2))


def _bands_size(bands: TiffBands) -> tuple[int, int]:
    """Return width and height of the upright picture."""
    width, height = bands.size
    return (height, width) if bands.tags.get(_ORIENTATION) in _TRANSPOSING_ORIENTATIONS else (width, height)


def _deep(file: Image.Image) -> np.ndarray:
    """Return a picture of more than 8 bits as float32 (H, W) in 0 .. 255.

    Raises:
        PictureError: Its values of black and white are unknown.
    """
    return _scaled(np.asarray(file), getattr(file, "tag_v2", {}), file.mode)


def _scaled(values: np.ndarray, tags: Mapping[int, Any], mode: str = "") -> np.ndarray:
    """Return values of more than 8 bits as float32 in 0 .. 255.

    Args:
        values: Values as stored.
        tags: Tags of a TIFF; empty for other files.
        mode: Pillow's mode; empty if it does not state the bits.

    Raises:
        PictureError: Their values of black and white are unknown.
    """
    bits, number = _first(tags.get(_BITS)), _first(tags.get(_SAMPLE_FORMAT))
    if values.dtype.kind == "f":
        white = white_of_floats(values)
    else:
        signed = number == 2
        if bits == 32 and not signed and number is not None:
            values = values.astype(np.int32).view(np.uint32)
        white = white_of_integers(values, bits or (16 if mode not in ("", "I") else None), signed)
    scaled = (values.astype(np.float64) * (255.0 / white)).clip(0, 255).astype(np.float32)
    # Pillow inverts pictures whose 0 is white for 8 bits only.
    return 255 - scaled if _first(tags.get(_PHOTOMETRIC)) == 0 else scaled


def _turned(plane: np.ndarray, orientation: int | None) -> np.ndarray:
    """Return a plane (H, W) rotated or mirrored by EXIF's orientation."""
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
        if (bands := tiff_bands(path)) is not None:
            return channels_fault(bands.channels) or "not an image"
        return "not an image, or of a format that Pillow cannot read"
    return " ".join(str(error).split()) or type(error).__name__
