"""Distances per class, of a generator that receives a class: which classes a small generator loses first.

The kernel distance is taken, for it is unbiased at any number of images: classes of few and of many can be compared.

Shapes: N images of all, d features.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..features.sample import MAX_STORED_IMAGES, as_sample
from ..features.statistics import FeatureStatistics
from ..measurement import Measurement
from .distances import kernel_measurement
from .metric import RealSide

MIN_IMAGES_PER_CLASS = 10  # images of a class


class ClassDistances:
    """The kernel distance between outputs of a class and the real images of it.

    It gives nothing for generators without a class, for real images that are others than those of the outputs' labels,
    beyond the images whose features are all kept, and for classes of fewer than 10 images.

    Args:
        class_label: Place of the class among the generator's inputs, and how many classes there are; None without one.
    """

    def __init__(self, class_label: tuple[int, int] | None = None) -> None:
        self._label = class_label
        self._real: RealSide | None = None
        self.reset(True)

    def prepare(self, real: RealSide) -> None:
        """Take in the real images' features."""
        self._real = real

    def reset(self, full: bool) -> None:
        """Forget the last pass."""
        self._features: list[Tensor] = []
        self._labels: list[Tensor] = []

    def update(self, outputs: Tensor, references: Tensor | None, inputs: tuple[Tensor, ...]) -> None:
        """Take in features (n, d) and the inputs that the images were made of."""
        if self._label is not None and sum(map(len, self._labels)) <= MAX_STORED_IMAGES:
            self._features.append(outputs.cpu())
            self._labels.append(inputs[self._label[0]].cpu())

    def compute(self) -> list[Measurement]:
        """Return a distance per class."""
        if self._label is None or self._real is None or not self._real.ordered or not self._labels:
            return []
        if isinstance(self._real.features, FeatureStatistics):
            return []
        real, labels = as_sample(self._real.features), torch.cat(self._labels)
        if not real.whole or real.n != len(labels):
            return []
        features, encoder, found = torch.cat(self._features), self._real.encoder.name, list[Measurement]()
        for label in range(self._label[1]):
            own = labels == label
            if int(own.sum()) >= MIN_IMAGES_PER_CLASS:
                sample = as_sample(features[own])
                found += kernel_measurement(sample, real.features[own], f"{encoder},class={label}", f"class {label}")
        return found
