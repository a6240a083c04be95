"""Distances between two samples of features as measurements and as metrics: named, with interval, n and protocol.

Shapes: n generated and m real images, d features.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...gan_models.files.errors import UserError
from ..features.encoders import Encoder, NonFiniteImages
from ..features.sample import FeatureSample, as_sample
from ..features.statistics import FeatureStatistics
from ..measurement import Measurement, frechet_name, kernel_name
from .frechet import frechet_between
from .jackknife import Estimate, group_jackknife
from .kid import kernel_distance
from .metric import RealSide
from .prdc import SHARES, coverage_of
from .reference_based import Z90, MeanOverImages

# Large samples cost seconds per distance: fewer groups keep an interval within about a minute.
_GROUPS, _GROUPS_WHEN_LARGE, _LARGE_PRODUCT = 20, 10, 4_000_000
_K = 5

Real = Tensor | FeatureSample | FeatureStatistics


def check_real(features: FeatureSample, real: Real, encoder: Encoder, aligned: bool = False) -> None:
    """Check that the real images' features fit the generated ones'.

    Raises:
        UserError: The features are of another encoder.
        ValueError: Paired data have another number of images.
        NonFiniteImages: Real features are not finite.
    """
    if not isinstance(real, FeatureStatistics):
        real = as_sample(real)
        if not bool(torch.isfinite(real.features).all()):
            raise NonFiniteImages("the real images' features are not finite")
    if real.dimension != features.dimension:
        raise UserError(
            f"real features are of another encoder: got dimension {real.dimension}; expected {features.dimension}, of "
            f"encoder {encoder.name!r}. Try to encode both with the same encoder"
        )
    if aligned and isinstance(real, FeatureSample) and real.n != features.n:
        raise ValueError(
            f"paired data do not match: got {features.n} outputs and features of {real.n} real images; expected the "
            f"features of the targets, in order"
        )


def frechet_measurement(
    generated: FeatureSample,
    real: Real,
    encoder: str,
    protocol: str,
    aligned: bool = False,
    interval: bool = True,
) -> Measurement:
    """Return the Fréchet distance as a measurement, named after encoder and n.

    Args:
        generated: Features of the generated images.
        real: Features of the real ones; if they are statistics, the interval does not count their sampling error.
        encoder: Name of the encoder.
        protocol: Becomes the measurement's protocol.
        aligned: True if image i of one belongs to image i of the other.
        interval: True to add the 90 % interval of E[distance at this n].
    """
    estimate: Estimate | None = None
    if isinstance(real, FeatureStatistics):
        value, smallest = frechet_between(generated.side(), real), generated.n
        large = real.dimension**2 >= _LARGE_PRODUCT
    else:
        real = as_sample(real)
        value, smallest = frechet_between(generated.side(), real.side()), min(generated.n, real.n)
        large = min(max(generated.n, real.n), generated.dimension) ** 2 >= _LARGE_PRODUCT
    if interval and smallest >= 4:
        groups = _GROUPS_WHEN_LARGE if large else _GROUPS
        if isinstance(real, FeatureStatistics):
            estimate = group_jackknife(lambda a: frechet_between(a, real), (generated,), None, groups)
        else:
            tied = ((0, 1),) if aligned else ((0,), (1,))
            estimate = group_jackknife(frechet_between, (generated, real), tied, groups)
    low, high = (max(estimate.low, 0.0), estimate.high) if estimate else (None, None)
    how = _joined(protocol, "interval of E[distance at this n], delete-a-group jackknife" if estimate else "")
    return Measurement(frechet_name(encoder, generated.n), value, "1", low, high, generated.n, how, better="lower")


def kernel_measurement(
    generated: FeatureSample, real_features: Tensor | FeatureSample, encoder: str, protocol: str
) -> list[Measurement]:
    """Return the kernel distance of the stored features, with its interval; an empty list for fewer than 3 images."""
    features, real = generated.features, as_sample(real_features).features
    n = len(features)
    if min(n, len(real)) < 3:
        return []
    kernel = kernel_distance(features, real)
    reach = Z90 * kernel.standard_error
    how = _joined(protocol, _subsets(generated, real_features), f"cubic kernel, {kernel.how}, delete-one jackknife")
    name = kernel_name(encoder, n)
    low, high = kernel.value - reach, kernel.value + reach
    return [Measurement(name, kernel.value, "1", low, high, n, how, better="lower")]


def coverage_measurements(
    generated: FeatureSample, real_features: Tensor | FeatureSample, encoder: str, protocol: str
) -> list[Measurement]:
    """Return precision, recall, density and coverage of the stored features; an empty list for too few images."""
    features, real = generated.features, as_sample(real_features).features
    n = len(features)
    if min(n, len(real)) <= _K:
        return []
    shares = coverage_of(features, real, _K)
    how, notes = _joined(protocol, _subsets(generated, real_features)), shares.saturated()
    return [
        Measurement(
            f"{name}[{encoder},n={n},k={_K}]", getattr(shares, name), "1", n=n, protocol=how, better="higher",
            note=notes.get(name, ""),
        )
        for name in SHARES
    ]  # fmt: skip


def details_of(
    generated: FeatureSample, real_features: Tensor | FeatureSample, encoder: str, protocol: str
) -> list[Measurement]:
    """Return the kernel distance with its interval, then precision, recall, density and coverage."""
    return [
        *kernel_measurement(generated, real_features, encoder, protocol),
        *coverage_measurements(generated, real_features, encoder, protocol),
    ]


class _SampleMetric:
    """A metric of all outputs' features against those of the real images."""

    def __init__(self) -> None:
        self._real: RealSide | None = None
        self._sample: FeatureSample | None = None
        self._full = True

    def prepare(self, real: RealSide) -> None:
        """Store the real images' features."""
        self._real = real

    def reset(self, full: bool) -> None:
        """Forget the last pass."""
        self._sample, self._full = None, full

    def update(self, outputs: FeatureSample, references: None) -> None:
        """Store the features of all outputs."""
        self._sample = outputs

    def compute(self) -> list[Measurement]:
        """Return the measurements; an empty list before `prepare` and `update`."""
        if self._real is None or self._sample is None:
            return []
        return self.compare(self._sample, self._real)

    def compare(self, generated: FeatureSample, real: RealSide) -> list[Measurement]:
        """Return the measurements of one sample."""
        raise NotImplementedError


class FrechetMetric(_SampleMetric):
    """The Fréchet distance; its interval is computed at a trial's end."""

    def compare(self, generated: FeatureSample, real: RealSide) -> list[Measurement]:
        """Return the distance alone."""
        return [frechet_measurement(generated, real.features, real.encoder.name, "", real.aligned, self._full)]


class KernelMetric(_SampleMetric):
    """The kernel distance; statistics of the real images do not suffice for it."""

    def compare(self, generated: FeatureSample, real: RealSide) -> list[Measurement]:
        """Return the distance, or an empty list for too few images."""
        if isinstance(real.features, FeatureStatistics):
            return []
        return kernel_measurement(generated, real.features, real.encoder.name, "")


class CoverageMetric(_SampleMetric):
    """Precision, recall, density and coverage; statistics of the real images do not suffice for them."""

    def compare(self, generated: FeatureSample, real: RealSide) -> list[Measurement]:
        """Return the four shares, or an empty list for too few images."""
        if isinstance(real.features, FeatureStatistics):
            return []
        return coverage_measurements(generated, real.features, real.encoder.name, "")


class FeatureDistance(MeanOverImages):
    """The distance between an output's features and its reference's."""

    def prepare(self, real: RealSide) -> None:
        """Store the encoder's name, which is part of the measurement's name."""
        self.name = f"feature_distance[{real.encoder.name}]"

    def values(self, outputs: Tensor, references: Tensor) -> Tensor:
        """Return the Euclidean distance of each pair of features, (N,)."""
        return torch.linalg.vector_norm(outputs.double() - references.cpu().double(), dim=1)


def _subsets(generated: FeatureSample, real: Tensor | FeatureSample) -> str:
    """Return how many images are compared, if not all of them are."""
    n, m = len(generated.features), len(as_sample(real).features)
    whole = n == generated.n and m == as_sample(real).n
    return "" if whole else f"of subsets, {n} generated and {m} real images"


def _joined(*parts: str) -> str:
    """Return the non-empty parts of a protocol as one text."""
    return "; ".join(part for part in parts if part)
