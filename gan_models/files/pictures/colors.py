"""Colors of a picture's channels, by name, and conversions of RGB pixels to each of them.

`lightness` and `ab` are CIE 1976 L*a*b* with the white point D65 of sRGB (IEC 61966-2-1). L* of 0 .. 100 and a*, b* of
-110 .. 110 are scaled as pixels are, to 0 .. 255. The bounds are those of pix2pix's colorization, and hold all of sRGB.

Shapes: H x W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

Color = Literal["gray", "gray_alpha", "rgb", "rgba", "lightness", "ab", "planes"]
# Color -> its channels; planes may have any number of other channels.
CHANNELS: Mapping[str, int] = {"gray": 1, "gray_alpha": 2, "rgb": 3, "rgba": 4, "lightness": 1, "ab": 2}
LAB_PARTS = ("lightness", "ab")
MAX_LIGHTNESS, AB_LIMIT = 100.0, 110.0  # L* of white; |a*| and |b*| at the ends of the range
LUMA = (0.299, 0.587, 0.114)  # ITU-R 601-2, as Pillow's conversion to "L"
# Linear sRGB to CIE XYZ; the rows' sums are white.
XYZ_OF_RGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
XYZ_OF_WHITE = XYZ_OF_RGB.sum(1)
CUBE_ROOT_THRESHOLD = (6 / 29) ** 3  # below, the cube root of L*a*b* is a line
LINE_SLOPE, LINE_START = (29 / 6) ** 2 / 3, 4 / 29


def color_of(channels: int) -> Color:
    """Return the default color of a number of channels."""
    usual: dict[int, Color] = {1: "gray", 2: "gray_alpha", 3: "rgb", 4: "rgba"}
    return usual.get(channels, "planes")


def lab_of(pixels: np.ndarray) -> np.ndarray:
    """Return L*, a* and b* (H, W, 3), float64, of RGB pixels in 0 .. 255."""
    encoded = pixels.astype(np.float64) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    relative = linear @ XYZ_OF_RGB.T / XYZ_OF_WHITE
    x, y, z = np.moveaxis(
        np.where(relative > CUBE_ROOT_THRESHOLD, np.cbrt(relative), relative * LINE_SLOPE + LINE_START), -1, 0
    )
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def scaled_lab(pixels: np.ndarray, color: str) -> np.ndarray:
    """Return the lightness (H, W, 1) or a* and b* (H, W, 2) of RGB pixels, all in 0 .. 255, float32."""
    lab = lab_of(pixels)
    if color == "lightness":
        return (lab[..., :1] * (255 / MAX_LIGHTNESS)).astype(np.float32)
    return ((lab[..., 1:] / AB_LIMIT + 1) * 127.5).astype(np.float32)
