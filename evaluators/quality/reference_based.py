"""Distances of outputs from their own references, per image, and their means as metrics.

Shapes: N images, C channels; images are in [-1, 1].
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ...gan_models.files.errors import UserError
from ...gan_models.files.user_code import UserCodeFailed, place_of
from ..measurement import Measurement
from .metric import RealSide

Z90 = 1.6448536269514722  # 90 % of a normal distribution lie within this many standard errors
# Wang, Bovik, Sheikh and Simoncelli 2004: Gaussian window of 11 pixels, sigma 1.5, K1 = 0.01, K2 = 0.03.
_WINDOW, _SIGMA, _K1, _K2 = 11, 1.5, 0.01, 0.03


class MeanOverImages:
    """A metric with one number per image, which reports the mean with its 90 % interval.

    A subclass sets `name` and `unit`, and implements `values`. A metric with references, as most are, needs nothing
    else.
    """

    name: str
    unit: str = "1"
    needs_references = True

    def __init__(self) -> None:
        self._values: list[Tensor] = []

    def values(self, outputs: Tensor, references: Tensor) -> Tensor:
        """Return one number per image, (N,)."""
        raise NotImplementedError

    def prepare(self, real: RealSide) -> None:
        """Do nothing: references come with each batch."""

    def reset(self, full: bool) -> None:
        """Forget the last pass; a mean's interval costs nothing, so it is given at rungs, too."""
        self._values = []

    def update(self, outputs: Tensor, references: Tensor | None) -> None:
        """Add a batch; a batch without references is left out if they are needed."""
        if references is None and self.needs_references:
            return
        values = self.values(outputs, references)  # pyright: ignore[reportArgumentType]
        if not isinstance(values, Tensor) or values.shape != (len(outputs),):
            shape = (
                f"{'x'.join(map(str, values.shape)) or 'one number'}" if isinstance(values, Tensor) else repr(values)
            )
            raise UserCodeFailed(
                f"metric {self.name}{place_of(self.values)} gives {shape:.60} for {len(outputs)} images; expected a "
                "tensor of one number per image. Try .flatten(1).mean(1)"
            )
        if bool(torch.isnan(values).any()):
            raise UserCodeFailed(
                f"metric {self.name}{place_of(self.values)} gives values that are not numbers: got nan; expected "
                "finite numbers. Try to look at the images that it is given"
            )
        self._values.append(values.detach().cpu())

    def compute(self) -> list[Measurement]:
        """Return the mean over all images; absent, with the reason, if one of them is infinite."""
        if not self._values:
            return []
        values = torch.cat(self._values)
        n = len(values)
        if not bool(torch.isfinite(values).all()):
            reason = f"{self.name} is infinite: some outputs equal their targets"
            return [Measurement.absent(self.name, self.unit, reason, n)]
        mean = float(values.mean())
        reach = Z90 * float(values.std()) / n**0.5 if n > 1 else None
        low, high = (mean - reach, mean + reach) if reach is not None else (None, None)
        return [Measurement(self.name, mean, self.unit, low, high, n, "mean over images")]


class L1(MeanOverImages):
    """The mean absolute difference to the reference."""

    name, unit = "l1", "of [-1, 1]"

    def values(self, outputs: Tensor, references: Tensor) -> Tensor:
        """Return the result of `l1_of`."""
        return l1_of(outputs, references)


class ComparedInside(MeanOverImages):
    """A metric of pairs that leaves out a border of each image, and may compare luma in place of colors.

    Super-resolution is measured like this (Timofte et al. 2017), because half of a border pixel's surroundings are
    missing. A subclass also sets `kind`, and `least_side` if it needs more than one pixel.

    Args:
        border: Pixels that are left out at each side; part of the name unless it is 0.
        luma: Compare the Y channel of ITU-R BT.601 (see `luma_of`); images with neither 1 nor 3 channels are left out.
    """

    kind: str
    least_side = 1

    def __init__(self, border: int = 0, luma: bool = False) -> None:
        super().__init__()
        self.border, self.luma = border, luma
        self.name = f"{self.kind}{'_y' * luma}{f'[border={border}]' * (border > 0)}"
        self._reason = ""

    def reset(self, full: bool) -> None:
        """Forget the last pass."""
        super().reset(full)
        self._reason = ""

    def update(self, outputs: Tensor, references: Tensor | None) -> None:
        """Add a batch, unless its images are too small or have no luma."""
        if references is None:
            return
        _same_shape(outputs, references)
        channels, *sides = outputs.shape[1:]
        if min(sides) - 2 * self.border < self.least_side:
            needed = self.least_side + 2 * self.border
            self._reason = (
                f"images are too small for {self.name}: got {min(sides)} pixels; expected at least {needed} per side"
            )
        elif self.luma and channels not in (1, 3):
            self._reason = f"images of {channels} channels have no luma"
        else:
            super().update(*(self._inside(images) for images in (outputs, references)))

    def compute(self) -> list[Measurement]:
        """Return the mean over all images; absent, with the reason, if they could not be compared."""
        if self._reason:
            return [Measurement.absent(self.name, self.unit, self._reason)]
        return super().compute()

    def _inside(self, images: Tensor) -> Tensor:
        n = self.border
        images = images[..., n : images.shape[-2] - n, n : images.shape[-1] - n]
        return luma_of(images) if self.luma else images


class PSNR(ComparedInside):
    """The peak signal-to-noise ratio to the reference."""

    kind, unit = "psnr", "dB"

    def values(self, outputs: Tensor, references: Tensor) -> Tensor:
        """Return the result of `psnr_of`."""
        return psnr_of(outputs, references)


class SSIM(ComparedInside):
    """The structural similarity to the reference."""

    kind = "ssim"
    least_side = _WINDOW

    def values(self, outputs: Tensor, references: Tensor) -> Tensor:
        """Return the result of `ssim_of`."""
        return ssim_of(outputs, references)


def psnr_y(border: int = 0) -> PSNR:
    """Return the PSNR of the luma, as reported for super-resolution."""
    return PSNR(border, luma=True)


def ssim_y(border: int = 0) -> SSIM:
    """Return the SSIM of the luma, as reported for super-resolution."""
    return SSIM(border, luma=True)


def luma_of(images: Tensor) -> Tensor:
    """Return the luma of images in [-1, 1] on the same scale, whose 0 .. 255 is [-1, 1].

    Y of ITU-R BT.601 as MATLAB's `rgb2ycbcr` has it, 16 + 65.481 R + 128.553 G + 24.966 B for R, G, B of 0 .. 1: black
    is 16 and white 235. Published numbers of PSNR take 255 as the peak all the same, and so does this.

    Args:
        images: (N, 3, H, W), or (N, 1, H, W) of gray.

    Returns:
        (N, 1, H, W), float64.
    """
    unit = (images.double().clamp(-1, 1) + 1) / 2
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=unit.dtype, device=unit.device)
    luma = torch.einsum("c,nchw->nhw", weights, unit.expand(-1, 3, -1, -1))[:, None]
    return (luma + 16) / 127.5 - 1


def l1_of(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean absolute difference of each pair, (N,), in units of the [-1, 1] scale: 0 to 2."""
    _same_shape(outputs, targets)
    return (outputs.double() - targets.double()).abs().flatten(1).mean(1)


def psnr_of(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio of each pair in dB, (N,), after clamping; equal images give inf."""
    _same_shape(outputs, targets)
    error = ((outputs.double().clamp(-1, 1) - targets.double().clamp(-1, 1)) ** 2).flatten(1).mean(1)
    return 10 * torch.log10(4 / error)


def ssim_of(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the structural similarity of each pair, (N,), at most 1; mean over channels and inner windows.

    Raises:
        ValueError: Images are smaller than the 11-pixel window, or shapes differ.
    """
    _same_shape(outputs, targets)
    if min(outputs.shape[-2:]) < _WINDOW:
        raise UserError(
            f"images are too small for SSIM: got {tuple(outputs.shape[-2:])}; expected at least {_WINDOW} pixels per "
            f"side"
        )
    x, y = ((image.double().clamp(-1, 1) + 1) / 2 for image in (outputs, targets))
    mean_x, mean_y = _windowed(x), _windowed(y)
    variance_x, variance_y = _windowed(x * x) - mean_x**2, _windowed(y * y) - mean_y**2
    covariance = _windowed(x * y) - mean_x * mean_y
    c1, c2 = _K1**2, _K2**2
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    similarity = similarity / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2))
    return similarity.flatten(1).mean(1)


def _windowed(images: Tensor) -> Tensor:
    channels = images.shape[1]
    offsets = torch.arange(_WINDOW, dtype=images.dtype, device=images.device) - _WINDOW // 2
    weights = torch.exp(-(offsets**2) / (2 * _SIGMA**2))
    weights = (weights / weights.sum()).expand(channels, 1, 1, _WINDOW)
    rows = F.conv2d(images, weights, groups=channels)
    return F.conv2d(rows, weights.transpose(2, 3), groups=channels)


def _same_shape(outputs: Tensor, targets: Tensor) -> None:
    if outputs.shape != targets.shape or outputs.dim() != 4:
        raise ValueError(
            f"outputs and targets do not match: got {tuple(outputs.shape)} and {tuple(targets.shape)}; expected (N, "
            f"C, H, W) of one shape"
        )
