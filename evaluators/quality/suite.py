"""A single pass over the data that updates every requested metric; it needs no study.

Shapes: n images per batch, N in total, d features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from ...gan_models.files.errors import UserError, WorkFailed
from ..features.encoders import Encoder, check_finite, feature_batches
from ..features.sample import SampleCollector, as_sample
from ..features.statistics import FeatureStatistics
from ..measurement import Measurement
from .catalog import Faults, MetricSet
from .distances import Real, check_real
from .metric import MeasuredMetric, RealSide

Generate = Callable[..., Tensor]
# The generator's inputs, and the image that its output should be; None if the task has no such image.
Batch = tuple[tuple[Tensor, ...], Tensor | None]
ToRGB = Callable[[Tensor, tuple[Tensor, ...]], Tensor]


def measure_quality(
    generate: Generate,
    batches: Iterable[Batch],
    encoder: Encoder,
    real_features: Real,
    *,
    device: torch.device | str = "cpu",
    aligned: bool = True,
    protocol: str = "test-vs-test",
    full: bool = True,
    metrics: MetricSet | None = None,
    real_images: Callable[[], Iterable[Tensor]] | None = None,
    rgb: ToRGB | None = None,
    strict: bool = False,
) -> list[Measurement]:
    """Measure a generator on data with all requested metrics.

    Args:
        generate: Function from inputs to images (n, C, H, W) in [-1, 1], already on `device`. An `nn.Module` runs in
            eval mode, and its modes are restored; any other callable is used as it is.
        batches: The generator's inputs, each a tuple of tensors, with references (n, C, H, W) or None.
        encoder: See `features.encoders.load_encoder`.
        real_features: Features (m, d) of the real images by the same encoder (`features.encoders.feature_batches`), a
            sample of them, or their statistics. With statistics there is no kernel distance and no coverage.
        device: The device of generator and encoder.
        aligned: True if the real features are those of the references in the same order, which intervals use. False if
            there are other real images, too (`test-vs-train+test`).
        protocol: The images that are compared, such as `test-vs-test`; part of every measurement.
        full: True if all metrics are measured, with intervals; False if only those cheap enough for a rung.
        metrics: The metrics, which store what they prepared for these real images. None for those of ganprune alone.
        real_images: Opens the real images themselves, for metrics that read more than their features.
        rgb: Function from images and their inputs to images (n, 3, H, W), which encoders and most metrics take. None if
            images are RGB.
        strict: True to raise the failure of any metric. False to raise only that of the quality; a user's metric that
            fails is then absent, with the reason.

    Returns:
        The Fréchet distance first: it is a trial's quality, and lower is better. Then `l1`, `psnr`, `ssim` and
        `feature_distance` if there are references, then kernel distance and coverage, then the metrics on request.
        Intervals are 90 %. The same inputs give the same numbers. Memory does not depend on the number of images (see
        `sample.py`); if not all features are stored, kernel distance and coverage are those of a subset, whose size is
        in their names.

    Raises:
        NonFiniteImages: The generator or the encoder returned NaN or infinity.
        ValueError: There is no batch, or sizes and dimensions do not fit.
    """
    batches = iter(batches)
    first = next(batches, None)
    references = first is not None and first[1] is not None
    ordered, aligned = aligned, aligned and references
    metrics = MetricSet() if metrics is None else metrics
    faults = Faults(metrics.objective, strict)
    real = RealSide(real_features, encoder, aligned, real_images, ordered)
    taken = metrics.prepared(real, references=references, full=full, faults=faults)
    one_pass = _Pass(taken, encoder, device, references, rgb or _unchanged, faults)
    known = real_features if aligned and isinstance(real_features, Tensor) else None
    with _evaluating(generate):
        one_pass.run(generate, () if first is None else chain([first], batches), known, encode_references=full)
    sample = one_pass.collector.result()
    check_real(sample, real_features, encoder, aligned)
    one_pass.feed("sample", sample, None)
    n_real = real_features.n if isinstance(real_features, FeatureStatistics) else as_sample(real_features).n
    protocol = (
        f"{protocol}; n_real={n_real}; images {one_pass.shape}; {encoder.preprocessing}; "
        f"encoder sha256 {encoder.sha256[:8]}"
    )
    return _all_measured(taken, protocol, faults, sample.n)


@dataclass
class _Pass:
    """A single pass over the data: outputs and their features are computed once, for all metrics."""

    metrics: Sequence[MeasuredMetric]
    encoder: Encoder
    device: torch.device | str
    references: bool
    rgb: ToRGB
    faults: Faults
    collector: SampleCollector = field(default_factory=SampleCollector)
    shape: tuple[int, ...] | None = None
    done: int = 0

    def run(
        self, generate: Generate, batches: Iterable[Batch], known_ND: Tensor | None, *, encode_references: bool
    ) -> None:
        """Update the metrics of images and of features with every batch.

        Args:
            generate: The generator.
            batches: Its inputs and their references.
            known_ND: The references' features in order, if they are known.
            encode_references: True to encode the references if they are not.
        """
        # One reference waits while its output is encoded: the encoder is moved and cuDNN set once per pass.
        waiting: list[Tensor | None] = [None]
        taken: list[tuple[Tensor, ...]] = [()]
        wanted = any(m.row.reads == "features" and m.row.needs_references for m in self.metrics)
        for features in feature_batches(self._outputs(generate, batches, waiting, taken), self.encoder, self.device):
            theirs, reference = None, waiting[0]
            if known_ND is not None:
                theirs = known_ND[self.done : self.done + len(features)]
            elif encode_references and wanted and reference is not None:
                theirs = next(feature_batches([reference], self.encoder, self.device))
            if theirs is None or theirs.shape == features.shape:
                self.feed("features", features, theirs, taken[0])
            self.collector.add(features)
            self.done += len(features)

    def feed(
        self, reads: str, outputs: Any, references: Any, inputs: Any = None, *, own_channels: bool = False
    ) -> None:
        """Update the metrics of one kind; those of images get the generator's channels, or RGB."""
        for m in self.metrics:
            if m.row.reads == reads and m.row.own_channels == own_channels and m.name not in self.faults.found:
                with self.faults.of(m):
                    m.update(outputs, references, inputs)

    def _outputs(
        self,
        generate: Generate,
        batches: Iterable[Batch],
        waiting: list[Tensor | None],
        taken_there: list[tuple[Tensor, ...]],
    ) -> Iterator[Tensor]:
        for inputs, reference in batches:
            if (reference is not None) != self.references:
                raise ValueError("outputs cannot be compared with their references: some batches have none")
            taken_there[0] = taken = tuple(x.to(self.device) for x in inputs)
            with torch.no_grad():
                images = generate(*taken).float()
            check_finite(images, self.done, "generator's output")
            if self.shape is None:
                self.shape = tuple(images.shape[1:])
            target = None if reference is None else reference.to(self.device)
            shown = self.rgb(images, taken)
            waiting[0] = None if target is None else self.rgb(target, taken)
            self.feed("images", images, target, taken, own_channels=True)
            self.feed("images", shown, waiting[0], taken)
            yield shown


def _unchanged(images: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
    return images


def _all_measured(metrics: Sequence[MeasuredMetric], protocol: str, faults: Faults, n: int) -> list[Measurement]:
    """Return the metrics' measurements, each with the pass's protocol before its own.

    Args:
        metrics: The metrics, updated with all images.
        protocol: Protocol of the pass.
        faults: Failures so far.
        n: Number of images.

    Raises:
        UserError: Two measurements have one name.
        WorkFailed: The objective has no number.
    """
    found: dict[str, Measurement] = {}
    for each in metrics:
        measured: list[Measurement] = []
        if each.name not in faults.found:
            with faults.of(each):
                measured = each.compute()
        if error := faults.found.get(each.name):
            measured = [each.absent(error, n)]
        if not measured and each.name == faults.objective:
            raise WorkFailed(
                f"the quality is unknown, because metric {faults.objective!r} gave no number: got {n} images; expected "
                "more. Try --n-eval 0"
            )
        for m in measured:
            if m.name in found:
                raise UserError(
                    f"metric {each.name!r} measures {m.name!r}, which another metric has measured already: got two "
                    "numbers of one name; expected one. Try another name"
                )
            found[m.name] = replace(m, protocol=f"{protocol}; {m.protocol}" if m.protocol else protocol)
    return list(found.values())


@contextmanager
def _evaluating(generate: object) -> Iterator[None]:
    """Set eval mode inside the context; the mode of every submodule is restored."""
    modes = {m: m.training for m in generate.modules()} if isinstance(generate, nn.Module) else {}
    for module in modes:
        module.training = False
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
