"""Placements: how a picture of any size becomes a generator's input, and how the output becomes a picture of its size.

Shapes: H x W pixels; C channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Literal, get_args

import numpy as np
from torch import Tensor

from ...gan_models.files.errors import UserError
from ...gan_models.files.pictures.picture import resized
from .sizes import SizeRule

Fit = Literal["", "crop", "pad", "stretch", "tile"]
PLACEMENTS = tuple(filter(None, get_args(Fit)))


@dataclass(frozen=True)
class Box:
    """A part of a picture.

    Attributes:
        top, left: Its corner.
        height, width: Its size.
    """

    top: int
    left: int
    height: int
    width: int

    def of(self, pixels: np.ndarray) -> np.ndarray:
        """Return this part of pixels (H, W, ...)."""
        return pixels[self.top : self.top + self.height, self.left : self.left + self.width]


@dataclass(frozen=True)
class Placement:
    """The place of a picture in a generator's input.

    Attributes:
        size: Height and width of the input.
        source: The part of the picture that is taken: all of it, unless it is cropped.
        inner: Where this part is in the input, resized if the sizes differ; around it the picture is reflected.
    """

    size: tuple[int, int]
    source: Box
    inner: Box

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """Return the input (H, W, C) of a picture's pixels (h, w, C)."""
        part = resized(self.source.of(pixels), self.inner.width, self.inner.height)
        below = self.size[0] - self.inner.top - self.inner.height
        right = self.size[1] - self.inner.left - self.inner.width
        return np.pad(part, ((self.inner.top, below), (self.inner.left, right), (0, 0)), mode="reflect")

    def back(self, output: Tensor, high: Fraction, wide: Fraction | None = None) -> Tensor:
        """Return the part of an output (C, H', W') that is the picture's, still at the input's resolution.

        Args:
            output: Of the generator.
            high: The output's pixels per input pixel, in height.
            wide: In width; None: as in height.
        """
        wide = high if wide is None else wide
        top, height = (ceil(high * n) for n in (self.inner.top, self.inner.height))
        left, width = (ceil(wide * n) for n in (self.inner.left, self.inner.width))
        return output[:, top : top + height, left : left + width]

    def output_size(self, high: Fraction, wide: Fraction | None = None) -> tuple[int, int]:
        """Return width and height of the picture that is written; arguments as `back`."""
        return ceil((high if wide is None else wide) * self.source.width), ceil(high * self.source.height)


def at_own_size(height: int, width: int, rule: SizeRule) -> Placement:
    """Return the placement of a picture that keeps its resolution: in the middle, reflected up to the next size."""
    size, whole = rule.around(height, width), rule.scale.denominator
    top, left = ((room - taken) // 2 // whole * whole for room, taken in zip(size, (height, width), strict=True))
    return Placement(size, Box(0, 0, height, width), Box(top, left, height, width))


def in_trained_tiles(height: int, width: int, rule: SizeRule) -> Placement:
    """Return the placement of a picture that keeps its resolution and is computed in tiles of the trained size.

    It is reflected at its lower and right end up to that size.
    """
    least, whole = rule.trained, rule.scale.denominator
    size = (max(least[0], -(-height // whole) * whole), max(least[1], -(-width // whole) * whole))
    return Placement(size, Box(0, 0, height, width), Box(0, 0, height, width))


def fitted(height: int, width: int, size: tuple[int, int], fit: Fit) -> Placement:
    """Return the placement of a picture in an input of a given size.

    Args:
        height: Of the picture.
        width: Of the picture.
        size: Height and width of the input.
        fit: `stretch` changes its shape; `pad` resizes it until it fits and reflects it around; `crop` takes the
            largest part in its middle that has the input's shape.

    Raises:
        UserError: Another `fit`.
    """
    whole = Box(0, 0, height, width)
    if fit == "stretch":
        return Placement(size, whole, Box(0, 0, *size))
    if fit == "pad":
        ratio = min(Fraction(size[0], height), Fraction(size[1], width))
        inner = [max(1, round(ratio * n)) for n in (height, width)]
        return Placement(size, whole, Box((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2, *inner))
    if fit == "crop":
        ratio = max(Fraction(size[0], height), Fraction(size[1], width))
        taken = [min(n, max(1, round(side / ratio))) for side, n in zip(size, (height, width), strict=True)]
        return Placement(size, Box((height - taken[0]) // 2, (width - taken[1]) // 2, *taken), Box(0, 0, *size))
    raise UserError(f"fit is unknown: got {fit!r}; expected crop, pad or stretch")
