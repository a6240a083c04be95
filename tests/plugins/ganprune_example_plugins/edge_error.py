"""A metric: the mean difference of edges between outputs and their references."""

from __future__ import annotations

from ganprune.evaluators.quality.metric import MetricSpec
from ganprune.evaluators.quality.reference_based import MeanOverImages
from torch import Tensor


class EdgeError(MeanOverImages):
    """The mean absolute difference of horizontal and vertical differences of neighboring pixels."""

    name, unit = "edge_error", "of [-1, 1]"

    def values(self, outputs: Tensor, references: Tensor) -> Tensor:
        """Return one number per image, (N,)."""
        gaps = [(outputs.diff(dim=d) - references.diff(dim=d)).abs().flatten(1).mean(1) for d in (-1, -2)]
        return (gaps[0] + gaps[1]) / 2


EDGE_ERROR = MetricSpec(EdgeError, needs_references=True, cheap=True, note="difference of edges to the reference")
