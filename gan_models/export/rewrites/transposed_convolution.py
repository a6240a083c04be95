"""A transposed convolution as a convolution of stride 1 and a pixel shuffle.

Output j of a stride s takes input i by tap t if j = i s - p + t. For j = q s + r only the taps t = (r + p) mod s + m s
reach it, from input i = q + (r + p) div s - m: for each of the s phases r that is a convolution of stride 1 over q. All
phases are channels of one convolution, whose pixels the shuffle puts in their places. Original to ganprune in this
form; the idea is that of sub-pixel convolution (Shi et al. 2016).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from .call import Call, Replacement
from .pixel_shuffle import FlatShuffle


@dataclass(frozen=True)
class Axis:
    """One axis of a transposed convolution, and that of the convolution that replaces it.

    Attributes:
        taps: Of the kernel.
        stride: Output pixels per input pixel.
        padding: Pixels cut from the output's borders.
        output_padding: Pixels added at its end.
        dilation: Output pixels between taps.
    """

    taps: int
    stride: int
    padding: int
    output_padding: int
    dilation: int

    @property
    def reach(self) -> int:
        """Taps of the kernel with the zeros that dilation puts between them."""
        return (self.taps - 1) * self.dilation + 1

    def phases(self) -> list[dict[int, int]]:
        """Return phase -> offset of the input -> tap."""
        found: list[dict[int, int]] = []
        for phase in range(self.stride):
            first, offset = (phase + self.padding) % self.stride, (phase + self.padding) // self.stride
            reached = range(first, self.reach, self.stride)
            taps = {offset - m: place for m, place in enumerate(reached)}
            found.append({u: place // self.dilation for u, place in taps.items() if place % self.dilation == 0})
        return found

    @property
    def offsets(self) -> range:
        """Offsets of the input that any phase reads."""
        every = [offset for phase in self.phases() for offset in phase] or [0]
        return range(min(every), max(every) + 1)

    @property
    def borders(self) -> tuple[int, int]:
        """Zeros before and after the input; negative ones are cut away."""
        longer = self.reach + self.output_padding - 2 * self.padding  # the output has (H - 1) stride + longer pixels
        steps = -(-longer // self.stride) - 1  # phases of the output that are more than the input's pixels
        return -self.offsets[0], steps + self.offsets[-1]

    @property
    def surplus(self) -> int:
        """Pixels at the end that the shuffle gives too many."""
        longer = self.reach + self.output_padding - 2 * self.padding
        return -longer % self.stride


class PhaseConvolution(nn.Module):
    """A transposed convolution of two axes in other operators.

    Args:
        weight: Of the transposed convolution, (C_in, C_out / groups, kh, kw).
        bias: (C_out,), or None.
        axes: Its height and width.
        groups: Of the channels.
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None, axes: tuple[Axis, Axis], groups: int) -> None:
        super().__init__()
        self.axes, self.groups = axes, groups
        high, wide = axes
        phases = high.stride * wide.stride
        self.register_buffer("weight", _phase_weight(weight, axes, groups))
        self.register_buffer("bias", None if bias is None else bias.repeat_interleave(phases))
        self.pads = (*wide.borders, *high.borders)
        self.shuffle = FlatShuffle((high.stride, wide.stride))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C_in, H, W) to what the transposed convolution gives."""
        x = F.pad(x, self.pads) if any(self.pads) else x
        x = F.conv2d(x, self.weight, self.bias, groups=self.groups)
        x = self.shuffle(x) if self.shuffle.factors != (1, 1) else x
        for axis, each in zip((2, 3), self.axes, strict=True):
            if each.surplus:
                x = x.narrow(axis, 0, x.shape[axis] - each.surplus)
        return x


def _phase_weight(weight: Tensor, axes: tuple[Axis, Axis], groups: int) -> Tensor:
    """Return the weight of the convolution, (C_out * phases, C_in / groups, offsets, offsets)."""
    inputs, outputs = weight.shape[:2]
    high, wide = axes
    by_group = weight.reshape(groups, inputs // groups, outputs, *weight.shape[2:])
    found = weight.new_zeros(
        groups, outputs, high.stride, wide.stride, inputs // groups, len(high.offsets), len(wide.offsets)
    )
    for a, rows in enumerate(high.phases()):
        for b, columns in enumerate(wide.phases()):
            for u, row in rows.items():
                for v, column in columns.items():
                    taps = by_group[..., row, column].transpose(1, 2)
                    found[:, :, a, b, :, u - high.offsets[0], v - wide.offsets[0]] = taps
    return found.reshape(-1, inputs // groups, len(high.offsets), len(wide.offsets))


def rewrite(call: Call) -> Replacement | None:
    """Return a transposed convolution of constant weights in other operators."""
    given, found = call.arguments, call.constants("weight", "bias")
    if found is None or found["weight"] is None:
        return None
    weight = found["weight"]
    names = ("stride", "padding", "output_padding", "dilation")
    pairs = [list(given[name]) if len(given[name]) == 2 else [given[name][0]] * 2 for name in names]
    high, wide = (Axis(taps, *values) for taps, *values in zip(weight.shape[2:], *pairs, strict=True))
    return Replacement(PhaseConvolution(weight, found["bias"], (high, wide), given["groups"]), (given["input"],))
