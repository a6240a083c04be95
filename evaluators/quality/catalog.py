"""Metrics by name, in the order in which they are reported. Imports no torch.

The first row is a study's quality, unless the study names another objective. The others are also measured in every
trial that they apply to, except those on request. Those, rows of other packages, and a user's own are measured if a
study asks for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...gan_models.files.errors import UserError, WorkFailed
from ...gan_models.files.open_table import OpenTable
from ...gan_models.files.user_code import UserCodeFailed, tolerate
from .metric import MeasuredMetric, MetricSpec, RealSide, spec_of

METRICS: OpenTable[MetricSpec] = OpenTable(
    "metric",
    {
        "frechet": MetricSpec(
            ".distances:FrechetMetric",
            "sample",
            cheap=True,
            note="Fréchet distance between features: FID in Inception's",
        ),
        "l1": MetricSpec(
            ".reference_based:L1",
            needs_references=True,
            cheap=True,
            note="mean absolute difference to the reference",
            own_channels=True,
        ),
        "psnr": MetricSpec(
            ".reference_based:PSNR",
            lower_is_better=False,
            needs_references=True,
            cheap=True,
            note="peak signal-to-noise ratio to the reference, in dB",
            takes=("border",),
            own_channels=True,
        ),
        "ssim": MetricSpec(
            ".reference_based:SSIM",
            lower_is_better=False,
            needs_references=True,
            cheap=True,
            note="structural similarity to the reference",
            takes=("border",),
            own_channels=True,
        ),
        "psnr_y": MetricSpec(
            ".reference_based:psnr_y",
            lower_is_better=False,
            needs_references=True,
            cheap=True,
            note="psnr of the luma (Y of BT.601), as tables of super-resolution have it",
            takes=("border",),
            on_request=True,
        ),
        "ssim_y": MetricSpec(
            ".reference_based:ssim_y",
            lower_is_better=False,
            needs_references=True,
            cheap=True,
            note="ssim of the luma, likewise",
            takes=("border",),
            on_request=True,
        ),
        "feature_distance": MetricSpec(
            ".distances:FeatureDistance",
            "features",
            needs_references=True,
            cheap=True,
            note="distance between an output's features and its reference's",
        ),
        "kernel": MetricSpec(
            ".distances:KernelMetric", "sample", note="kernel distance of features: KID in Inception's"
        ),
        "prdc": MetricSpec(
            ".distances:CoverageMetric",
            "sample",
            lower_is_better=False,
            note="precision, recall, density and coverage of features",
        ),
        "class_distances": MetricSpec(
            ".class_distances:ClassDistances",
            "features",
            note="kernel distance of features per class, of generators with a class input",
            takes=("class_label",),
            with_inputs=True,
        ),
        "inception_score": MetricSpec(
            ".learned.class_score:InceptionScore",
            "features",
            lower_is_better=False,
            cheap=True,
            note="Inception Score, by the classes of the encoder inception",
            on_request=True,
            fewest=20,
        ),
        "class_score": MetricSpec(
            ".learned.class_score:ClassScore",
            "features",
            lower_is_better=False,
            cheap=True,
            note="the same score by the classes of another encoder, under its name",
            on_request=True,
            fewest=20,
        ),
        "lpips": MetricSpec(
            ".learned.lpips:lpips_alex",
            needs_references=True,
            weights=("lpips", "alex"),
            note="learned perceptual distance to the reference, by AlexNet",
            on_request=True,
        ),
        "lpips_vgg": MetricSpec(
            ".learned.lpips:lpips_vgg",
            needs_references=True,
            weights=("lpips_vgg", "vgg"),
            note="the same by VGG-16",
            on_request=True,
        ),
        "miou": MetricSpec(
            ".learned.mean_iou:MeanIoU",
            lower_is_better=False,
            needs_references=True,
            weights=("segmenter",),
            note="mean intersection over union, by a segmenter of yours",
            takes=("label_map",),
            on_request=True,
            with_inputs=True,
        ),
    },
    group="ganprune.metrics",
    row_type=MetricSpec,
    adopt=spec_of,
)


@dataclass
class Faults:
    """Failures of metrics in one pass: the quality's ends it, any other metric is left out with the reason.

    Attributes:
        objective: The metric that is the quality; empty for the first row.
        strict: Every failure ends the pass.
        found: Metric -> its failure.
    """

    objective: str = ""
    strict: bool = False
    found: dict[str, UserError | WorkFailed] = field(default_factory=dict)

    @contextmanager
    def of(self, metric: MeasuredMetric) -> Iterator[None]:
        """Run a step of a metric, and note its failure if that ends nothing."""
        try:
            yield
        except (UserError, WorkFailed) as error:
            needed = self.strict or metric.name == self.objective
            if needed or not (metric.own or (metric.row.on_request and isinstance(error, UserCodeFailed))):
                raise
            self.found[metric.name] = error
            tolerate(error)


class MetricSet:
    """The metrics of a study, the quality first; what they prepare for its real images is reused by all passes.

    Args:
        also: Names of rows on request or of other packages, or classes by path, to be measured besides the usual ones.
        weights: Paths of weight files by name.
        of_task: The task's facts about its comparisons: `border`.
        objective: Name of the row, or class or function by path, that is the quality: measured first and at rungs, too.
            Empty: the first row.
        usual: Also measure the rows of ganprune that are not on request.

    Raises:
        UserError: A name is unknown, or a metric's weights are not given.
    """

    def __init__(
        self,
        also: Sequence[str] = (),
        weights: Mapping[str, Path] | None = None,
        of_task: Mapping[str, Any] | None = None,
        objective: str = "",
        *,
        usual: bool = True,
    ) -> None:
        self.objective = objective
        ours = [name for name, row in METRICS.own.items() if (usual and not row.on_request) or name in also]
        first = (objective,) if objective else ()
        rows = {name: METRICS.find(name) for name in dict.fromkeys((*first, *ours, *also))}
        self.metrics = tuple(
            MeasuredMetric(name, row, row.build(name, weights, of_task), own=name not in METRICS.own)
            for name, row in rows.items()
        )
        self._prepared: dict[str, RealSide] = {}

    def prepared(
        self, real: RealSide, *, references: bool, full: bool, faults: Faults | None = None
    ) -> tuple[MeasuredMetric, ...]:
        """Return the metrics of one pass, prepared and reset.

        Args:
            real: The real images.
            references: True if each output has its own reference.
            full: True if all metrics are measured; False if only the cheap ones.
            faults: Collects the failures of metrics other than the quality; None: they are raised.

        Raises:
            UserError: The objective compares each output with its own reference, and there is none.
        """
        taken = [
            m
            for m in self.metrics
            if (references or not m.row.needs_references) and (full or m.row.cheap or m.name == self.objective)
        ]
        if self.objective and not any(m.name == self.objective for m in taken):
            raise UserError(
                f"metric {self.objective!r} compares each output with its reference: got a task without references; "
                "expected a metric of images alone. Try --metric auto"
            )
        faults = faults or Faults(self.objective, strict=True)
        for m in taken:
            with faults.of(m):
                before = self._prepared.get(m.name)
                if before is None or not before.same(real):
                    m.prepare(real)
                    self._prepared[m.name] = real
                m.reset(full)
        return tuple(taken)
