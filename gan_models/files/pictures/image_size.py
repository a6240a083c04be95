"""Image sizes as users write them: `256`, a square, or `256x512`, height by width."""

from __future__ import annotations

import re

from ..errors import UserError

_FORM = re.compile(r"\s*(\d+)\s*(?:[xX\u00d7]\s*(\d+)\s*)?")


def read_image_size(value: int | str, name: str = "image size") -> tuple[int, int]:
    """Return height and width in pixels.

    Args:
        value: Pixels per side of a square, or `HEIGHTxWIDTH`.
        name: Name of the size, for messages.

    Raises:
        UserError: The value has another form, or a side is not positive.
    """
    found = _FORM.fullmatch(str(value)) if not isinstance(value, bool) else None
    height, width = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if min(height, width) < 1:
        raise UserError(
            f"{name} is not understood: got {value!r}; expected pixels per side, 256, or HEIGHTxWIDTH, 256x512"
        )
    return height, width


def image_size_of(height: int, width: int) -> int | str:
    """Return the value that `read_image_size` takes: a number for a square, as earlier versions stored it."""
    return height if height == width else f"{height}x{width}"
