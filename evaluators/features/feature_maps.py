"""Feature maps of an encoder, differentiable, for the distances between images that a training loss uses.

VGG-16 (Simonyan & Zisserman 2015) if its weights are given, as GAN Slimming's released code takes it: torchvision's
ImageNet weights, layers relu1_2, 2_2, 3_3, 4_3, images mapped to [0, 1] and not normalized. Otherwise the bundled
encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ...gan_models.files.errors import UserError
from ...gan_models.files.hashes import file_sha256
from .pretrained.backbones import MAPS, stages, vgg16
from .shapes_encoder import BUNDLED, load_shapes_network

_VGG_MAPS = MAPS["vgg"][:-1]  # up to relu4_3
# The published weight of the Gram matrices relative to the first maps' L1. It suits the bundled encoder, too: at a mean
# difference of 0.1 in pixels the two parts are about equal.
STYLE_WEIGHT = 1e5


class EncoderMaps:
    """Maps of a frozen network at some of its modules.

    Args:
        name: Name of the encoder.
        stages: Networks applied in sequence; the output of each is one of the maps.
        style_weight: Weight of the Gram matrices in a distance.
        unit: True if images are mapped from [-1, 1] to [0, 1] first.
    """

    def __init__(self, name: str, stages: Sequence[nn.Module], style_weight: float, *, unit: bool) -> None:
        self.name, self.style_weight, self._unit = name, style_weight, unit
        self._stages = nn.ModuleList(stages).eval().requires_grad_(False)

    def __call__(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return maps [N, c, h, w] of images [N, 3, H, W] in [-1, 1], from fine to coarse."""
        x = (images.float() + 1) / 2 if self._unit else images.float()
        maps = []
        for stage in self._stages:
            x = stage(x)
            maps.append(x)
        return tuple(maps)

    def to(self, device: torch.device | str) -> EncoderMaps:
        """Move the networks to a device, and return the maps' object."""
        self._stages.to(device)
        return self


def shapes_maps() -> EncoderMaps:
    """Return the maps of the bundled encoder's four convolutions, at the images' own size."""
    network = load_shapes_network()
    return EncoderMaps(f"shapes-{file_sha256(BUNDLED)[:8]}", list(network.trunk), STYLE_WEIGHT, unit=False)


def vgg_maps(weights: Path) -> EncoderMaps:
    """Return the maps of VGG-16 after relu1_2, relu2_2, relu3_3 and relu4_3.

    Args:
        weights: torchvision's `vgg16-397923af.pth`, or the same tensors as safetensors. Nothing is downloaded.

    Raises:
        ValueError: There is no such file, or it does not contain VGG-16's convolutions.
    """
    network = vgg16()[: _VGG_MAPS[-1] + 1]
    wanted = {f"features.{name}" for name in network.state_dict()}
    try:
        tensors: dict[str, Any] = (
            load_file(weights)
            if weights.suffix == ".safetensors"
            else torch.load(weights, map_location="cpu", weights_only=True)
        )
        network.load_state_dict({name.removeprefix("features."): tensors[name] for name in wanted})
    except (
        OSError,
        EOFError,
        LookupError,
        TypeError,
        ValueError,
        RuntimeError,
        UnpicklingError,
        SafetensorError,
    ) as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise UserError(
            f"{weights} does not contain VGG-16 weights: got {reason}; expected torchvision's vgg16-397923af.pth. Try "
            f"to omit --vgg-weights for the bundled encoder"
        ) from error
    return EncoderMaps(f"vgg16-{file_sha256(weights)[:8]}", stages(network, _VGG_MAPS), STYLE_WEIGHT, unit=True)


def load_feature_maps(weights: Path | None) -> EncoderMaps:
    """Return VGG-16's maps if its weights are given, else the bundled encoder's. Raises ValueError as `vgg_maps`."""
    return shapes_maps() if weights is None else vgg_maps(weights)
