"""Everything that is measured of a generator's images, in one pass over the data; needs no study.

Shapes: n images of a batch, N of all, d features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .coverage import coverage_of
from .features import Encoder, NonFiniteImages, check_finite, features_of
from .frechet import frechet_distance, frechet_to_statistics
from .intervals import Estimate, group_jackknife
from .kid import kernel_distance
from .measurement import Measurement, frechet_name, kernel_name
from .paired import l1_of, psnr_of, ssim_of
from .statistics import FeatureStatistics

# Large sides cost seconds a distance: fewer groups there keep an interval within a minute or so.
_GROUPS, _GROUPS_WHEN_LARGE, _LARGE = 20, 10, 4_000_000
_Z90 = 1.6448536269514722
_K = 5


@dataclass
class _Pass:
    """What one pass over the data collects beside the features."""

    l1: list[Tensor]
    psnr: list[Tensor]
    ssim: list[Tensor]
    first_shape: tuple[int, ...] | None = None


def measure_quality(
    generate: Callable[[Tensor], Tensor],
    batches: Iterable[Mapping[str, Tensor]],
    encoder: Encoder,
    real_features: Tensor | FeatureStatistics,
    *,
    device: torch.device | str = "cpu",
    paired: bool = False,
    input_key: str = "input",
    target_key: str = "target",
    protocol: str = "test-vs-test",
    interval: bool = True,
    details: bool = True,
) -> list[Measurement]:
    """Measures a generator on data.

    Args:
        generate: inputs (n, ...) to images (n, 3, H, W) in [-1, 1]. An `nn.Module` runs in eval mode and gets
            its modes back; any other callable is used as it is. It has to be on `device` already.
        batches: dictionaries of tensors; `input_key` is what the generator eats (images or latents).
        encoder: see `features.load_encoder`.
        real_features: features (m, d) of the real images by the same encoder (`features_of`; the caller may
            keep them), or their statistics, with which there is no kernel distance and no coverage.
        device: where generator and encoder run.
        paired: `target_key` is the image that the input should have become. Adds L1, PSNR and SSIM; the real
            features have to be those of the targets in the same order, and intervals use that.
        input_key: key of the inputs.
        target_key: key of the targets.
        protocol: which images are compared, such as `test-vs-test`; goes into every measurement.
        interval: whether to give the Fréchet distance its interval (40 more distances).
        details: whether to add kernel distance, precision, recall, density and coverage.

    Returns:
        The Fréchet distance first: it is THE quality, lower is better. Then `l1`, `psnr`, `ssim` if paired,
        then the details. Intervals are 90 %. The same inputs give the same numbers.

    Raises:
        NonFiniteImages: the generator or the encoder gave NaN or infinity.
        KeyError: a batch lacks a key.
        ValueError: no batch, or sizes and dimensions that do not fit.
    """
    seen = _Pass([], [], [])
    with _evaluating(generate):
        outputs = _outputs(generate, batches, device, input_key, target_key if paired else None, seen)
        features = features_of(outputs, encoder, device)
    _check_real(features, real_features, encoder, paired)
    n_real = real_features.n if isinstance(real_features, FeatureStatistics) else len(real_features)
    protocol = (
        f"{protocol}; n_real={n_real}; images {seen.first_shape}; {encoder.preprocessing}; "
        f"encoder sha256 {encoder.sha256[:8]}"
    )
    found = [_frechet(features, real_features, encoder.name, paired, interval, protocol)]
    if paired:
        found += _of_pairs(seen, protocol)
    if details and isinstance(real_features, Tensor):
        found += _of_features(features, real_features, encoder.name, protocol)
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
    generate: Callable[[Tensor], Tensor],
    batches: Iterable[Mapping[str, Tensor]],
    device: torch.device | str,
    input_key: str,
    target_key: str | None,
    seen: _Pass,
) -> Iterator[Tensor]:
    done = 0
    for batch in batches:
        for key in (input_key, target_key):
            if key is not None and key not in batch:
                raise KeyError(f"a batch has the keys {', '.join(sorted(batch))}, but {key!r} is needed")
        with torch.no_grad():
            images = generate(batch[input_key].to(device)).float()
        check_finite(images, done, "generator's output")
        if seen.first_shape is None:
            seen.first_shape = tuple(images.shape[1:])
        if target_key is not None:
            target = batch[target_key].to(device)
            seen.l1.append(l1_of(images, target).cpu())
            seen.psnr.append(psnr_of(images, target).cpu())
            seen.ssim.append(ssim_of(images, target).cpu())
        done += len(images)
        yield images


def _check_real(features: Tensor, real: Tensor | FeatureStatistics, encoder: Encoder, paired: bool) -> None:
    dimension = real.dimension if isinstance(real, FeatureStatistics) else real.shape[-1]
    if dimension != features.shape[1]:
        raise ValueError(
            f"real features have dimension {dimension}, encoder {encoder.name!r} gives {features.shape[1]}; "
            "take both with the same encoder"
        )
    if isinstance(real, Tensor) and not bool(torch.isfinite(real).all()):
        raise NonFiniteImages("the real images' features are not finite")
    if paired and isinstance(real, Tensor) and len(real) != len(features):
        raise ValueError(
            f"paired data: {len(features)} outputs and features of {len(real)} real images; "
            "the real features have to be those of the targets, in order"
        )


def _frechet(
    features: Tensor,
    real: Tensor | FeatureStatistics,
    encoder: str,
    paired: bool,
    interval: bool,
    protocol: str,
) -> Measurement:
    n = len(features)
    estimate: Estimate | None = None
    if isinstance(real, FeatureStatistics):
        value = frechet_to_statistics(features, real)
        if interval and n >= 4:
            groups = _GROUPS_WHEN_LARGE if real.dimension**2 >= _LARGE else _GROUPS
            estimate = group_jackknife(lambda a: frechet_to_statistics(a, real), (features,), None, groups)
    else:
        value = frechet_distance(features, real)
        if interval and min(n, len(real)) >= 4:
            side = min(max(n, len(real)), features.shape[1])
            groups = _GROUPS_WHEN_LARGE if side**2 >= _LARGE else _GROUPS
            tied = ((0, 1),) if paired else ((0,), (1,))
            estimate = group_jackknife(frechet_distance, (features, real), tied, groups)
    low, high = (max(estimate.low, 0.0), estimate.high) if estimate else (None, None)
    how = "; interval of E[distance at this n], delete-a-group jackknife" if estimate else ""
    return Measurement(frechet_name(encoder, n), value, "1", low, high, n, protocol + how)


def _of_pairs(seen: _Pass, protocol: str) -> list[Measurement]:
    units = {"l1": "of [-1, 1]", "psnr": "dB", "ssim": "1"}
    found = []
    for name, parts in (("l1", seen.l1), ("psnr", seen.psnr), ("ssim", seen.ssim)):
        values = torch.cat(parts)
        if not bool(torch.isfinite(values).all()):
            reason = f"{name} is infinite: some outputs equal their targets"
            found.append(Measurement.absent(name, units[name], reason, len(values), protocol))
            continue
        mean = float(values.mean())
        reach = _Z90 * float(values.std()) / len(values) ** 0.5 if len(values) > 1 else None
        low, high = (mean - reach, mean + reach) if reach is not None else (None, None)
        found.append(Measurement(name, mean, units[name], low, high, len(values), f"{protocol}; mean over images"))
    return found


def _of_features(features: Tensor, real: Tensor, encoder: str, protocol: str) -> list[Measurement]:
    n = len(features)
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
