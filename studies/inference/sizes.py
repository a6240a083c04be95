"""Sizes that a generator runs at, found by trying: a stride, or the one size that it was trained at.

Shapes: H x W pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from torch import Tensor

from ...gan_models.networks.specs import Input, InputSpec

Generate = Callable[..., Tensor]
LARGEST_DENOMINATOR = 8  # of the output's pixels per input pixel


@dataclass(frozen=True)
class SizeRule:
    """The sizes that a generator runs at.

    Attributes:
        trained: Height and width that it was trained at.
        stride: Heights and widths are multiples of it; 0 if it runs at `trained` alone.
        least: The smallest height and width.
        scale: Pixels of the output per pixel of the input.
        reason: Of a fixed size: what happened at another one.
    """

    trained: tuple[int, int]
    stride: int
    least: int
    scale: Fraction
    reason: str = ""

    @property
    def fixed(self) -> bool:
        """True if it runs at the trained size only."""
        return self.stride == 0

    def around(self, height: int, width: int) -> tuple[int, int]:
        """Return the smallest height and width that it runs at and that hold a picture."""
        if self.fixed:
            return self.trained
        return tuple(max(self.least, -(-size // self.stride) * self.stride) for size in (height, width))  # type: ignore[return-value]


def trained_size(inputs: InputSpec) -> tuple[int, int] | None:
    """Return height and width of the first image, mask or label map, in this order; None without any."""
    maps = [one.shape for one in inputs.inputs if one.is_map]
    return inputs.pixels or ((maps[0][0], maps[0][1]) if maps else None)


def follows(one: Input, inputs: InputSpec) -> bool:
    """Return whether an input is a picture of the size of the first one, and so has its size when that changes."""
    return (one.pictured or one.is_map) and one.shape[-2:] == trained_size(inputs)


def sized(inputs: InputSpec, height: int, width: int) -> InputSpec:
    """Return the inputs with the pictures that go together at another size."""
    return InputSpec(
        tuple(
            replace(one, shape=(*one.shape[:-2], height, width)) if follows(one, inputs) else one
            for one in inputs.inputs
        )
    )


def find_size_rule(generate: Generate, inputs: InputSpec) -> SizeRule:
    """Return the sizes that a generator runs at.

    Candidates s for the stride are the divisors of the trained size and the powers of two. The generator runs on a
    picture that is s pixels higher and 3 s wider than the trained one. The stride is the smallest s with the same ratio
    of output to input size.

    Args:
        generate: The generator.
        inputs: What it takes, with an image, a mask or a label map.
    """
    trained = trained_size(inputs)
    assert trained is not None
    height, width = trained
    shape = generate(*inputs.examples(1)).shape
    if len(shape) != 4:
        return SizeRule((height, width), 0, 0, Fraction(1), f"its output {tuple(shape)} is not an image")
    scale = Fraction(shape[2], height).limit_denominator(LARGEST_DENOMINATOR)
    reason = ""
    for stride in _strides(height, width):
        higher, wider = (-(-height // stride) + 1) * stride, (-(-width // stride) + 3) * stride
        reason = _refusal(generate, inputs, higher, wider, scale)
        if not reason:
            return SizeRule((height, width), stride, _least(generate, inputs, stride, scale), scale)
    return SizeRule((height, width), 0, 0, scale, reason)


def _strides(height: int, width: int) -> list[int]:
    largest = max(height, width)
    powers = {2**k for k in range(largest.bit_length())}
    return sorted(powers | {n for n in range(1, largest + 1) if height % n == 0 and width % n == 0})


def _least(generate: Generate, inputs: InputSpec, stride: int, scale: Fraction) -> int:
    """Return the smallest side, of the stride and its doubles, that the generator runs at."""
    trained = trained_size(inputs)
    assert trained is not None
    side = stride
    while side < min(trained) and _refusal(generate, inputs, side, side, scale):
        side *= 2
    return side


def _refusal(generate: Generate, inputs: InputSpec, height: int, width: int, scale: Fraction) -> str:
    """Return why a generator does not run at a size; empty if it does."""
    if (scale * height).denominator > 1 or (scale * width).denominator > 1:
        return f"an output of {scale} times {width}x{height} has no whole number of pixels"
    try:
        output = generate(*sized(inputs, height, width).examples(1))
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:  # the network is anybody's
        return " ".join(str(error).split())[:200] or type(error).__name__
    if tuple(output.shape[2:]) != (scale * height, scale * width):
        return f"{width}x{height} becomes {'x'.join(map(str, reversed(output.shape[2:])))}"
    return ""
