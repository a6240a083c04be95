"""All features of images at once, and their statistics: what the evaluators do batch by batch."""

from collections.abc import Iterable

import torch
from ganprune.evaluators.features.encoders import Encoder, feature_batches
from ganprune.evaluators.features.statistics import FeatureStatistics, StatisticsAccumulator
from torch import Tensor


def features_of(images: Iterable[Tensor], encoder: Encoder, device: torch.device | str = "cpu") -> Tensor:
    """Return all features (N, d), in the images' order."""
    return torch.cat(list(feature_batches(images, encoder, device)))


def statistics_of(batches: Iterable[Tensor]) -> FeatureStatistics:
    """Return the statistics of batches of features (n, d)."""
    accumulator = StatisticsAccumulator()
    for batch in batches:
        accumulator.add(batch)
    return accumulator.result()
