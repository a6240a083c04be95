"""TIFF files of more than 4 channels per page, which Pillow alone cannot read.

A page of N interleaved channels contains the same bytes as a gray page that is N times as wide. Pillow reads that gray
page with its decoders of every compression; its values are the channels. Original to ganprune.

Shapes: H x W pixels; N channels.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from .picture import MAX_COLOR_CHANNELS, PictureError

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIPS, _SAMPLES, _ROWS_PER_STRIP, _STRIP_BYTES, _PLANAR, _PREDICTOR = 273, 277, 278, 279, 284, 317
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _FORMAT = 322, 323, 324, 325, 339
_PREDICTOR_COMPRESSIONS = (
    5,
    8,
    32946,
    34925,
    50000,
)  # compressions that may store differences: LZW, Deflate (two numbers), LZMA, ZSTD
_SUFFIXES = (".tif", ".tiff")
_LONG_TYPE = 4  # type of an entry: unsigned 32-bit integer


@dataclass(frozen=True)
class TiffBands:
    """The first page of a TIFF of more than 4 channels.

    Attributes:
        path: The file.
        tags: The page's tags by number.
        big_endian: The byte order of the file.
        pages: True if there are more pages.
    """

    path: Path
    tags: Mapping[int, Any]
    big_endian: bool
    pages: bool

    @property
    def channels(self) -> int:
        """Channels per pixel."""
        return self._number(_SAMPLES, 1)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as stored, before the orientation is applied."""
        return self._number(_WIDTH), self._number(_HEIGHT)

    def read(self) -> np.ndarray:
        """Return the values (H, W, N) as stored, before they are scaled or turned.

        Raises:
            PictureError: Values do not have 8, 16 or 32 bits, or are differences of floating-point numbers.
        """
        bits = set(self._numbers(_BITS, (1,)))
        if len(bits) != 1 or not bits <= {8, 16, 32}:
            found = ", ".join(map(str, sorted(bits)))
            raise PictureError(f"a TIFF of {self.channels} channels of {found} bits; expected 8, 16 or 32 of each")
        if self._number(_PREDICTOR, 1) > 2:
            found = self._number(_PREDICTOR)
            raise PictureError(f"a TIFF of {self.channels} channels: got predictor {found}; expected predictor 1 or 2")
        if self._number(_PLANAR, 1) == 1:
            return self._values(self.channels, slice(None))
        parts = len(self._numbers(self._places[0])) // self.channels
        planes = [self._values(1, slice(i * parts, (i + 1) * parts)) for i in range(self.channels)]
        return np.concatenate(planes, 2)

    @property
    def _places(self) -> tuple[int, int]:
        """Tags of the offsets and lengths of strips or tiles."""
        return (_TILES, _TILE_BYTES) if _TILES in self.tags else (_STRIPS, _STRIP_BYTES)

    def _values(self, channels: int, parts: slice) -> np.ndarray:
        """Return the interleaved channels (H, W, N) of some of the strips or tiles."""
        from PIL import Image

        with Image.open(BytesIO(self._gray_page(channels, parts))) as page:
            found = np.asarray(page)
        values = found.reshape(found.shape[0], -1, channels)
        if self.big_endian:  # the gray page is declared little-endian, and its bytes are still big-endian
            values = values.byteswap()
        if self._number(_PREDICTOR, 1) == 1 or self._number(_COMPRESSION, 1) not in _PREDICTOR_COMPRESSIONS:
            return values
        wide = self._number(_TILE_WIDTH, values.shape[1])
        blocks = [values[:, left : left + wide] for left in range(0, values.shape[1], wide)]
        return np.concatenate([np.cumsum(block, 1, dtype=values.dtype) for block in blocks], 1)

    def _gray_page(self, channels: int, parts: slice) -> bytes:
        """Return a TIFF whose one gray page has the channels of a pixel side by side."""
        places, lengths = (self._numbers(tag)[parts] for tag in self._places)
        content, starts = bytearray(), []
        with self.path.open("rb") as file:
            for place, length in zip(places, lengths, strict=True):
                file.seek(place)
                starts.append(len(content))
                content += file.read(length)
        width, height = self.size
        entries: dict[int, Sequence[int]] = {
            _WIDTH: (width * channels,),
            _HEIGHT: (height,),
            _BITS: self._numbers(_BITS)[:1],
            _COMPRESSION: (self._number(_COMPRESSION, 1),),
            _PHOTOMETRIC: (1,),
            self._places[0]: starts,
            _SAMPLES: (1,),
            self._places[1]: lengths,
            _FORMAT: self._numbers(_FORMAT, (1,))[:1],
        }
        if _TILES in self.tags:
            entries |= {_TILE_WIDTH: (self._number(_TILE_WIDTH) * channels,), _TILE_HEIGHT: self._numbers(_TILE_HEIGHT)}
        else:
            entries[_ROWS_PER_STRIP] = self._numbers(_ROWS_PER_STRIP, (height,))
        return _written(entries, self._places[0], bytes(content))

    def _numbers(self, tag: int, usual: Sequence[int] = ()) -> Sequence[int]:
        value = self.tags.get(tag, usual)
        return value if isinstance(value, tuple | list) else (value,)

    def _number(self, tag: int, usual: int = 0) -> int:
        return int(self._numbers(tag, (usual,))[0])


def tiff_bands(path: str | Path) -> TiffBands | None:
    """Return a TIFF's first page if it has more than 4 channels, by its header; else None."""
    if Path(path).suffix.lower() not in _SUFFIXES:
        return None
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    try:
        with Path(path).open("rb") as file:
            header = file.read(8)
            if header[2:3] == b"\x2b" or header[3:4] == b"\x2b":  # of files above 4 GB
                header += file.read(8)
            directory = ImageFileDirectory_v2(header)
            file.seek(directory.next)
            directory.load(file)
            found = TiffBands(Path(path), dict(directory), header.startswith(b"MM"), bool(directory.next))
    except (OSError, SyntaxError, struct.error, ValueError, TypeError, KeyError):  # not a TIFF; its reader says so
        return None
    return found if found.channels > MAX_COLOR_CHANNELS and min(found.size) > 0 else None


def _written(entries: Mapping[int, Sequence[int]], places: int, content: bytes) -> bytes:
    """Return a little-endian TIFF of one page.

    Args:
        entries: Tag -> numbers.
        places: The tag whose numbers are offsets in `content`.
        content: The page's bytes.
    """
    table_bytes = 2 + 12 * len(entries) + 4
    lists = sum(4 * len(numbers) for numbers in entries.values() if len(numbers) > 1)
    first = 8 + table_bytes + lists
    table, more = struct.pack("<H", len(entries)), b""
    for tag, numbers in sorted(entries.items()):
        shifted = [first + number for number in numbers] if tag == places else list(numbers)
        packed = struct.pack(f"<{len(shifted)}I", *shifted)
        table += struct.pack("<HHI", tag, _LONG_TYPE, len(shifted))
        if len(shifted) > 1:
            table, more, packed = table, more + packed, struct.pack("<I", 8 + table_bytes + len(more))
        table += packed
    return b"II" + struct.pack("<HI", 42, 8) + table + struct.pack("<I", 0) + more + content
