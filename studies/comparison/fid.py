"""The command `ganprune fid` in Python: the distance of images from real ones.

Shapes: N images, d features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...evaluators.features.encoders import Encoder, check_finite, feature_batches
from ...evaluators.features.sample import FeatureSample, sample_of
from ...evaluators.features.statistics import FeatureStatistics
from ...evaluators.measurement import Measurement, frechet_name, kernel_name
from ...evaluators.quality.distances import details_of, frechet_measurement
from ...evaluators.quality.fid_infinity import extrapolated_frechet
from ...evaluators.quality.frechet import frechet_between
from ...evaluators.quality.kid import kernel_distance_of_subsets
from ...evaluators.quality.suite import measure_quality
from ...gan_models.files.errors import UserError
from .image_sources import (
    Generate,
    Inputs,
    bundle_inputs,
    device_of,
    files_batches,
    files_features,
    generator_of,
    kind_of,
    statistics_file,
    study_trials,
)
from .measure_options import FidOptions, MeasureOptions
from .recognized_weights import RecognizedWeights

Features = FeatureSample | FeatureStatistics
GENERATORS = ("bundle", "weights")  # kinds of sources with a generator, which take data as inputs
Z90 = 1.6448536269514722


@dataclass(frozen=True)
class QualityFound:
    """A distance with its context.

    Attributes:
        a, b: The compared sources, as given.
        n_generated, n_real: Number of generated and real images; None if a file does not state it.
        measurements: The Fréchet distance first.
    """

    a: str
    b: str
    n_generated: int | None
    n_real: int | None
    measurements: tuple[Measurement, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "a": self.a,
            "b": self.b,
            "n_generated": self.n_generated,
            "n_real": self.n_real,
            "measurements": [m.to_json() for m in self.measurements],
        }


def measure_fid(a: str, b: str, options: FidOptions) -> QualityFound:
    """Measure the distance of A's images to B's.

    Args:
        a: A folder of images, an `.npz`, a bundle, weights with a recognized network (`spandrel:FILE`), or a trial
            (`STUDY:3`).
        b: The real images: a folder or an `.npz`; for a bundle, the data of its inputs and of the comparison. Empty for
            a trial: its study's data.
        options: Options; with `save`, the real images' statistics are written in pytorch-fid's format.

    Raises:
        ValueError: A source cannot be measured; the message lists those that can.
    """
    save = Path(options.save) if options.save else None
    _check_target(save)
    device, kind = device_of(options.device), kind_of(a)
    if kind == "trial":
        trials = study_trials([a], options.storage, options.artifacts, options.network, options.device)
        encoder, inputs, generate = options.own_encoder(trials.bench), trials.inputs, trials.generators[a]
    elif kind in GENERATORS:
        encoder = options.encoder()
        generate, inputs = network_of(a, device, options), inputs_for(a, b, encoder, device, options)
    else:
        encoder, generate, inputs = options.encoder(), None, None
        if not b:
            raise UserError(
                "there is nothing to compare the images with: expected a second source. Try `ganprune fid A B`"
            )
    check_metrics(options, inputs)
    real = real_side(b, encoder, device, options, inputs)
    if generate is not None and inputs is not None:
        return _of_generator(a, b or inputs.data, generate, encoder, device, inputs, real, options)
    generated = _files_or_statistics(a, encoder, device, options)
    protocol = protocol_text(f"{kind}-vs-{kind_of(b)}", encoder, real)
    if isinstance(generated, FeatureStatistics):
        if options.also_measure:
            raise UserError(
                f"--also-measure needs images: got only statistics in {a}; expected the folder of the images."
            )
        name = frechet_name(encoder.name, generated.n or 0).replace("n=0", "n=unknown")
        value = frechet_between(generated, real if isinstance(real, FeatureStatistics) else real.statistics())
        how = f"{protocol}; from statistics, no interval"
        found = [Measurement(name, value, "1", n=generated.n, protocol=how, better="lower")]
    else:
        found = [frechet_measurement(generated, real, encoder.name, protocol)]
        found += _extra(generated, real, encoder, protocol, options)
        found += _details(generated, real, encoder, protocol)
        if options.also_measure:
            known = {m.name for m in found}
            found += [m for m in folder_measured(a, b, encoder, device, options, real) if m.name not in known]
    _save(real, save)
    return QualityFound(a, b, generated.n, real.n, tuple(found))


def _of_generator(
    a: str,
    b: str,
    generate: Generate,
    encoder: Encoder,
    device: torch.device,
    inputs: Inputs,
    real: Features,
    options: FidOptions,
) -> QualityFound:
    found = generator_measured(generate, b, encoder, device, inputs, real, options)
    if options.extrapolate or options.kid_subset:
        generated = output_features(generate, inputs, encoder, device)
        found[1:1] = _extra(generated, real, encoder, found[0].protocol.partition("; interval")[0], options)
    _save(real, Path(options.save) if options.save else None)
    return QualityFound(a, b, found[0].n, real.n, tuple(found))


def check_metrics(options: MeasureOptions, inputs: Inputs | None) -> None:
    """Raise UserError for a metric that cannot be measured here, before any measurement.

    Args:
        options: Options with the requested metrics.
        inputs: Inputs of generators; None if only folders are compared.
    """
    if inputs is None:
        options.metrics(references=False)
    else:
        options.metrics(inputs.paired, inputs.weights)


def generator_measured(
    generate: Generate,
    b: str,
    encoder: Encoder,
    device: torch.device,
    inputs: Inputs,
    real: Features,
    options: MeasureOptions,
) -> list[Measurement]:
    """Return all metrics of a generator's outputs, including requested ones."""
    own = real is inputs.real
    return measure_quality(
        generate,
        inputs.batches(),
        encoder,
        real.features if isinstance(real, FeatureSample) and real.whole else real,
        device=device,
        aligned=own and inputs.aligned,
        protocol=inputs.protocol if own else f"test inputs of {inputs.data} vs {b}",
        metrics=options.metrics(inputs.paired, inputs.weights, inputs.told_of_task),
        real_images=inputs.real_images if own else images_of(b, options),
        rgb=inputs.rgb,
    )


def folder_measured(
    source: str,
    real_source: str,
    encoder: Encoder,
    device: torch.device,
    options: MeasureOptions,
    real: Features,
    real_images: Callable[[], Iterator[Tensor]] | None = None,
) -> list[Measurement]:
    """Return all metrics of a folder's images, including requested ones.

    `real_images` opens the real images if they are those of a generator's data; None: they are those of `real_source`.
    """
    return measure_quality(
        lambda images: images,
        (((images,), None) for images in files_batches(source, options.workers)()),
        encoder,
        real.features if isinstance(real, FeatureSample) and real.whole else real,
        device=device,
        aligned=False,
        protocol=f"images-vs-{kind_of(real_source)}" if real_source else "images-vs-real",
        metrics=options.metrics(references=False),
        real_images=real_images or images_of(real_source, options),
    )


def images_of(source: str, options: MeasureOptions) -> Callable[[], Iterator[Tensor]] | None:
    """Return a function that opens real images; None if there are none or only statistics."""
    return files_batches(source, options.workers) if source and kind_of(source) == "images" else None


def _extra(
    generated: FeatureSample, real: Features, encoder: Encoder, protocol: str, options: FidOptions
) -> list[Measurement]:
    """Measure the requested extras: the distance at infinite n, the kernel distance over subsets."""
    found = _at_infinity(generated, real, encoder, protocol) if options.extrapolate else []
    if options.kid_subset:
        if not isinstance(real, FeatureSample):
            raise UserError("a kernel distance needs the real images: got their statistics. Try omitting --kid-subset")
        kernel = kernel_distance_of_subsets(generated.features, real.features, options.kid_subset)
        name = kernel_name(encoder.name, len(generated.features)).replace("]", f",subset={options.kid_subset}]")
        reach = Z90 * kernel.standard_error
        how = f"{protocol}; {kernel.how}, spread over subsets"
        low, high = kernel.value - reach, kernel.value + reach
        found.append(Measurement(name, kernel.value, "1", low, high, generated.n, how, better="lower"))
    return found


def _details(generated: FeatureSample, real: Features, encoder: Encoder, protocol: str) -> list[Measurement]:
    return details_of(generated, real, encoder.name, protocol) if isinstance(real, FeatureSample) else []


def _at_infinity(generated: FeatureSample, real: Features, encoder: Encoder, protocol: str) -> list[Measurement]:
    estimate = extrapolated_frechet(generated, real)
    name = frechet_name(encoder.name, 0).replace("n=0", "n=inf")
    how = f"{protocol}; extrapolated in 1/n from n={generated.n}, delete-a-group jackknife"
    return [Measurement(name, estimate.value, "1", estimate.low, estimate.high, generated.n, how, better="lower")]


def inputs_for(source: str, b: str, encoder: Encoder, device: torch.device, options: MeasureOptions) -> Inputs:
    """Return the inputs of a bundle or recognized weights: from `--data`, or from B if B is data."""
    data = options.data or ("" if b.endswith(".npz") else b)
    if not data:
        raise UserError(f"{source} is a generator without inputs: expected --data. Try --data builtin:shapes")
    given = data, encoder, device, options.protocol, options.direction, options.n_eval
    if kind_of(source) == "weights":
        return RecognizedWeights(source).inputs(*given)
    return bundle_inputs(source, *given, options.catalog_only)


def network_of(source: str, device: torch.device, options: MeasureOptions) -> nn.Module:
    """Return the generator of a bundle, or of recognized weights."""
    if kind_of(source) == "weights":
        return RecognizedWeights(source).network(device)
    return generator_of(source, device, options.catalog_only)


def real_side(
    source: str, encoder: Encoder, device: torch.device, options: MeasureOptions, inputs: Inputs | None
) -> Features:
    """Return the real images' features: those of the inputs' data, unless others are given."""
    if inputs is not None and (not source or source == inputs.data):
        return inputs.real
    return _files_or_statistics(source, encoder, device, options)


def _files_or_statistics(source: str, encoder: Encoder, device: torch.device, options: MeasureOptions) -> Features:
    kind = kind_of(source)
    if kind == "statistics":
        return statistics_file(source, encoder)
    if kind == "images":
        return files_features(source, encoder, device, options.workers)
    raise UserError(
        f"real images have the wrong kind: got {source}, a {kind}; expected a folder of images or an .npz of statistics"
    )


def output_features(generate: Generate, inputs: Inputs, encoder: Encoder, device: torch.device) -> FeatureSample:
    """Return the features of a generator's outputs. Raises NonFiniteImages for NaN or infinity."""

    def images() -> Iterator[Tensor]:
        done = 0
        for batch, _ in inputs.batches():
            taken = tuple(x.to(device) for x in batch)
            with torch.no_grad():
                made = generate(*taken).float()
            check_finite(made, done, "generator's output")
            done += len(made)
            yield inputs.rgb(made, taken)

    return sample_of(feature_batches(images(), encoder, device))


def protocol_text(name: str, encoder: Encoder, real: Features) -> str:
    """Return the protocol's text for a measurement."""
    n = "unknown" if real.n is None else real.n
    return f"{name}; n_real={n}; {encoder.preprocessing}; encoder sha256 {encoder.sha256[:8]}"


def _check_target(path: Path | None) -> None:
    """Check, before any work, that a file can be written at a path."""
    if path is not None and not path.parent.is_dir():
        raise UserError(f"--save {path}: the folder {path.parent.absolute()} does not exist. Try to create it first")
    if path is not None and path.is_dir():
        raise UserError(f"--save {path} is a folder: expected a file")


def _save(real: Features, path: Path | None) -> None:
    if path is not None:
        (real.statistics() if isinstance(real, FeatureSample) else real).save(path)
