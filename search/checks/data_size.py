"""The size that images are trained at if none is given: the data's own, as far as the generator runs at it.

Sizes are heights and widths in pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Size = tuple[int, int]
STRIDES = tuple(2**k for k in range(11))  # that sizes are tried at, in pixels


def size_for_data(own: Size, found: Sequence[Size], runs: Callable[[Size], bool]) -> tuple[Size, str]:
    """Return the size that a generator of a given usual size is trained at, and what a user should be told.

    The data's own size is taken if all images have it, it is not larger than the usual one, and the generator runs at
    it; else the next smaller one that it runs at.

    Args:
        own: The generator's usual size.
        found: Sizes of the images.
        runs: Whether the generator runs at a size.
    """
    sizes = sorted(set(found))
    if not sizes or sizes == [own]:
        return own, ""
    if len(sizes) > 1:
        return own, f"{resized_note(found, own)}, the generator's own size; --image-size says another"
    ((height, width),) = sizes
    if height > own[0] or width > own[1]:
        return own, f"{resized_note(found, own)}, the generator's own size; --image-size {height}x{width} keeps them"
    fitting = largest_fitting((height, width), runs)
    if fitting is None:
        return own, f"{resized_note(found, own)}: the generator runs at no smaller size; --image-size says another"
    note = "" if fitting == (height, width) else f"{resized_note(found, fitting)}, the next size that the generator has"
    return fitting, note


def size_for_crops(own: Size, found: Sequence[Size], runs: Callable[[Size], bool]) -> tuple[Size, str]:
    """Return the size of crops that a generator is trained on, and what a user should be told.

    Its usual one, unless no image is so large: then the largest that half of the images hold, as far as it runs at it.

    Args:
        own: The generator's usual size.
        found: Sizes of the images; nothing is resized.
        runs: Whether the generator runs at a size.
    """
    if not found or any(height >= own[0] and width >= own[1] for height, width in found):
        return own, ""
    high, wide = (sorted(sides)[(len(sides) - 1) // 2] for sides in zip(*found, strict=True))
    fitting = largest_fitting((min(own[0], high), min(own[1], wide)), runs)
    if fitting is None:
        return own, ""  # opening the data says that it is too small
    return (
        fitting,
        f"inputs are crops of {size_text(fitting)}: no image holds {size_text(own)}, the generator's own size",
    )


def largest_fitting(size: Size, runs: Callable[[Size], bool]) -> Size | None:
    """Return the largest size up to this one at which a generator runs, of multiples of powers of two; None if none."""
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
    """Return what happens to images of these sizes that are read at another one; empty if nothing does."""
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
