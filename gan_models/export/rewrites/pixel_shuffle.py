"""Pixel shuffle with tensors of four axes at most: runtimes for phones have slow or no kernels for six."""

from __future__ import annotations

from torch import Tensor, nn

from .call import Call, Replacement


class FlatShuffle(nn.Module):
    """Pixel shuffle, first along the width, then along the height.

    Args:
        factors: Enlargement of height and width.
    """

    def __init__(self, factors: tuple[int, int]) -> None:
        super().__init__()
        self.factors = factors

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C * a * b, H, W) to (N, C, a * H, b * W)."""
        n, inputs, height, width = x.shape
        a, b = self.factors
        c = inputs // (a * b)
        x = x.reshape(n * c * a, b, height, width).permute(0, 2, 3, 1)
        x = x.reshape(n * c, a, height, width * b).permute(0, 2, 1, 3)
        return x.reshape(n, c, height * a, width * b)


class FlatUnshuffle(nn.Module):
    """The inverse of pixel shuffle, first along the height, then along the width.

    Args:
        factors: Reduction of height and width.
    """

    def __init__(self, factors: tuple[int, int]) -> None:
        super().__init__()
        self.factors = factors

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, a * H, b * W) to (N, C * a * b, H, W)."""
        n, c, height, width = x.shape
        a, b = self.factors
        x = x.reshape(n * c, height // a, a, width).permute(0, 2, 1, 3)
        x = x.reshape(n * c * a, height // a, width // b, b).permute(0, 3, 1, 2)
        return x.reshape(n, c * a * b, height // a, width // b)


def rewrite(call: Call) -> Replacement | None:
    """Return a shuffle, or its inverse, with four axes; one of another number of axes than four is left."""
    if len(call.shape("self")) != 4:
        return None
    given = call.arguments
    factor = given.get("upscale_factor", given.get("downscale_factor"))
    made = FlatShuffle if "upscale_factor" in given else FlatUnshuffle
    return Replacement(made((factor, factor)), (given["self"],))
