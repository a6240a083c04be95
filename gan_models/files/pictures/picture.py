"""A picture in memory: pixels, transparency and other channels, converted to any color and size.

Shapes: H x W pixels; C channels of a color, see `colors`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..texts.number_text import counted
from .colors import CHANNELS, LAB_PARTS, LUMA, scaled_lab

MAX_COLOR_CHANNELS = 4  # number of channels of a color, including transparency


class PictureError(ValueError):
    """An error: a picture cannot be read to its full range; the message is the reason, without the file's name."""


@dataclass(frozen=True)
class Picture:
    """A picture, upright.

    Attributes:
        pixels: (H, W, 3) in 0 .. 255: uint8, or float32 if the file has more than 8 bits per channel.
        alpha: (H, W) uint8; None if the file has no transparency.
        gray: True if the file has one channel, apart from alpha.
        planes: (H, W, C), scaled as the pixels, if the file has more than 4 channels; the pixels are the first three.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    gray: bool = False
    planes: np.ndarray | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def channels(self) -> int:
        """Number of channels of the file, including transparency."""
        if self.planes is not None:
            return self.planes.shape[2]
        return (1 if self.gray else 3) + (self.alpha is not None)

    def cropped(self, left: int, top: int, width: int, height: int) -> Picture:
        """Return a rectangle of the picture."""
        part = np.s_[top : top + height, left : left + width]
        alpha, planes = (None if plane is None else plane[part] for plane in (self.alpha, self.planes))
        return Picture(self.pixels[part], alpha, self.gray, planes)

    def halves(self) -> tuple[Picture, Picture]:
        """Return the left and the right half, A and B of a pair side by side.

        Raises:
            PictureError: Its size is not that of two pictures; see `halves_fault`.
        """
        width, height = self.size
        if (reason := halves_fault(width, height)) is not None:
            raise PictureError(reason)
        return self.cropped(0, 0, width // 2, height), self.cropped(width // 2, 0, width // 2, height)

    def formed(self, color: str, width: int, height: int, channels: int = 0) -> np.ndarray:
        """Return its pixels resized and converted to a color, (height, width, C) in 0 .. 255, uint8 or float32.

        Args:
            color: See `colors`; in alpha, 0 is transparent and 255 is opaque.
            width: Width in pixels.
            height: Height in pixels.
            channels: Required number of planes.

        Raises:
            PictureError: The picture has other channels, or the color is unknown.
        """
        wanted = channels if color == "planes" else 0
        if (reason := channels_fault(self.channels, wanted)) is not None:
            raise PictureError(reason)
        if wanted:
            return resized(self._all_channels(), width, height)
        if color in LAB_PARTS:
            return scaled_lab(resized(self.pixels, width, height), color)
        return resized(self._in_color(color), width, height)

    def _all_channels(self) -> np.ndarray:
        if self.planes is not None:
            return self.planes
        return self._in_color(("gray", "gray_alpha", "rgb", "rgba")[self.channels - 1])

    def _in_color(self, color: str) -> np.ndarray:
        if color == "rgb":
            return self.pixels
        if color in ("gray_alpha", "rgba"):
            alpha = np.full(self.pixels.shape[:2], 255, np.uint8) if self.alpha is None else self.alpha
            shown = self.pixels if color == "rgba" else self._in_color("gray")
            return np.concatenate([shown, alpha[:, :, None].astype(shown.dtype)], 2)
        if color != "gray":
            raise PictureError(f"unknown color of pictures: got {color}; expected {', '.join(CHANNELS)}")
        if self.gray:
            return self.pixels[:, :, :1]
        if self.pixels.dtype == np.uint8:
            return np.asarray(_pillow().fromarray(self.pixels).convert("L"))[:, :, None]
        return (self.pixels @ np.array(LUMA, np.float32))[:, :, None]


def picture_of_channels(values: np.ndarray) -> Picture:
    """Return the picture of channels (H, W, C) in 0 .. 255: gray, gray and alpha, RGB, RGB and alpha, or planes."""
    channels = values.shape[2]
    shown = values[:, :, :1].repeat(3, 2) if channels < 3 else values[:, :, :3]
    alpha = values[:, :, -1].round().astype(np.uint8) if channels in (2, 4) else None
    return Picture(shown, alpha, channels < 3, values if channels > MAX_COLOR_CHANNELS else None)


def channels_fault(channels: int, planes: int = 0) -> str | None:
    """Return the reason why a file with this number of channels cannot be read; None if it can.

    Args:
        channels: Number of channels of the file.
        planes: Required number of planes; 0: 1 to 4, which are read in any color.
    """
    if planes and channels != planes:
        return f"it has {counted(channels, 'channel')}; expected {planes}"
    if not planes and channels > MAX_COLOR_CHANNELS:
        return f"it has {counted(channels, 'channel')}; expected 1 to {MAX_COLOR_CHANNELS}"
    return None


def halves_fault(width: int, height: int) -> str | None:
    """Return the reason why a picture of this size cannot be A|B side by side; None if it can.

    Squares are refused, because most are single pictures given by mistake. Odd widths are refused, because one half
    would be a column wider than the other.
    """
    if width == height or width < 2:
        return (
            f"{width}x{height} is too narrow for A|B side by side: expected two pictures of one size, such as "
            f"{2 * width}x{height} of two {width}x{height}"
        )
    if width % 2:
        return f"{width}x{height} has no two halves for A|B side by side: expected an even width"
    return None


def resized(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return pixels (H, W, C) in 0 .. 255 resampled with Pillow's bicubic filter, in their own precision."""
    image = _pillow()
    if pixels.shape[:2] == (height, width):
        return pixels
    if pixels.shape[2] > MAX_COLOR_CHANNELS:
        return np.concatenate([resized(plane, width, height) for plane in np.split(pixels, pixels.shape[2], 2)], 2)
    if pixels.dtype == np.uint8:
        picture = image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
        return np.asarray(picture.resize((width, height), image.Resampling.BICUBIC)).reshape(height, width, -1)
    planes = [
        np.asarray(image.fromarray(plane).resize((width, height), image.Resampling.BICUBIC))
        for plane in np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32)
    ]
    return np.stack(planes, 2).clip(0, 255)  # the filter overshoots at edges


def _pillow() -> Any:
    from PIL import Image  # imported here, so that importing this module stays fast

    return Image
