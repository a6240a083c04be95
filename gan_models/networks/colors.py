"""Images of any color as RGB: what can be shown, and measured by encoders, which take RGB alone.

Shapes: N images of C channels, H x W; all values are of the usual range, [-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..files.pictures.colors import (
    AB_LIMIT,
    CHANNELS,
    CUBE_ROOT_THRESHOLD,
    LAB_PARTS,
    LINE_SLOPE,
    LINE_START,
    LUMA,
    MAX_LIGHTNESS,
    XYZ_OF_RGB,
    XYZ_OF_WHITE,
    Color,
)
from ..files.texts.number_text import counted

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_MIDDLE = MAX_LIGHTNESS / 2


class TakesColor:
    """An encoder of RGB images, or its maps, that takes images of another color; all else of it is its own.

    Args:
        encoder: Called with images [N, 3, H, W].
        color: Of the images that this is called with.
    """

    def __init__(self, encoder: Any, color: Color | str) -> None:
        self._encoder, self._color = encoder, color

    def __call__(self, images: Tensor) -> Any:
        """Return what the encoder makes of the images [N, C, H, W]."""
        return self._encoder(to_rgb(images, self._color))

    def to(self, device: torch.device | str) -> TakesColor:
        """Return the same, moved."""
        return TakesColor(self._encoder.to(device), self._color)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)  # as of a copy that has nothing yet
        return getattr(self._encoder, name)


def taking(encoder: Any, color: Color | str) -> Any:
    """Return an encoder that takes images of a color; of RGB the encoder itself."""
    return encoder if color in ("", "rgb") else TakesColor(encoder, color)


def to_rgb(images: Tensor, color: Color | str, inputs: Sequence[Tensor] = ()) -> Tensor:
    """Return images as RGB; gradients flow through.

    Gray is repeated, transparency lies on white, of other planes the first three count (the first alone if there are
    fewer). Colors without lightness are given that of the first input of one channel, or a medium one.

    Args:
        images: [N, C, H, W].
        color: Of their channels.
        inputs: That the images were made of, or belong to, in order; for `ab` alone.

    Returns:
        [N, 3, H, W]; RGB is returned as it is.

    Raises:
        ValueError: The color has another number of channels.
    """
    import torch

    channels = images.shape[1]
    if channels != CHANNELS.get(color, channels):
        raise ValueError(f"images of {counted(channels, 'channel')} are not {color}: expected {CHANNELS[color]}")
    if color == "rgb":
        return images
    if color == "planes":
        return images[:, :3] if channels >= 3 else images[:, :1].expand(-1, 3, -1, -1)
    if color == "gray":
        return images.expand(-1, 3, -1, -1)
    if color in LAB_PARTS:
        lightness = (images + 1) * _MIDDLE if color == "lightness" else _lightness(images, inputs)
        a, b = (images * AB_LIMIT).unbind(1) if color == "ab" else (torch.zeros_like(lightness[:, 0]),) * 2
        return _rgb_of_lab(lightness[:, 0], a, b)
    shown, alpha = images[:, :-1], ((images[:, -1:] + 1) / 2).clamp(0, 1)
    return (shown * alpha + (1 - alpha)).expand(-1, 3, -1, -1)


def in_color(images: Tensor, color: Color | str, wanted: Color | str) -> Tensor:
    """Return images [N, C, H, W] in another color: RGB, gray by its luma (ITU-R 601-2), or the a*, b* of gray.

    Args:
        images: What is shown.
        color: Theirs.
        wanted: `rgb`, `gray`, `ab`, or the images' own.

    Raises:
        ValueError: Another color is wanted.
    """
    if wanted == color:
        return images
    if wanted == "ab":
        return images.new_zeros(len(images), 2, *images.shape[2:])
    shown = to_rgb(images, color)
    if wanted == "rgb":
        return shown
    if wanted != "gray":
        raise ValueError(f"images of {color} are not shown as {wanted}: expected rgb, gray or ab")
    return (shown * shown.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)


def _lightness(images: Tensor, inputs: Sequence[Tensor]) -> Tensor:
    """Return L* [N, 1, H, W] of the first input that has one channel, at the images' size."""
    from torch.nn.functional import interpolate

    given = next((x for x in inputs if x.dim() == 4 and x.shape[1] == 1), None)
    if given is None:
        return images.new_full((len(images), 1, *images.shape[2:]), _MIDDLE)
    if given.shape[2:] != images.shape[2:]:
        given = interpolate(given.float(), images.shape[2:], mode="bicubic", antialias=True)
    return (given.to(images).clamp(-1, 1) + 1) * _MIDDLE


def _rgb_of_lab(lightness: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return sRGB [N, 3, H, W] in [-1, 1] of L*, a* and b*, each [N, H, W]; what sRGB has not is clipped."""
    import numpy as np
    import torch

    y = (lightness + 16) / 116
    roots = torch.stack([y + a / 500, y, y - b / 200], 1)
    line = (roots - LINE_START) / LINE_SLOPE
    relative = torch.where(roots > CUBE_ROOT_THRESHOLD ** (1 / 3), roots**3, line)
    matrix = torch.from_numpy(np.linalg.inv(XYZ_OF_RGB) * XYZ_OF_WHITE).to(relative)
    linear = torch.einsum("ij,njhw->nihw", matrix, relative).clamp(0, 1)
    # Clamped below before the power: its slope at 0 is infinite, and would be NaN in the branch that is not taken.
    encoded = torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055)
    return encoded * 2 - 1
