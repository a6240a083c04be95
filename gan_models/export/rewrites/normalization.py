"""Norms: those of fixed statistics folded into the layer before, those of each image's statistics as means."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .call import Call, Replacement

# Operator -> axis of the weight with the output channels; of a transposed convolution they are split by groups.
FOLDABLE = {
    "aten.conv1d.default": 0,
    "aten.conv2d.default": 0,
    "aten.linear.default": 0,
    "aten.conv_transpose2d.input": 1,
}


class ScaleShift(nn.Module):
    """x * scale + shift per channel.

    Args:
        scale: (C,).
        shift: (C,).
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, ...) scaled and shifted."""
        sides = (1,) * (x.ndim - 2)
        return x * self.scale.reshape(1, -1, *sides) + self.shift.reshape(1, -1, *sides)


class MeansNorm(nn.Module):
    """InstanceNorm in eval mode, without running statistics, by two means over the pixels.

    Args:
        eps: Added to the variance.
        weight: (C,), or None.
        bias: (C,), or None.
    """

    weight: Tensor | None
    bias: Tensor | None

    def __init__(self, eps: float, weight: Tensor | None, bias: Tensor | None) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, ...) with mean 0 and variance 1 per image and channel, then scaled and shifted."""
        axes, shape = list(range(2, x.ndim)), (1, -1, *(1,) * (x.ndim - 2))
        centered = x - x.mean(axes, keepdim=True)
        # Once more: of a channel that is constant, the rounding of a mean over all pixels is all that remains, and the
        # norm enlarges it by up to eps ** -0.5.
        centered = centered - centered.mean(axes, keepdim=True)
        y = centered * torch.rsqrt((centered * centered).mean(axes, keepdim=True) + self.eps)
        y = y if self.weight is None else y * self.weight.reshape(shape)
        return y if self.bias is None else y + self.bias.reshape(shape)


def fold_fixed(call: Call) -> Replacement | None:
    """Return the layer before a norm of fixed statistics with the norm in its weights, or else a scale and a shift."""
    given = call.arguments
    computed_there = given.get("training", False) or given.get("use_input_stats", False)
    found = call.constants("weight", "bias", "running_mean", "running_var")
    if computed_there or found is None or found["running_mean"] is None or found["running_var"] is None:
        return None
    mean, variance = found["running_mean"].double(), found["running_var"].double()
    scale = torch.rsqrt(variance + given["eps"])
    scale = scale if found["weight"] is None else scale * found["weight"].double()
    shift = -mean * scale
    shift = shift if found["bias"] is None else shift + found["bias"].double()
    return _in_layer(call, scale, shift) or Replacement(
        ScaleShift(scale.to(found["running_mean"].dtype), shift.to(found["running_mean"].dtype)), (given["input"],)
    )


def _in_layer(call: Call, scale: Tensor, shift: Tensor) -> Replacement | None:
    """Return the layer that alone feeds a norm, with its outputs scaled and shifted; None if there is none."""
    layer = call.producer("input")
    if layer is None or layer.operator not in FOLDABLE:
        return None
    found = layer.constants("weight", "bias")
    if found is None or found["weight"] is None:
        return None
    if layer.operator == "aten.linear.default" and len(call.shape("input")) != 2:
        return None  # the channels of a norm are the second axis, those of a linear layer the last
    weight, dtype = found["weight"].double(), found["weight"].dtype
    if FOLDABLE[layer.operator]:
        groups = layer.arguments["groups"]
        inputs, outputs = weight.shape[:2]
        by_group = weight.reshape(groups, inputs // groups, outputs, *weight.shape[2:])
        scaled = by_group * scale.reshape(groups, 1, outputs, *(1,) * (weight.ndim - 2))
        weight = scaled.reshape(weight.shape)
    else:
        weight = weight * scale.reshape(-1, *(1,) * (weight.ndim - 1))
    bias = shift if found["bias"] is None else found["bias"].double() * scale + shift
    arguments = {**layer.arguments, "weight": weight.to(dtype), "bias": bias.to(dtype)}
    assert isinstance(layer.node.target, torch._ops.OpOverload)
    return Replacement(layer.node.target, tuple(arguments.values()))


def reduce(call: Call) -> Replacement | None:
    """Return a norm of each image's statistics as means; one of fixed statistics is left."""
    found = call.constants("weight", "bias")
    if not call.arguments["use_input_stats"] or found is None:
        return None
    norm = MeansNorm(call.arguments["eps"], found["weight"], found["bias"])
    return Replacement(norm, (call.arguments["input"],))
