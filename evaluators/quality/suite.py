"""Everything that is measured of a generator's images, in one pass over the data; needs no study.

Shapes: n images of a batch, N of all, d features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..features.encoders import Encoder, check_finite, feature_batches
from ..features.sample import as_sample, sample_of
from ..features.statistics import FeatureStatistics
from ..measurement import Measurement, frechet_name
from .distances import Real, check_real, details_of, frechet_measurement
from .reference_based import l1_of, psnr_of, ssim_of

# Inputs of a generator, and the images that it should make of them, if there are any.
Batch = tuple[tuple[Tensor, ...], Tensor | None]

_Z90 = 1.6448536269514722


@dataclass
class _Pass:
    """What one pass over the data collects beside the features."""

    l1: list[Tensor] = field(default_factory=list)
    psnr: list[Tensor] = field(default_factory=list)
    ssim: list[Tensor] = field(default_factory=list)
    feature_distance: list[Tensor] = field(default_factory=list)
    target: Tensor | None = None
    first_shape: tuple[int, ...] | None = None


def measure_quality(
    generate: Callable[..., Tensor],
    batches: Iterable[Batch],
    encoder: Encoder,
    real_features: Real,
    *,
    device: torch.device | str = "cpu",
    paired: bool = False,
    aligned: bool = True,
    protocol: str = "test-vs-test",
    interval: bool = True,
    details: bool = True,
) -> list[Measurement]:
    """Measures a generator on data.

    Args:
        generate: called with each input (n, ...), gives images (n, 3, H, W) in [-1, 1]. An `nn.Module` runs in eval
            mode and gets its modes back; any other callable is used as it is. It has to be on `device` already.
        batches: pairs of the generator's inputs and the reference (n, 3, H, W) that it should make of them, or None.
        encoder: see `features.load_encoder`.
        real_features: features (m, d) of the real images by the same encoder (`features_of`; the caller may
            keep them), a sample of them, or their statistics, with which there is no kernel distance and no
            coverage.
        device: where generator and encoder run.
        paired: every batch has a reference. Adds L1, PSNR, SSIM and the distance of the two images' features.
        aligned: paired data: the real features are those of the targets in the same order, and intervals use
            that; not so where the real images are others as well (`test-vs-train+test`).
        protocol: which images are compared, such as `test-vs-test`; goes into every measurement.
        interval: whether to give the Fréchet distance its interval (40 more distances).
        details: whether to add kernel distance, precision, recall, density and coverage.

    Returns:
        The Fréchet distance first: it is THE quality, lower is better. Then `l1`, `psnr`, `ssim`,
        `feature_distance` if paired, then the details. Intervals are 90 %. The same inputs give the same numbers.
        Memory does not depend on the number of images (see `sample.py`); beyond the images whose features are
        all kept, the details are those of a subset, and their names say of how many.

    Raises:
        NonFiniteImages: the generator or the encoder gave NaN or infinity.
        ValueError: no batch, a batch without a reference although `paired`, or sizes and dimensions that do not fit.
    """
    seen = _Pass()
    aligned = paired and aligned
    with _evaluating(generate):
        outputs = _outputs(generate, batches, device, paired, seen)
        targets = real_features if aligned and isinstance(real_features, Tensor) else None
        features = sample_of(_features(outputs, encoder, device, seen, targets, details))
    check_real(features, real_features, encoder, aligned)
    n_real = real_features.n if isinstance(real_features, FeatureStatistics) else as_sample(real_features).n
    protocol = (
        f"{protocol}; n_real={n_real}; images {seen.first_shape}; {encoder.preprocessing}; "
        f"encoder sha256 {encoder.sha256[:8]}"
    )
    found = [frechet_measurement(features, real_features, encoder.name, protocol, aligned, interval)]
    if paired:
        found += _of_pairs(seen, encoder.name, protocol)
    if details and not isinstance(real_features, FeatureStatistics):
        found += details_of(features, real_features, encoder.name, protocol)
    return found


def absent_quality(encoder: str, n: int, reason: str, protocol: str = "") -> Measurement:
    """The quality of a generator that has none: NaN with a reason, under the name it would have had."""
    return Measurement.absent(frechet_name(encoder, n), "1", reason, n=n, protocol=protocol)


@contextmanager
def _evaluating(generate: object) -> Iterator[None]:
    """Eval mode for the time being; every submodule gets its own mode back."""
    modes = {m: m.training for m in generate.modules()} if isinstance(generate, nn.Module) else {}
    for module in modes:
        module.training = False
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def _outputs(
    generate: Callable[..., Tensor],
    batches: Iterable[Batch],
    device: torch.device | str,
    paired: bool,
    seen: _Pass,
) -> Iterator[Tensor]:
    done = 0
    for inputs, reference in batches:
        if paired and reference is None:
            raise ValueError("outputs cannot be compared with their references: a batch has none")
        with torch.no_grad():
            images = generate(*(x.to(device) for x in inputs)).float()
        check_finite(images, done, "generator's output")
        if seen.first_shape is None:
            seen.first_shape = tuple(images.shape[1:])
        if paired and reference is not None:
            seen.target = target = reference.to(device)
            seen.l1.append(l1_of(images, target).cpu())
            seen.psnr.append(psnr_of(images, target).cpu())
            seen.ssim.append(ssim_of(images, target).cpu())
        done += len(images)
        yield images


def _features(
    outputs: Iterator[Tensor],
    encoder: Encoder,
    device: torch.device | str,
    seen: _Pass,
    targets_ND: Tensor | None,
    encode_targets: bool,
) -> Iterator[Tensor]:
    """Features of the outputs; each one's distance to its target's goes to `seen`, from `targets_ND` or encoded now."""
    done = 0
    for features in feature_batches(outputs, encoder, device):
        theirs = None
        if targets_ND is not None:
            theirs = targets_ND[done : done + len(features)]
        elif encode_targets and seen.target is not None:
            theirs = next(feature_batches([seen.target], encoder, device))
        if theirs is not None and theirs.shape == features.shape:
            seen.feature_distance.append(torch.linalg.vector_norm(features.double() - theirs.cpu().double(), dim=1))
        done += len(features)
        yield features


def _of_pairs(seen: _Pass, encoder: str, protocol: str) -> list[Measurement]:
    collected = {"l1": seen.l1, "psnr": seen.psnr, "ssim": seen.ssim}
    units = {"l1": "of [-1, 1]", "psnr": "dB"}
    if seen.feature_distance:
        collected[f"feature_distance[{encoder}]"] = seen.feature_distance
    found = []
    for name, parts in collected.items():
        values = torch.cat(parts)
        if not bool(torch.isfinite(values).all()):
            reason = f"{name} is infinite: some outputs equal their targets"
            found.append(Measurement.absent(name, units.get(name, "1"), reason, len(values), protocol))
            continue
        mean = float(values.mean())
        reach = _Z90 * float(values.std()) / len(values) ** 0.5 if len(values) > 1 else None
        low, high = (mean - reach, mean + reach) if reach is not None else (None, None)
        unit, how = units.get(name, "1"), f"{protocol}; mean over images"
        found.append(Measurement(name, mean, unit, low, high, len(values), how))
    return found
