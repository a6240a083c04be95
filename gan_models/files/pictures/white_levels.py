"""The value of white in arrays of numbers that do not have 8 bits."""

from __future__ import annotations

import numpy as np

from .picture import PictureError


def white_of_integers(values: np.ndarray, bits: int | None, signed: bool) -> float:
    """Return the value of white: the maximum of the file's bits.

    Pillow's 32 bits mostly come from 16 bits, so values up to 65535 are read as those.
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


def white_of_floats(values: np.ndarray) -> float:
    """Return the value of white: 1, or 255 if the values have the range of 8 bits."""
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
