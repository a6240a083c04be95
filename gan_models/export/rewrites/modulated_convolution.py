"""Modulated convolution (Karras et al. 2020): weights scaled per image, as scaled inputs and outputs instead.

StyleGAN2 multiplies one weight by each image's scales, and runs the batch as groups of one convolution. Scaling the
inputs, one convolution with the weight itself, and scaling the outputs gives the same, with constant weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from .call import Call, Replacement

VIEWS = ("aten.view.default", "aten.reshape.default")
SWAP = "aten.transpose.int"
TRANSPOSED = "aten.conv_transpose2d.input"
AXES = 5  # of weights per image: N, O, I, kh, kw


class ScaledConvolution(nn.Module):
    """conv(x * scales of inputs) * scales of outputs.

    Args:
        weight: (O, I, kh, kw).
        options: Keyword arguments of `conv2d` or `conv_transpose2d`, without bias and groups.
        transposed: True: `conv_transpose2d`.
    """

    weight: Tensor

    def __init__(self, weight: Tensor, options: Mapping[str, Any], transposed: bool) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.options, self.transposed = dict(options), transposed

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
        if self.transposed:
            y = F.conv_transpose2d(x, self.weight.transpose(0, 1), None, **self.options)
        else:
            y = F.conv2d(x, self.weight, None, **self.options)
        for scale in after:
            y = y * scale
        return y.reshape(1, -1, *y.shape[2:])


def rewrite(call: Call) -> Replacement | None:
    """Return a convolution of weights scaled per image with constant weights; any other convolution is left."""
    given = call.arguments
    if given["bias"] is not None or call.constant(given["weight"]) is not None:
        return None
    transposed = call.operator == TRANSPOSED
    scaled = _unfolded(given["weight"], transposed)
    if scaled is None:
        return None
    factors = _factors(scaled)
    constants = [value for value in map(call.constant, factors) if value is not None]
    scales = [factor for factor in factors if call.constant(factor) is None]
    if not constants or not scales or any(not _is_scale(factor) for factor in scales):
        return None
    shape = scaled.meta["val"].shape
    product = constants[0]
    for value in constants[1:]:
        product = product * value
    if product.ndim != AXES or product.shape[0] != 1 or str(_value(given["groups"])) != str(shape[0]):
        return None
    whole = product.expand(1, *shape[1:]).reshape(tuple(shape[1:])).contiguous()
    names = ("stride", "padding", "output_padding", "dilation") if transposed else ("stride", "padding", "dilation")
    convolution = ScaledConvolution(whole, {name: given[name] for name in names}, transposed)
    return Replacement(convolution, (given["input"], *scales))


def _unfolded(node: Any, transposed: bool) -> fx.Node | None:
    """Return the product (N, O, I, kh, kw) of which a convolution's weight is a view; None for any other weight.

    Published code folds it to (N * O, I, kh, kw), or swaps outputs and inputs before, for a transposed convolution.
    """
    chain: list[fx.Node] = []
    while isinstance(node, fx.Node) and str(node.target) in (*VIEWS, SWAP):
        chain.append(node)
        node = node.args[0]
    if not isinstance(node, fx.Node) or not isinstance(node.meta.get("val"), Tensor) or not chain:
        return None
    shape = tuple(node.meta["val"].shape)
    if len(shape) != AXES:
        return None
    swapped, folded = False, False
    for each in reversed(chain):
        if str(each.target) == SWAP:
            if folded or {*map(str, each.args[1:3])} != {"1", "2"}:
                return None
            swapped = not swapped
            continue
        own = [shape[0], *(reversed(shape[1:3]) if swapped else shape[1:3]), *shape[3:]]
        sizes = list(map(str, each.meta["val"].shape))
        folded = len(sizes) == AXES - 1
        if sizes[1 if folded else 2 :] != list(map(str, own[2:])):
            return None
    return node if folded and swapped == transposed else None


def _value(node: Any) -> Any:
    """Return a number of the graph, which may be a symbol."""
    return node.meta["val"] if isinstance(node, fx.Node) else node


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
    return len(shape) == AXES and tuple(shape[3:]) == (1, 1) and 1 in shape[1:3]
