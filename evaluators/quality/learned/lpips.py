"""LPIPS: the learned perceptual distance of an output from its reference (Zhang et al. 2018, version 0.1).

Maps of five layers of AlexNet or VGG-16 are scaled to length 1 at each pixel. Their squared differences are weighted
per channel by published, learned weights, averaged over pixels, and added up. The user gives the files of weights:
those of the package `lpips`, and torchvision's of the network. Nothing is downloaded.

The authors' package downloads weights and gives no interval, so it is implemented here.

Shapes: N images in [-1, 1].
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from ....gan_models.files.errors import UserError
from ....gan_models.files.hashes import file_sha256
from ...features.pretrained.backbones import MAPS, MIN_SIDE, WIDTHS, Backbone, alexnet, stages, vgg16
from ...features.pretrained.weight_file import read_tensors
from ...measurement import Measurement
from ..reference_based import MeanOverImages

# First digits of the sha256 of the published files: the learned weights, and torchvision's network.
_PUBLISHED_HASHES: dict[Backbone, tuple[str, str]] = {"alex": ("df73285e", "7be5be79"), "vgg": ("a78928a0", "397923af")}
_TITLES: dict[Backbone, str] = {"alex": "AlexNet", "vgg": "VGG-16"}
# Mean and deviation of ImageNet's channels for images in [-1, 1]: 2 mean - 1 and 2 deviation.
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_EPSILON = 1e-10


class Lpips(nn.Module):
    """The distance of pairs of images.

    Args:
        backbone: `alex` or `vgg`.
        network: The backbone's convolutions with their weights.
        weights: The learned weights of each map's channels, (C,) each.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, backbone: Backbone, network: nn.Sequential, weights: list[Tensor]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages(network, MAPS[backbone]))
        self.register_buffer("shift", torch.tensor(_SHIFT).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(_SCALE).view(1, 3, 1, 1))
        for place, weight in enumerate(weights):
            self.register_buffer(f"weight{place}", weight.float().view(1, -1, 1, 1))
        self.eval().requires_grad_(False)

    def forward(self, outputs: Tensor, references: Tensor) -> Tensor:
        """Return the distance of each pair (N,), 0 if they are equal."""
        x, y = ((images.float().clamp(-1, 1) - self.shift) / self.scale for images in (outputs, references))
        found = x.new_zeros(len(x))
        for place, stage in enumerate(self.stages):
            x, y = stage(x), stage(y)
            difference = (_unit(x) - _unit(y)) ** 2
            found = found + (difference * self.get_buffer(f"weight{place}")).sum(1).mean((1, 2))
        return found


class LpipsDistance(MeanOverImages):
    """The mean distance over images, with its interval.

    Args:
        backbone: `alex` or `vgg`.
        lpips: The file of learned weights: the package's `weights/v0.1/alex.pth` or `vgg.pth`.
        network: The file of torchvision's network.

    Raises:
        UserError: A file cannot be read, or has other content.
    """

    def __init__(self, backbone: Backbone, lpips: Path, network: Path) -> None:
        super().__init__()
        self._least = MIN_SIDE[backbone]
        self._lpips = load_lpips(backbone, lpips, network)
        digits = [file_sha256(path) for path in (lpips, network)]
        published = all(one.startswith(known) for one, known in zip(digits, _PUBLISHED_HASHES[backbone], strict=True))
        self.name = f"lpips[{backbone}{'' if published else f'-{digits[0][:4]}{digits[1][:4]}'}]"
        self._how = f"sha256 {digits[0][:8]} and {digits[1][:8]}"
        self._too_small = 0

    def reset(self, full: bool) -> None:
        """Forget the last pass."""
        super().reset(full)
        self._too_small = 0

    def update(self, outputs: Tensor, references: Tensor | None) -> None:
        """Add a batch, unless its images are too small for the network's strides."""
        if min(outputs.shape[-2:]) < self._least:
            self._too_small = min(outputs.shape[-2:])
        else:
            super().update(outputs, references)

    def values(self, outputs: Tensor, references: Tensor) -> Tensor:
        """Return the distance of each pair (N,)."""
        with torch.no_grad():
            return self._lpips.to(outputs.device)(outputs, references)

    def compute(self) -> list[Measurement]:
        """Return the mean over all images; absent, with the reason, if they are too small."""
        if self._too_small:
            got = f"got {self._too_small} pixels; expected at least {self._least} per side"
            reason = f"images are too small for {self.name}: {got}"
            return [Measurement.absent(self.name, self.unit, reason)]
        return super().compute()


def lpips_alex(lpips: Path, alex: Path) -> LpipsDistance:
    """Return LPIPS by AlexNet, which its authors recommend for comparing images."""
    return LpipsDistance("alex", lpips, alex)


def lpips_vgg(lpips_vgg: Path, vgg: Path) -> LpipsDistance:
    """Return LPIPS by VGG-16."""
    return LpipsDistance("vgg", lpips_vgg, vgg)


def load_lpips(backbone: Backbone, lpips: Path, network: Path) -> Lpips:
    """Return the distance with the weights of two files.

    Raises:
        UserError: A file cannot be read, or has other content.
    """
    convolutions = alexnet() if backbone == "alex" else vgg16()
    title, learned = _TITLES[backbone], read_tensors(lpips, f"LPIPS by {_TITLES[backbone]}")
    given = {name.removeprefix("features."): value for name, value in read_tensors(network, title).items()}
    try:
        convolutions.load_state_dict({name: given[name] for name in convolutions.state_dict()})
    except (KeyError, RuntimeError) as error:
        raise UserError(
            f"{network} does not contain {title}: got {' '.join(str(error).split())[:120]}; "
            "expected torchvision's weights"
        ) from error
    names = [f"lin{place}.model.1.weight" for place in range(len(WIDTHS[backbone]))]
    shapes = [tuple(learned[name].shape) if name in learned else () for name in names]
    expected = [(1, width, 1, 1) for width in WIDTHS[backbone]]
    if shapes != expected:
        first = f"{names[0]} of shape {'x'.join(map(str, expected[0]))}"
        raise UserError(
            f"{lpips} does not contain weights of LPIPS by {title}: got {', '.join(learned) or 'nothing':.120}; "
            f"expected {first} and so on. Try weights/v0.1 of the package lpips"
        )
    return Lpips(backbone, convolutions, [learned[name] for name in names])


def _unit(maps: Tensor) -> Tensor:
    """Return maps (N, C, h, w) scaled to length 1 at each pixel."""
    return maps / (maps.square().sum(1, keepdim=True).sqrt() + _EPSILON)
