"""Modulated convolution (Karras et al. 2020): weights scaled per image, as scaled inputs and outputs instead.

StyleGAN2 multiplies one weight by each image's scales, and runs the batch as groups of one convolution. Scaling the
inputs, one convolution with the weight itself, and scaling the outputs gives the same, with constant weights.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from .call import Call, Replacement

VIEWS = ("aten.view.default", "aten.reshape.default")


class ScaledConvolution(nn.Module):
    """conv(x * scales of inputs) * scales of outputs.

    Args:
        weight: (O, I, kh, kw).
        stride: Of the convolution.
        padding: Of the convolution.
        dilation: Of the convolution.
    """

    weight: Tensor

    def __init__(self, weight: Tensor, stride: Any, padding: Any, dilation: Any) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.stride, self.padding, self.dilation = stride, padding, dilation

    def forward(self, x: Tensor, *scales: Tensor) -> Tensor:
        """Map (1, N * I, H, W) to (1, N * O, H', W').

        Args:
            x: The batch as groups of channels.
            scales: Each (N, 1 or O, 1 or I, 1, 1).
        """
        outputs, inputs = self.weight.shape[:2]
        x = x.reshape(-1, inputs, *x.shape[2:])
        after = []
        for scale in scales:
            if scale.shape[1] == 1:
                x = x * scale.reshape(-1, scale.shape[2], 1, 1)
            else:
                after.append(scale.reshape(-1, outputs, 1, 1))
        y = F.conv2d(x, self.weight, None, self.stride, self.padding, self.dilation)
        for scale in after:
            y = y * scale
        return y.reshape(1, -1, *y.shape[2:])


def rewrite(call: Call) -> Replacement | None:
    """Return a convolution of weights scaled per image with constant weights; any other convolution is left."""
    given = call.arguments
    if given["bias"] is not None or call.constant(given["weight"]) is not None:
        return None
    weight = given["weight"]
    if not (isinstance(weight, fx.Node) and str(weight.target) in VIEWS):
        return None
    factors = _factors(weight.args[0])
    constants = [value for value in map(call.constant, factors) if value is not None]
    scales = [factor for factor in factors if call.constant(factor) is None]
    if not constants or not scales or any(not _is_scale(factor) for factor in scales):
        return None
    shape = weight.args[0].meta["val"].shape  # type: ignore[union-attr]
    product = constants[0]
    for value in constants[1:]:
        product = product * value
    groups = given["groups"]
    if len(shape) != 5 or product.ndim != 5 or product.shape[0] != 1 or groups != shape[0]:
        return None
    whole = product.expand(1, *shape[1:]).reshape(tuple(shape[1:])).contiguous()
    convolution = ScaledConvolution(whole, given["stride"], given["padding"], given["dilation"])
    return Replacement(convolution, (given["input"], *scales))


def _factors(node: Any) -> list[Any]:
    """Return the factors of a product of tensors, to any depth."""
    if isinstance(node, fx.Node) and str(node.target) == "aten.mul.Tensor":
        return [factor for argument in node.args for factor in _factors(argument)]
    return [node]


def _is_scale(node: Any) -> bool:
    """Return if a factor scales whole inputs or whole outputs of each image: (N, 1, I, 1, 1) or (N, O, 1, 1, 1)."""
    if not isinstance(node, fx.Node) or not isinstance(node.meta.get("val"), torch.Tensor):
        return False
    shape = node.meta["val"].shape
    return len(shape) == 5 and tuple(shape[3:]) == (1, 1) and 1 in shape[1:3]
