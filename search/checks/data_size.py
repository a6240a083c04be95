"""The training size of images if none is given: the data's own, if the generator runs at it.

Sizes are heights and widths in pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Size = tuple[int, int]
STRIDES = tuple(2**k for k in range(11))  # multiples in pixels of the sizes that are tried


def size_for_data(own: Size, found: Sequence[Size], runs: Callable[[Size], bool]) -> tuple[Size, str]:
    """Return the training size of a generator with a usual size, and a note for the user.

    The data's own size is used if all images have it, it is at most the usual one, and the generator runs at it.
    Otherwise the next smaller size is used at which it runs.

    Args:
        own: The generator's usual size.
        found: Sizes of the images.
        runs: Function that returns True if the generator runs at a size.
    """
    sizes = sorted(set(found))
    if not sizes or sizes == [own]:
        return own, ""
    if len(sizes) > 1:
        return own, f"{resized_note(found, own)}, the generator's own size; --image-size chooses another"
    ((height, width),) = sizes
    if height > own[0] or width > own[1]:
        return own, f"{resized_note(found, own)}, the generator's own size; --image-size {height}x{width} keeps them"
    fitting = largest_fitting((height, width), runs)
    if fitting is None:
        return own, f"{resized_note(found, own)}: the generator runs at no smaller size; --image-size chooses another"
    note = (
        ""
        if fitting == (height, width)
        else f"{resized_note(found, fitting)}, the next size at which the generator runs"
    )
    return fitting, note


def size_for_crops(own: Size, found: Sequence[Size], runs: Callable[[Size], bool]) -> tuple[Size, str]:
    """Return the size of a generator's training crops, and a note for the user.

    It is the usual size, unless no image is that large. Then it is the largest size at which the generator runs that
    fits into half of the images.

    Args:
        own: The generator's usual size.
        found: Sizes of the images; nothing is resized.
        runs: Function that returns True if the generator runs at a size.
    """
    if not found or any(height >= own[0] and width >= own[1] for height, width in found):
        return own, ""
    high, wide = (sorted(sides)[(len(sides) - 1) // 2] for sides in zip(*found, strict=True))
    fitting = largest_fitting((min(own[0], high), min(own[1], wide)), runs)
    if fitting is None:
        return own, ""  # opening the data reports that it is too small
    return (
        fitting,
        f"inputs are crops of {size_text(fitting)}: no image has {size_text(own)}, the generator's own size",
    )


def largest_fitting(size: Size, runs: Callable[[Size], bool]) -> Size | None:
    """Return the largest size up to this one at which a generator runs, or None; it tries multiples of powers of 2."""
    for stride in STRIDES:
        height, width = (side // stride * stride for side in size)
        if not height or not width:
            return None
        if runs((height, width)):
            return height, width
    return None


def stride_of(size: Size, runs: Callable[[Size], bool]) -> int | None:
    """Return the smallest power of two whose multiples around a size the generator runs at; None if there is none."""
    for stride in STRIDES:
        if runs(tuple(-(-side // stride) * stride for side in size)):  # type: ignore[arg-type]
            return stride
    return None


def resized_note(found: Sequence[Size], size: Size) -> str:
    """Return a note on resizing images of these sizes; empty if they are not resized."""
    sizes = sorted(set(found))
    if not sizes or sizes == [size]:
        return ""
    least, largest = (tuple(pick(sides) for sides in zip(*sizes, strict=True)) for pick in (min, max))
    shown = size_text(sizes[0]) if len(sizes) == 1 else f"{size_text(least)} to {size_text(largest)}"
    larger = any(side > limit for one in sizes for side, limit in zip(size, one, strict=True))
    smaller = any(side < limit for one in sizes for side, limit in zip(size, one, strict=True))
    how = "resized" if larger and smaller else "enlarged" if larger else "shrunk"
    return f"images of {shown} (height x width) are {how} to {size_text(size)}"


def size_text(size: Size) -> str:
    """Return `HEIGHTxWIDTH`."""
    return f"{size[0]}x{size[1]}"
