"""Files that take and give bytes: pictures as (N, H, W, C) with values from 0 to 255, as decoders give them.

Normalization, layout and rounding are in the file. Original to ganprune.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...files.errors import UserError
from ...networks.specs import RANGES, InputSpec

LARGEST_BYTE = 255  # of a byte
NCHW, NHWC = (2, 3), (1, 2)  # axes of height and width


class TakesBytes(nn.Module):
    """A network that takes pictures as bytes and gives a picture as bytes.

    Args:
        network: The network.
        ranges: Per input the values of byte 0 and byte 255; None for an input that is not a picture.
        bounds: The output's values of byte 0 and byte 255.
    """

    def __init__(
        self, network: nn.Module, ranges: Sequence[tuple[float, float] | None], bounds: tuple[float, float]
    ) -> None:
        super().__init__()
        self.network, self.ranges, self.bounds = network, tuple(ranges), bounds

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return uint8 (N, H, W, C) for pictures of uint8 (N, H, W, C) and other inputs as the network takes them."""
        given = [
            x
            if bounds is None
            else x.permute(0, 3, 1, 2).float() / (LARGEST_BYTE / (bounds[1] - bounds[0])) + bounds[0]
            for x, bounds in zip(inputs, self.ranges, strict=True)
        ]
        output = self.network(*given)
        while isinstance(output, tuple | list):
            output = output[0]
        low, high = self.bounds
        steps = torch.clamp((output - low) * (LARGEST_BYTE / (high - low)), 0, LARGEST_BYTE)
        return torch.round(steps).to(torch.uint8).permute(0, 2, 3, 1)


@dataclass(frozen=True)
class PixelForm:
    """The bytes of one generator's pictures.

    Attributes:
        inputs: What the generator takes, in its own ranges.
        bounds: Its output's values of black and white.
    """

    inputs: InputSpec
    bounds: tuple[float, float]

    @property
    def ranges(self) -> tuple[tuple[float, float] | None, ...]:
        """Per input the values of byte 0 and byte 255; None for an input that is not a picture."""
        return tuple(
            (one.value_range or RANGES[one.kind]) if one.pictured else None for one in self.inputs.inputs
        )  # fmt: skip

    @property
    def step(self) -> float:
        """One step of the output, in the generator's values."""
        return (self.bounds[1] - self.bounds[0]) / LARGEST_BYTE

    @property
    def sides(self) -> tuple[tuple[int, int], ...]:
        """Per input the axes of height and width in the file."""
        return tuple(NCHW if bounds is None else NHWC for bounds in self.ranges)

    def network(self, model: nn.Module) -> TakesBytes:
        """Return the generator as a network that takes and gives bytes; it shares its weights."""
        return TakesBytes(model, self.ranges, self.bounds)

    def bytes_of(self, batch: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return inputs as the file takes them: pictures rounded to bytes (N, H, W, C)."""
        return tuple(x if r is None else _bytes(x, r).permute(0, 2, 3, 1).contiguous() for x, r in self._pairs(batch))

    def snapped(self, batch: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return inputs whose pictures have values that bytes stand for."""
        return tuple(x if r is None else _values(_bytes(x, r), r) for x, r in self._pairs(batch))

    def rounded(self, output: Tensor) -> Tensor:
        """Return an output (N, C, H, W) of the generator as bytes hold it, in its own values.

        Raises:
            UserError: It is not a picture.
        """
        self.check(output)
        return _values(_bytes(output, self.bounds), self.bounds)

    def values_of(self, output: Tensor) -> Tensor:
        """Return an output of the file, uint8 (N, H, W, C), as the generator gives it (N, C, H, W)."""
        return _values(output.permute(0, 3, 1, 2), self.bounds)

    def check(self, output: Tensor) -> None:
        """Raise UserError for an output that is not a picture."""
        if output.ndim != 4:
            raise UserError(
                f"bytes are for pictures: got an output of shape {tuple(output.shape)}; expected (N, C, H, W). Leave "
                "--uint8 out"
            )

    def _pairs(self, batch: Sequence[Tensor]) -> list[tuple[Tensor, tuple[float, float] | None]]:
        return list(zip(batch, self.ranges, strict=True))


def _bytes(x: Tensor, bounds: tuple[float, float]) -> Tensor:
    low, high = bounds
    return torch.round(torch.clamp((x.float() - low) * (LARGEST_BYTE / (high - low)), 0, LARGEST_BYTE)).to(torch.uint8)


def _values(x: Tensor, bounds: tuple[float, float]) -> Tensor:
    low, high = bounds
    return x.float() / (LARGEST_BYTE / (high - low)) + low
