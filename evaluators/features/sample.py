"""Features of any number of images in bounded memory: all features of few images, else statistics and a subset.

Shapes: n images per sample, K images whose features are stored, d features.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ...gan_models.files.errors import UserError
from ...gan_models.files.seeds import index_keys
from .statistics import FeatureStatistics, StatisticsAccumulator, merged

MAX_STORED_IMAGES = 10_000  # maximum number of images whose features are all stored: 80 MB at d = 2048
LARGE_GROUPS = 10  # groups of the jackknife above that; each stores d x d numbers


@dataclass(frozen=True, eq=False)
class FeatureSample:
    """Features of the generated or of the real images of a comparison.

    Attributes:
        n: Number of images.
        features: (K, d) in the images' order: of all images (K = n), or of a uniform subset that depends only on n.
        groups: Empty if all features are stored; else statistics per group, image i in group i modulo their number.
    """

    n: int
    features: Tensor
    groups: tuple[FeatureStatistics, ...] = ()

    @property
    def whole(self) -> bool:
        """True if the features of all images are stored."""
        return not self.groups

    @property
    def dimension(self) -> int:
        """The feature dimension d."""
        return self.features.shape[1]

    def side(self) -> Tensor | FeatureStatistics:
        """Return the input of a Fréchet distance: all features if they are stored, else the statistics."""
        return self.features if self.whole else merged(self.groups)

    def without(self, group: int, n_groups: int) -> Tensor | FeatureStatistics:
        """Return features or statistics without one group of images; image i is in group i modulo `n_groups`.

        Raises:
            ValueError: The statistics were taken with another number of groups.
        """
        if self.whole:
            return self.features[torch.arange(self.n) % n_groups != group]
        if n_groups != len(self.groups):
            raise ValueError(
                f"a sample of {self.n} images has other groups: got {n_groups}; expected {len(self.groups)}"
            )
        return merged(part for g, part in enumerate(self.groups) if g != group)

    def statistics(self) -> FeatureStatistics:
        """Return the mean and covariance of all images' features."""
        side = self.side()
        if isinstance(side, FeatureStatistics):
            return side
        accumulator = StatisticsAccumulator()
        accumulator.add(side)
        return accumulator.result()


class SampleCollector:
    """A collector of batches of features; its memory is bounded regardless of the number of images.

    Args:
        kept: Maximum number of images whose features are all stored; at least twice the number of groups.
    """

    def __init__(self, kept: int = MAX_STORED_IMAGES) -> None:
        if kept < 2 * LARGE_GROUPS:
            raise ValueError(f"too few images are stored: got kept={kept}; expected {2 * LARGE_GROUPS} or more")
        self._kept = kept
        self._parts: list[Tensor] = []
        self._indices = torch.empty(0, dtype=torch.long)
        self._groups = [StatisticsAccumulator() for _ in range(LARGE_GROUPS)]
        self._n = 0

    def add(self, features: Tensor) -> None:
        """Add the features (n, d) of the next images."""
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
        """Drop all images but those of the smallest keys: a uniform subset so far, regardless of the batches."""
        chosen = index_keys(self._indices).argsort()[: self._kept].sort().values
        self._parts, self._indices = [torch.cat(self._parts)[chosen]], self._indices[chosen]

    def result(self) -> FeatureSample:
        """Return the sample. Raises ValueError if there was no image."""
        if not self._n:
            raise UserError("there are no images to encode: got an empty split of the data; expected at least 1 image")
        groups = tuple(group.result() for group in self._groups) if self._n > self._kept else ()
        return FeatureSample(self._n, torch.cat(self._parts), groups)


def sample_of(batches: Iterable[Tensor], kept: int = MAX_STORED_IMAGES) -> FeatureSample:
    """Return the sample of batches of features (n, d), such as `features.feature_batches` yields."""
    collector = SampleCollector(kept)
    for batch in batches:
        collector.add(batch)
    return collector.result()


def as_sample(features: Tensor | FeatureSample) -> FeatureSample:
    """Return features (n, d) as a sample that stores them all."""
    return features if isinstance(features, FeatureSample) else FeatureSample(len(features), features)
