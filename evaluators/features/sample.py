"""Features of any number of images in bounded memory: all of them while they are few, else statistics and a subset.

Shapes: n images of a sample, K of them kept, d features.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...gan_models.files.errors import UserError
from ...gan_models.files.seeds import index_keys
from .statistics import FeatureStatistics, StatisticsAccumulator, merged

KEPT = 10_000  # images whose features are all kept: 80 MB at d = 2048
LARGE_GROUPS = 10  # of the jackknife beyond that; each one is d x d numbers


@dataclass(frozen=True, eq=False)
class FeatureSample:
    """One side of a comparison.

    Attributes:
        n: number of images.
        features: (K, d) in the images' order: of all images (K = n), or of a uniform subset that depends
            on nothing but n.
        groups: empty where all are kept; else statistics by group, image i in group i modulo their number.
    """

    n: int
    features: Tensor
    groups: tuple[FeatureStatistics, ...] = ()

    @property
    def whole(self) -> bool:
        """True if every image's features are kept."""
        return not self.groups

    @property
    def dimension(self) -> int:
        """The feature dimension d."""
        return self.features.shape[1]

    def side(self) -> Tensor | FeatureStatistics:
        """Return what a Fréchet distance takes: the features while they are all here, else the statistics."""
        return self.features if self.whole else merged(self.groups)

    def without(self, group: int, n_groups: int) -> Tensor | FeatureStatistics:
        """The same with one group of images left out, image i being in group i modulo `n_groups`.

        Raises:
            ValueError: other groups than those that the statistics were taken of.
        """
        if self.whole:
            return self.features[torch.arange(self.n) % n_groups != group]
        if n_groups != len(self.groups):
            raise ValueError(f"a sample of {self.n} images has {len(self.groups)} groups, not {n_groups}")
        return merged(part for g, part in enumerate(self.groups) if g != group)

    def statistics(self) -> FeatureStatistics:
        """Mean and covariance of all images."""
        side = self.side()
        if isinstance(side, FeatureStatistics):
            return side
        accumulator = StatisticsAccumulator()
        accumulator.add(side)
        return accumulator.result()


class SampleCollector:
    """Takes in batches of features; memory is bounded whatever the number of images.

    Args:
        kept: images up to which all features are kept; at least twice the number of groups.
    """

    def __init__(self, kept: int = KEPT) -> None:
        if kept < 2 * LARGE_GROUPS:
            raise ValueError(f"kept={kept} images are too few; use {2 * LARGE_GROUPS} or more")
        self._kept = kept
        self._parts: list[Tensor] = []
        self._indices = torch.empty(0, dtype=torch.long)
        self._groups = [StatisticsAccumulator() for _ in range(LARGE_GROUPS)]
        self._n = 0

    def add(self, features: Tensor) -> None:
        """Takes in features (n, d) of the next images."""
        indices = torch.arange(self._n, self._n + len(features))
        self._n += len(features)
        if self._n > self._kept:
            waiting = [(self._indices, self._parts)] if self._parts and len(self._indices) == indices[0] else []
            for there, parts in [*waiting, (indices, [features])]:
                self._to_groups(there, torch.cat(parts))
        self._parts.append(features.detach().cpu())
        self._indices = torch.cat((self._indices, indices))
        if self._n > self._kept:
            self._thin()

    def _to_groups(self, indices: Tensor, features: Tensor) -> None:
        for g, group in enumerate(self._groups):
            group.add(features[indices % LARGE_GROUPS == g])

    def _thin(self) -> None:
        """Keeps the images of the smallest keys: of whatever was seen, a uniform subset, batches notwithstanding."""
        chosen = index_keys(self._indices).argsort()[: self._kept].sort().values
        self._parts, self._indices = [torch.cat(self._parts)[chosen]], self._indices[chosen]

    def result(self) -> FeatureSample:
        """The sample. Raises ValueError where there was no image."""
        if not self._n:
            raise UserError("no images to take features of; the data's split is empty")
        groups = tuple(group.result() for group in self._groups) if self._n > self._kept else ()
        return FeatureSample(self._n, torch.cat(self._parts), groups)


def sample_of(batches: Iterable[Tensor], kept: int = KEPT) -> FeatureSample:
    """The sample of batches of features (n, d), such as `features.feature_batches` yields."""
    collector = SampleCollector(kept)
    for batch in batches:
        collector.add(batch)
    return collector.result()


def as_sample(features: Tensor | FeatureSample) -> FeatureSample:
    """Features (n, d) as a sample that keeps them all."""
    return features if isinstance(features, FeatureSample) else FeatureSample(len(features), features)
