"""Distances per class: equal to the kernel distance of each class's images, and given only where labels are known."""

import pytest
import torch
from ganprune.evaluators.features.sample import FeatureSample
from ganprune.evaluators.quality.class_distances import MIN_IMAGES_PER_CLASS, ClassDistances
from ganprune.evaluators.quality.kid import kernel_distance
from ganprune.evaluators.quality.metric import RealSide


class Encoder:
    name = "shapes"


def sides(n=60, d=8, few=0):
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % 3
    if few:
        labels[:] = 0
        labels[:few] = 1
    return torch.randn(n, d, generator=random), torch.randn(n, d, generator=random), labels


def measured(generated, real, labels, label=(1, 3), ordered=True):
    metric = ClassDistances(label)
    metric.prepare(RealSide(real, Encoder(), ordered=ordered))  # type: ignore[arg-type]
    metric.reset(True)
    for part in range(0, len(labels), 16):
        at = slice(part, part + 16)
        metric.update(generated[at], None, (torch.zeros(len(labels[at]), 4), labels[at]))
    return metric.compute()


def test_each_class_has_the_kernel_distance_of_its_images():
    """Names say class and number of images; values are those of the classes alone; the real side may be a sample."""
    generated, real, labels = sides()
    found = measured(generated, FeatureSample(len(real), real), labels)
    assert [m.name for m in found] == [f"kd[shapes,class={label},n=20]" for label in range(3)]
    for label, m in enumerate(found):
        wanted = kernel_distance(generated[labels == label], real[labels == label]).value
        assert m.value == pytest.approx(wanted, abs=1e-12)
        assert m.better == "lower"


def test_a_lost_class_is_seen():
    """Outputs of one class that show another are worse there, and nowhere else."""
    generated, real, labels = sides()
    generated, real = generated + 5 * labels[:, None], real + 5 * labels[:, None]
    good = measured(generated, real, labels)
    generated[labels == 2] -= 10
    bad = measured(generated, real, labels)
    assert bad[2].value > 100 * abs(good[2].value)
    assert [m.value for m in bad[:2]] == [m.value for m in good[:2]]


def test_nothing_is_said_of_what_is_not_known():
    """No label, real images of other entries, others in number, and classes of too few images give nothing."""
    generated, real, labels = sides()
    assert measured(generated, real, labels, label=None) == []
    assert measured(generated, real, labels, ordered=False) == []
    assert measured(generated, real[:-1], labels) == []
    found = measured(*sides(few=MIN_IMAGES_PER_CLASS - 1))
    assert [m.name for m in found] == [f"kd[shapes,class=0,n={60 - MIN_IMAGES_PER_CLASS + 1}]"]
