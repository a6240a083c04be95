"""Convolutions of AlexNet and VGG-16 as torchvision orders them, split into stages that end at the maps of LPIPS."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import nn

Backbone = Literal["alex", "vgg"]
# Convolutions of torchvision's VGG-16; None is a pooling.
_VGG = (64, 64, None, 128, 128, None, 256, 256, 256, None, 512, 512, 512, None, 512, 512, 512)
# Modules that give a map: each ReLU before a pooling; in AlexNet also the ReLU before each further convolution.
MAPS: dict[Backbone, tuple[int, ...]] = {"alex": (1, 4, 7, 9, 11), "vgg": (3, 8, 15, 22, 29)}
WIDTHS: dict[Backbone, tuple[int, ...]] = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}
MIN_SIDE: dict[Backbone, int] = {"alex": 31, "vgg": 16}


def alexnet() -> nn.Sequential:
    """Return the convolutions of AlexNet (Krizhevsky 2014), as torchvision's `features` up to the last ReLU."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(),
    )  # fmt: skip


def vgg16() -> nn.Sequential:
    """Return VGG-16's convolutions (Simonyan and Zisserman 2015): torchvision's `features` without the last pooling."""
    layers: list[nn.Module] = []
    channels = 3
    for width in _VGG:
        if width is None:
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers)


def stages(network: nn.Module, maps: Sequence[int]) -> list[nn.Sequential]:
    """Return a network split after the modules of these numbers, as networks to apply in sequence."""
    bounds, layers = [0, *(last + 1 for last in maps)], list(network.children())
    return [nn.Sequential(*layers[first:last]) for first, last in pairwise(bounds)]
