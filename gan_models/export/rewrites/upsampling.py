"""Enlargement by whole numbers: nearest pixels as copies, bilinear as a convolution per channel and a pixel shuffle."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .call import Call, Replacement
from .padding import SlicedPadding
from .pixel_shuffle import FlatShuffle


class CopiedPixels(nn.Module):
    """Each pixel repeated along both sides, with tensors of four axes at most.

    Args:
        factors: Of height and width.
    """

    def __init__(self, factors: tuple[int, int]) -> None:
        super().__init__()
        self.factors = factors

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, a * H, b * W)."""
        n, c, height, width = x.shape
        a, b = self.factors
        x = torch.cat([x.reshape(n * c, height, width, 1)] * b, 3).reshape(n * c, height, 1, width * b)
        return torch.cat([x] * a, 2).reshape(n, c, height * a, width * b)


class BilinearConvolution(nn.Module):
    """Bilinear enlargement by whole numbers, corners not aligned.

    Each output lies between two of three neighbors, by a weight that its phase alone decides.

    Args:
        channels: C.
        factors: Of height and width.
        dtype: Of the weights.
    """

    weight: Tensor

    def __init__(self, channels: int, factors: tuple[int, int], dtype: torch.dtype) -> None:
        super().__init__()
        self.channels = channels
        rows, columns = (_neighbor_weights(factor) for factor in factors)
        taps = torch.einsum("au,bv->abuv", rows, columns).reshape(-1, 1, 3, 3)
        self.register_buffer("weight", taps.repeat(channels, 1, 1, 1).to(dtype))
        self.border, self.shuffle = SlicedPadding((1, 1, 1, 1), "replicate"), FlatShuffle(factors)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, a * H, b * W)."""
        return self.shuffle(F.conv2d(self.border(x), self.weight, groups=self.channels))


def _neighbor_weights(factor: int) -> Tensor:
    """Return the weights (factor, 3) of the pixel before, at and after, for each phase of an enlarged axis."""
    place = (torch.arange(factor, dtype=torch.float64) + 0.5) / factor - 0.5
    neighbors = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    return (1 - (place[:, None] - neighbors).abs()).clamp_min(0)


def rewrite(call: Call) -> Replacement | None:
    """Return an enlargement by whole numbers in other operators; any other one is left."""
    given = call.arguments
    factors = _factors(call)
    if factors is None or len(call.shape("input")) != 4:
        return None
    if call.operator == "aten.upsample_nearest2d.vec":
        return Replacement(CopiedPixels(factors), (given["input"],))
    if given["align_corners"]:
        return None
    channels, dtype = call.shape("input")[1], given["input"].meta["val"].dtype
    return Replacement(BilinearConvolution(channels, factors, dtype), (given["input"],))


def _factors(call: Call) -> tuple[int, int] | None:
    """Return the whole numbers that height and width are multiplied by; None if they are none, or not known."""
    scales, size = call.arguments["scale_factors"], call.arguments["output_size"]
    if scales is None:
        sides = call.shape("input")[2:]
        if size is None or not all(isinstance(each, int) for each in (*size, *sides)):
            return None
        scales = [after / before for after, before in zip(size, sides, strict=True)]
    if any(scale != int(scale) or scale < 1 for scale in scales):
        return None
    return int(scales[0]), int(scales[1])
