"""Settings of quantization, and the ranges of a quantized network, as plain values. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from ..files.errors import UserError

SCHEMES = ("signed", "published")
FULL_BITS = 32  # float32: not quantized
FORMAT = 1

Range = tuple[float, float]


@dataclass(frozen=True)
class QuantSettings:
    """Bits and scheme of weights and activations.

    Args:
        bits: 2 to 8, of weights and activations alike.
        per_channel: one weight scale an output channel; else one a tensor.
        scheme: "signed": activations on an affine grid over their observed range, zero exactly on it; a
            convolution's output is on such a grid too, as integer convolutions need. "published": GAN Slimming's
            own: activations that enter a layer are clamped to [0, 4] and take 2^bits + 1 levels (one too many for
            the bits; what is negative is lost), the network's input and outputs of layers stay as they are.
        reduce_range: weights take one bit less, for CPUs whose 8-bit products saturate (no VNNI).

    Raises:
        ValueError: a field outside what is allowed.
    """

    bits: int = 8
    per_channel: bool = False
    scheme: str = "signed"
    reduce_range: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.bits, bool) or not isinstance(self.bits, int) or not 2 <= self.bits <= 8:
            raise UserError(f"bits={self.bits!r} cannot be quantized to; use 2 to 8, or {FULL_BITS} for float32")
        if self.scheme not in SCHEMES:
            raise UserError(f"quantization scheme {self.scheme!r} is unknown; use {' or '.join(SCHEMES)}")
        for name in ("per_channel", "reduce_range"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"{name}={getattr(self, name)!r} must be true or false")
        if self.reduce_range and (self.scheme == "published" or self.bits == 2):
            raise UserError("reduce_range needs the signed scheme and 3 bits or more")

    @property
    def weight_steps(self) -> int:
        """Steps from zero to the largest weight: 127 for 8 bits."""
        return 2 ** (self.bits - 1 - self.reduce_range) - 1

    @property
    def activation_steps(self) -> int:
        """Steps between the lowest and the highest activation: 255 for 8 bits, 256 where `published`."""
        return 2**self.bits - (self.scheme == "signed")


@dataclass(frozen=True)
class LayerRanges:
    """Lowest and highest value that a layer reads and, where it is quantized, gives.

    Raises:
        ValueError: not finite, or the lowest above the highest.
    """

    input: Range
    output: Range | None = None

    def __post_init__(self) -> None:
        for low, high in filter(None, (self.input, self.output)):
            if not (isfinite(low) and isfinite(high) and low <= high):
                raise ValueError(f"[{low}, {high}] is no range of activations")


@dataclass(frozen=True)
class Quantization:
    """All that makes a quantized network of float weights.

    Args:
        settings: bits and scheme.
        ranges: by the name of each quantized module; those of the `published` scheme are fixed and left out.
        format: of the stored form.

    Raises:
        UserError: another format.
    """

    settings: QuantSettings
    ranges: Mapping[str, LayerRanges]
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise UserError(f"the quantization has format {self.format!r}, this version reads {FORMAT}")
