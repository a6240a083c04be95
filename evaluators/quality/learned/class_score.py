"""The Inception Score, and the same number of another classifier under that classifier's name.

    exp(mean over images of KL(p(class | image) || p(class)))                              (Salimans et al. 2016)

The minimum is 1: every image has the same class probabilities. The maximum is the number of classes: each image is
certainly of one class, and all classes are equally frequent. As published, images are divided into 10 splits, and the
number is the mean over splits; it depends on their size. Image i is in split i modulo 10, so that the order of a
folder's classes does not matter, and memory does not grow with the number of images.

torch-fidelity's version fixes the classifier, and stores all probabilities.

Shapes: n images per batch, N in total, K classes, S splits.
"""

from __future__ import annotations

from typing import Protocol, cast

import torch
from torch import Tensor

from ....gan_models.files.errors import UserError
from ...features.encoders import Encoder
from ...measurement import Measurement, class_score_name
from ..jackknife import group_jackknife
from ..metric import RealSide

SPLITS = 10
MIN_IMAGES = 2 * SPLITS  # with one image per split the score is 1, whatever the image


class Classifier(Protocol):
    """An encoder that also classifies."""

    name: str

    def class_scores(self, features: Tensor) -> Tensor:
        """Return scores of classes (n, K), before a softmax, of features (n, d) on the CPU."""
        ...


class ScoreSums:
    """Sums over images from which class scores follow, per split.

    Args:
        splits: S; image i is in split i modulo S.
    """

    def __init__(self, splits: int = SPLITS) -> None:
        self.splits, self.n = splits, 0
        self._probabilities: Tensor | None = None
        self._negentropies = torch.zeros(splits, dtype=torch.float64)

    def add(self, scores_NK: Tensor) -> None:
        """Add scores of classes before a softmax, (n, K)."""
        logs_NK = scores_NK.detach().double().cpu().log_softmax(1)
        place_N = torch.arange(self.n, self.n + len(logs_NK)) % self.splits
        if self._probabilities is None:
            self._probabilities = torch.zeros(self.splits, logs_NK.shape[1], dtype=torch.float64)
        self._probabilities.index_add_(0, place_N, logs_NK.exp())
        # p log p of a probability that underflows to 0 is 0, not NaN
        self._negentropies.index_add_(0, place_N, torch.special.entr(logs_NK.exp()).sum(1).neg())
        self.n += len(logs_NK)

    def scores(self) -> Tensor:
        """Return the score of each split (S,), at least 1. Raises ValueError if there are fewer images than splits."""
        if self._probabilities is None or self.n < self.splits:
            raise ValueError(
                f"class scores need more images: got {self.n}; expected at least {self.splits}, the number of splits"
            )
        count_S = torch.tensor([len(range(s, self.n, self.splits)) for s in range(self.splits)], dtype=torch.float64)
        mean_SK = self._probabilities / count_S[:, None]
        divergence_S = self._negentropies / count_S + torch.special.entr(mean_SK).sum(1)
        return divergence_S.clamp(min=0).exp()


class ClassScore:
    """The class score of the study's encoder, if it has a classifier."""

    asked = "class_score"

    def __init__(self) -> None:
        self._classifier: Classifier | None = None
        self._sums = ScoreSums()

    def prepare(self, real: RealSide) -> None:
        """Store the encoder's classifier. Raises UserError if it has none."""
        self._classifier = self.classifier_of(real.encoder)

    def classifier_of(self, encoder: Encoder) -> Classifier:
        """Return an encoder as a classifier. Raises UserError if it has none."""
        if not callable(getattr(encoder, "class_scores", None)):
            raise UserError(
                f"metric {self.asked} needs a classifier: got the encoder {encoder.name}, which has none; expected "
                "inception or lite0. Try --metric lite0 --weights lite0=FILE"
            )
        return cast(Classifier, encoder)

    def reset(self, full: bool) -> None:
        """Forget the last pass; an interval over splits costs nothing, so it is given at rungs, too."""
        self._sums = ScoreSums()

    def update(self, outputs: Tensor, references: Tensor | None) -> None:
        """Add the features (n, d) of a batch."""
        assert self._classifier is not None
        self._sums.add(self._classifier.class_scores(outputs))

    def compute(self) -> list[Measurement]:
        """Return the mean score over splits with its interval; absent, with the reason, if the images are too few."""
        if self._classifier is None or not self._sums.n:
            return []
        n = self._sums.n
        name = class_score_name(self._classifier.name, n, SPLITS)
        if n < MIN_IMAGES:
            reason = f"{n} images are too few: {SPLITS} splits need {MIN_IMAGES}"
            return [Measurement.absent(name, "1", reason, n)]
        found = group_jackknife(lambda scores: float(scores.mean()), [self._sums.scores()], n_groups=SPLITS)
        how = f"mean over {SPLITS} splits, image i in split i modulo {SPLITS}; interval: jackknife over splits"
        return [Measurement(name, found.value, "1", max(found.low, 1.0), found.high, n, how)]


class InceptionScore(ClassScore):
    """The score by Inception's classifier only."""

    asked = "inception_score"

    def classifier_of(self, encoder: Encoder) -> Classifier:
        """Return Inception. Raises UserError if the encoder is another network."""
        if encoder.name.partition("-")[0] != "inception":
            raise UserError(
                f"metric {self.asked} is of Inception's classes: got the encoder {encoder.name}; expected inception. "
                "Try --metric inception, or --also-measure class_score, the score under another classifier's name"
            )
        return super().classifier_of(encoder)
