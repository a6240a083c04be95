"""Names of StyleGAN2's tensors in published checkpoints: the official PyTorch code's (ADA), and stylegan2-pytorch's."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from torch import Tensor

from .equalized_layers import blur_filter

UNUSED_TENSORS = (
    "resample_filter",
    "w_avg",
    "blur.kernel",
    "upsample.kernel",
)  # tensors that a network may have for nothing
# Names of stylegan2-pytorch to those of the official code, in blocks and layers.
_LAYER = {
    "conv.weight": "weight",
    "conv.modulation.weight": "affine.weight",
    "conv.modulation.bias": "affine.bias",
    "noise.weight": "noise_strength",
    "activate.bias": "bias",
    "bias": "bias",
}


def official_names(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors of a checkpoint under the official code's names.

    Filters that layers do not use are left out, and so is the mean style of a network without truncation. The filters
    in use must be the published ones.

    stylegan2-pytorch multiplies its weights of modulated convolutions by 1 / sqrt(n_in 9); here this is in the stored
    weight. The outputs are then the same to rounding.

    Args:
        given: Name -> tensor, of any network.
        wanted: The state dict of the network that takes them.
    """
    found = {}
    for name, tensor in given.items():
        new = _official(name)
        if new is None:
            found[name] = tensor
            continue
        if name.endswith("conv.weight") and tensor.ndim == 5 and not new.endswith("torgb.weight"):
            tensor = tensor / math.sqrt(tensor[0, 0].numel())
        like = wanted.get(new)
        same = like is not None and like.numel() == tensor.numel()
        found[new] = tensor.reshape(like.shape) if same and like is not None else tensor
    if any(_official(name) for name in given):
        filters = {name: tensor for name, tensor in wanted.items() if name.endswith("resample_filter")}
        found = {name: blur_filter().to(tensor.dtype) for name, tensor in filters.items()} | found
    return {name: tensor for name, tensor in found.items() if name in wanted or not name.endswith(UNUSED_TENSORS)}


def _official(name: str) -> str | None:
    """Return the official name of a tensor of stylegan2-pytorch; None for any other."""
    if found := re.fullmatch(r"style\.(\d+)\.(weight|bias)", name):
        return f"mapping.fc{int(found[1]) - 1}.{found[2]}"
    if name == "input.input":
        return "synthesis.b4.const"
    if found := re.fullmatch(r"noises\.noise_(\d+)", name):
        return f"synthesis.{_layer(int(found[1]))}.noise_const"
    if found := re.fullmatch(r"(conv1|to_rgb1|convs\.\d+|to_rgbs\.\d+)\.(.+)", name):
        kind, _, number = found[1].partition(".")
        if found[2] in _LAYER:
            n = int(number) if number else -1
            place = f"b{2 ** (n + 3)}.torgb" if kind.startswith("to_rgb") else _layer(n + 1)
            return f"synthesis.{place}.{_LAYER[found[2]]}"
    return None


def _layer(number: int) -> str:
    """Return the place of a modulated convolution of 3x3, counted from 0 at 4x4."""
    return f"b{2 ** (2 + (number + 1) // 2)}.conv{(number + 1) % 2}"
