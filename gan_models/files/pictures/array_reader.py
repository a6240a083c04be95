"""Pictures in arrays of NumPy (`.npy`), of any number of channels: [H, W], [C, H, W] or [H, W, C].

The shorter one of the first and the last axis is the channels'.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..parsers.array_files import load_array
from .picture import Picture, PictureError, picture_of_channels
from .picture_names import ARRAY
from .white_levels import white_of_floats, white_of_integers


def is_array(path: str | Path) -> bool:
    """Return True if a file's suffix is that of an array."""
    return Path(path).suffix.lower() == ARRAY


def read_array(path: str | Path) -> Picture:
    """Return the picture of an array, scaled to 0 .. 255: 8 bits unchanged, other numbers by their full range.

    Raises:
        PictureError: It is not an array of a picture, or its values of black and white are unknown.
    """
    array = _mapped(path)
    values = _last(np.array(array), _channel_axis(array.shape))
    if values.dtype == bool:
        return picture_of_channels(values.astype(np.uint8) * 255)
    if values.dtype == np.uint8:
        return picture_of_channels(np.ascontiguousarray(values))
    if values.dtype.kind == "f":
        white = white_of_floats(values)
    else:
        bits = 8 * values.dtype.itemsize
        white = white_of_integers(values, bits if bits < 32 else None, signed=values.dtype.kind == "i")
    return picture_of_channels((values.astype(np.float64) * (255.0 / white)).clip(0, 255).astype(np.float32))


def array_size(path: str | Path) -> tuple[int, int, int]:
    """Return channels, height and width of an array's picture, from its header.

    Raises:
        PictureError: It is not an array of a picture.
    """
    shape = _mapped(path).shape
    axis = _channel_axis(shape)
    sides = shape if axis is None else shape[1:] if axis == 0 else shape[:2]
    return 1 if axis is None else shape[axis], sides[0], sides[1]


def has_bytes(path: str | Path) -> bool:
    """Return True if an array has 8 bits per value, by its header: its range is then unambiguous."""
    return _mapped(path).dtype in (np.uint8, np.bool_)


def _mapped(path: str | Path) -> np.ndarray:
    """Return a memory-mapped array. Raises PictureError unless it contains numbers."""
    array = load_array(path, mapped=True)
    if array.dtype.kind not in "buif":
        raise PictureError("not an array of numbers")
    return array


def _channel_axis(shape: tuple[int, ...]) -> int | None:
    """Return the axis of the channels, 0 or 2; None for [H, W]. Raises PictureError if it is ambiguous."""
    if len(shape) == 2 and min(shape) > 0:
        return None
    if len(shape) != 3 or min(shape) < 1 or shape[0] == shape[2]:
        raise PictureError(
            f"an array of shape {shape} is not a picture; expected [H, W], or [C, H, W] or [H, W, C] with fewer "
            f"channels "
            "than pixels"
        )
    return 0 if shape[0] < shape[2] else 2


def _last(values: np.ndarray, axis: int | None) -> np.ndarray:
    """Return an array with its channels on the last axis."""
    return values[:, :, None] if axis is None else np.moveaxis(values, axis, 2)
