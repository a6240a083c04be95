"""Settings of quantization, and the ranges of a quantized network, as plain values. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from ..files.errors import UserError

SCHEMES = ("signed", "published")
FULL_BITS = 32  # bits of float32: not quantized
FORMAT = 1

Range = tuple[float, float]


@dataclass(frozen=True)
class QuantSettings:
    """The bits and scheme of weights and activations.

    Args:
        bits: Bits of weights and activations, 2 to 8.
        per_channel: True for one weight scale per output channel, False for one per tensor.
        scheme: "signed": activations on an affine grid over their observed range, with zero exactly on it; a
            convolution's output is also on such a grid, as integer convolutions need. "published": GAN Slimming's
            scheme. Inputs of layers are clamped to [0, 4] and have 2^bits + 1 levels (one too many for the bits;
            negative values are lost). The network's input and outputs of layers are not quantized.
        reduce_range: Use one bit less for weights, for CPUs whose 8-bit products saturate (no VNNI).

    Raises:
        ValueError: A field is invalid.
    """

    bits: int = 8
    per_channel: bool = False
    scheme: str = "signed"
    reduce_range: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.bits, bool) or not isinstance(self.bits, int) or not 2 <= self.bits <= 8:
            raise UserError(f"invalid bits: got bits={self.bits!r}; expected 2 to 8, or {FULL_BITS} for float32")
        if self.scheme not in SCHEMES:
            raise UserError(f"unknown quantization scheme: got {self.scheme!r}; expected {' or '.join(SCHEMES)}")
        for name in ("per_channel", "reduce_range"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"invalid {name}: got {getattr(self, name)!r}; expected true or false")
        if self.reduce_range and (self.scheme == "published" or self.bits == 2):
            raise UserError("reduce_range does not fit: expected the signed scheme and 3 bits or more")

    @property
    def weight_steps(self) -> int:
        """Number of steps from zero to the largest weight: 127 for 8 bits."""
        return 2 ** (self.bits - 1 - self.reduce_range) - 1

    @property
    def activation_steps(self) -> int:
        """Number of steps between the minimum and maximum activation: 255 for 8 bits, 256 if `published`."""
        return 2**self.bits - (self.scheme == "signed")


@dataclass(frozen=True)
class LayerRanges:
    """The minimum and maximum of a layer's input and, if quantized, of its output.

    Raises:
        ValueError: A value is not finite, or the minimum is above the maximum.
    """

    input: Range
    output: Range | None = None

    def __post_init__(self) -> None:
        for low, high in filter(None, (self.input, self.output)):
            if not (isfinite(low) and isfinite(high) and low <= high):
                raise ValueError(
                    f"invalid range of activations: got [{low}, {high}]; expected two finite numbers in order"
                )


@dataclass(frozen=True)
class Quantization:
    """The settings and ranges that turn float weights into a quantized network.

    Args:
        settings: Bits and scheme.
        ranges: Ranges by the name of each quantized module; those of the `published` scheme are fixed and omitted.
        format: Version of the stored form.

    Raises:
        UserError: The format is another one.
    """

    settings: QuantSettings
    ranges: Mapping[str, LayerRanges]
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise UserError(f"the quantization has an unsupported format: got {self.format!r}; expected {FORMAT}")
