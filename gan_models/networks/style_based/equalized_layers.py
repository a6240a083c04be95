"""Layers with an equalized learning rate (Karras et al. 2018): weights of unit variance, scaled at run time.

The scale is applied to the input, not to the weight. The outputs are the same, and the layer computes with the stored
parameter. The scale is that of the dense layer: a cut layer keeps it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE, GAIN = 0.2, math.sqrt(2)  # of the activation, and of its output


class EqualizedLinear(nn.Module):
    """rate * (weight (x / sqrt(n_in)) + bias).

    Args:
        n_in: Length of the input.
        n_out: Length of the output.
        bias: Initial bias.
        rate: Factor of the learning rate.
    """

    def __init__(self, n_in: int, n_out: int, bias: float = 0.0, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in) / rate)
        self.bias = nn.Parameter(torch.full((n_out,), bias))
        self.scale, self.rate = 1 / math.sqrt(n_in), rate

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, n_in) to (N, n_out)."""
        y = F.linear(x * self.scale, self.weight, self.bias)
        return y if self.rate == 1 else y * self.rate


class EqualizedConvolution(nn.Module):
    """A convolution of x / sqrt(n_in kernel^2), with a blur in front if it halves the map.

    Args:
        n_in: Channels of the input.
        n_out: Channels of the output.
        kernel: Side of the kernel, odd.
        down: True: stride 2 after a blur with `blur_filter`.
        bias: True: it has a bias.
    """

    resample_filter: Tensor

    def __init__(self, n_in: int, n_out: int, kernel: int, down: bool = False, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(n_out)) if bias else None
        self.scale, self.down = 1 / math.sqrt(n_in * kernel**2), down
        if down:
            self.register_buffer("resample_filter", blur_filter())

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, n_in, H, W) to (N, n_out, H, W), or to half the height and width."""
        x, padding = x * self.scale, self.weight.shape[-1] // 2
        if not self.down:
            return F.conv2d(x, self.weight, self.bias, padding=padding)
        return F.conv2d(blurred(x, self.resample_filter, padding + 1), self.weight, self.bias, stride=2)


def blur_filter() -> Tensor:
    """Return the outer product of [1, 3, 3, 1] with itself, of sum 1, as (4, 4)."""
    line = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(line, line) / 64


def blurred(x: Tensor, kernel: Tensor, padding: int) -> Tensor:
    """Convolve each channel of (N, C, H, W) with a kernel (4, 4), after zeros around it."""
    channels = x.shape[1]
    return F.conv2d(x, kernel.expand(channels, 1, -1, -1), padding=padding, groups=channels)


def enlarged(x: Tensor, kernel: Tensor) -> Tensor:
    """Return (N, C, H, W) at twice the height and width: zeros between the pixels, then 4 times the kernel (4, 4)."""
    channels = x.shape[1]
    return F.conv_transpose2d(x, 4 * kernel.expand(channels, 1, -1, -1), stride=2, padding=1, groups=channels)


def activated(x: Tensor) -> Tensor:
    """Return leaky ReLU of slope 0.2, times the square root of 2."""
    return F.leaky_relu(x, SLOPE) * GAIN
