"""Distances between two samples of features as measurements: named, with interval, n and protocol.

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
from .prdc import coverage_of

# Large sides cost seconds a distance: fewer groups there keep an interval within a minute or so.
_GROUPS, _GROUPS_WHEN_LARGE, _LARGE = 20, 10, 4_000_000
_Z90 = 1.6448536269514722
_K = 5

Real = Tensor | FeatureSample | FeatureStatistics


def check_real(features: FeatureSample, real: Real, encoder: Encoder, aligned: bool = False) -> None:
    """Raises ValueError or NonFiniteImages where the real side does not fit the generated one."""
    if not isinstance(real, FeatureStatistics):
        real = as_sample(real)
        if not bool(torch.isfinite(real.features).all()):
            raise NonFiniteImages("the real images' features are not finite")
    if real.dimension != features.dimension:
        raise UserError(
            f"real features have dimension {real.dimension}, encoder {encoder.name!r} gives {features.dimension}; "
            "take both with the same encoder"
        )
    if aligned and isinstance(real, FeatureSample) and real.n != features.n:
        raise ValueError(
            f"paired data: {features.n} outputs and features of {real.n} real images; "
            "the real features have to be those of the targets, in order"
        )


def frechet_measurement(
    generated: FeatureSample,
    real: Real,
    encoder: str,
    protocol: str,
    aligned: bool = False,
    interval: bool = True,
) -> Measurement:
    """The Fréchet distance as a measurement, named after encoder and n.

    Args:
        generated: features of the generated images.
        real: of the real ones; of statistics the interval does not count the chance.
        encoder: name of the encoder.
        protocol: goes into the measurement.
        aligned: image i of both belongs together.
        interval: whether to add the 90 % interval of E[distance at this n].
    """
    estimate: Estimate | None = None
    if isinstance(real, FeatureStatistics):
        value, smallest = frechet_between(generated.side(), real), generated.n
        large = real.dimension**2 >= _LARGE
    else:
        real = as_sample(real)
        value, smallest = frechet_between(generated.side(), real.side()), min(generated.n, real.n)
        large = min(max(generated.n, real.n), generated.dimension) ** 2 >= _LARGE
    if interval and smallest >= 4:
        groups = _GROUPS_WHEN_LARGE if large else _GROUPS
        if isinstance(real, FeatureStatistics):
            estimate = group_jackknife(lambda a: frechet_between(a, real), (generated,), None, groups)
        else:
            tied = ((0, 1),) if aligned else ((0,), (1,))
            estimate = group_jackknife(frechet_between, (generated, real), tied, groups)
    low, high = (max(estimate.low, 0.0), estimate.high) if estimate else (None, None)
    how = "; interval of E[distance at this n], delete-a-group jackknife" if estimate else ""
    return Measurement(frechet_name(encoder, generated.n), value, "1", low, high, generated.n, protocol + how)


def details_of(
    generated: FeatureSample, real_features: Tensor | FeatureSample, encoder: str, protocol: str
) -> list[Measurement]:
    """Kernel distance with its interval, then precision, recall, density and coverage; of the features kept."""
    features, real = generated.features, as_sample(real_features).features
    n = len(features)
    if n < generated.n or len(real) < as_sample(real_features).n:
        protocol += f"; of subsets, {n} generated and {len(real)} real images"
    found = []
    if min(n, len(real)) >= 3:
        kernel = kernel_distance(features, real)
        reach = _Z90 * kernel.standard_error
        found.append(
            Measurement(
                kernel_name(encoder, n),
                kernel.value,
                "1",
                kernel.value - reach,
                kernel.value + reach,
                n,
                f"{protocol}; cubic kernel, {kernel.how}, delete-one jackknife",
            )
        )
    if min(n, len(real)) > _K:
        shares = coverage_of(features, real, _K)
        for name in ("precision", "recall", "density", "coverage"):
            value = getattr(shares, name)
            found.append(Measurement(f"{name}[{encoder},n={n},k={_K}]", value, "1", n=n, protocol=protocol))
    return found
