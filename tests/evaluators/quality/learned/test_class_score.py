"""The Inception Score by closed forms, and beside a second implementation on the same scores of classes."""

import math

import numpy as np
import pytest
import torch
from ganprune.evaluators.features.catalog import load_encoder
from ganprune.evaluators.features.inception import InceptionEncoder
from ganprune.evaluators.quality.catalog import MetricSet
from ganprune.evaluators.quality.learned.class_score import ClassScore, ScoreSums
from ganprune.evaluators.quality.suite import measure_quality
from ganprune.gan_models.files.errors import UserError
from scipy.stats import entropy


def scores(logits, splits=10, batch=7):
    sums = ScoreSums(splits)
    for part in logits.split(batch):
        sums.add(part)
    return sums.scores()


def second(logits, splits):
    """The published procedure: consecutive slices of softmaxes, mean Kullback-Leibler divergence by SciPy, exp."""
    exponents = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = exponents / exponents.sum(1, keepdims=True)
    found = []
    for part in np.split(probabilities, splits):
        marginal = part.mean(0)
        found.append(np.exp(np.mean([entropy(row, marginal) for row in part])))
    return np.array(found)


def test_it_is_the_published_number():
    """On the same scores of classes, each split has the score that the published procedure gives its images."""
    logits = 3 * torch.randn(200, 50, generator=torch.Generator().manual_seed(0))
    order = np.argsort(np.arange(200) % 10, kind="stable")  # ours: image i in split i modulo 10; theirs: slices
    np.testing.assert_allclose(scores(logits).numpy(), second(logits.double().numpy()[order], 10), rtol=1e-10)


def test_equal_probabilities_score_one():
    """Whatever the probabilities, the score is 1 if all images have the same."""
    for row in (torch.zeros(1, 8), torch.randn(1, 8, generator=torch.Generator().manual_seed(1))):
        assert scores(row.expand(40, 8)).tolist() == pytest.approx([1.0] * 10)


@pytest.mark.parametrize("k", [2, 10])
def test_separated_classes_score_their_number(k):
    """Images that are plainly of one of k equally frequent classes score k, though probabilities underflow to 0."""
    classes = torch.arange(10 * 2 * k) // 10 % k  # each split sees every class twice
    assert scores(1e4 * torch.nn.functional.one_hot(classes, 12).double()).tolist() == pytest.approx([k] * 10)


class Classifying:
    """The bundled encoder with a classifier of five classes."""

    def __init__(self, name):
        self._inner, self.name = load_encoder("shapes"), name
        self.sha256, self.dimension, self.preprocessing = self._inner.sha256, 96, self._inner.preprocessing
        self._weight = torch.randn(96, 5, generator=torch.Generator().manual_seed(0))

    def __call__(self, images):
        return self._inner(images)

    def class_scores(self, features):
        return features @ self._weight

    def to(self, device):
        return self


def measured(encoder, name, n=30, **how):
    images = torch.rand(n, 3, 16, 16, generator=torch.Generator().manual_seed(2)) * 2 - 1
    batches = [((part,), None) for part in images.split(8)]
    metrics = MetricSet((name,), usual=False, **how)
    return measure_quality(lambda x: x, batches, encoder, torch.randn(8, 96), metrics=metrics, aligned=False)


def test_another_classifiers_score_is_not_called_inceptions():
    """The name is the classifier's; Inception's own alone is `is`, and `inception_score` takes no other."""
    (found,) = measured(Classifying("lite0"), "class_score")
    assert found.name == "class_score[lite0,n=30,splits=10]"
    assert found.better == "higher"
    assert 1 <= found.low < found.value < found.high
    assert measured(Classifying("inception"), "inception_score")[0].name == "is[inception,n=30,splits=10]"
    other = measured(Classifying("inception-1a2b3c4d"), "inception_score")[0]
    assert other.name == "class_score[inception-1a2b3c4d,n=30,splits=10]"
    with pytest.raises(UserError, match=r"of Inception's classes: got the encoder lite0; expected inception"):
        measured(Classifying("lite0"), "inception_score")


def test_an_encoder_without_classes_is_refused():
    """The bundled encoder knows no classes; the error says which encoders do."""
    with pytest.raises(UserError, match=r"needs a classifier: got the encoder shapes.*Try --metric lite0"):
        measured(load_encoder("shapes"), "class_score")


def test_too_few_images_have_no_score():
    """With one image per split every score is 1: there is a reason in the place of a number."""
    (found,) = measured(Classifying("lite0"), "class_score", n=19)
    assert math.isnan(found.value)
    assert "10 splits need 20" in found.reason


def test_inceptions_scores_have_no_bias():
    """Scores are features times the file's last layer alone, as the published code has them."""
    weight = torch.randn(1008, 2048, generator=torch.Generator().manual_seed(1))
    features = torch.randn(3, 2048, generator=torch.Generator().manual_seed(0))
    encoder = InceptionEncoder(torch.nn.Identity(), "inception", "0" * 64, weight)
    torch.testing.assert_close(encoder.class_scores(features), features @ weight.T)
    bare = InceptionEncoder(torch.nn.Identity(), "inception", "0" * 64)
    with pytest.raises(UserError, match=r"no classifier: got no fc\.weight"):
        bare.class_scores(features)
    assert ClassScore().compute() == []
