"""Mean intersection over union by closed forms, and the segmenters that a user may give."""

import pytest
import torch
from ganprune.evaluators.quality.learned.mean_iou import MeanIoU, counts_of, mean_iou, open_segmenter
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.user_code import UserCodeFailed

OWN = """
import torch
from torch import nn


def bright(images):
    return (images.mean(1) > 0).long()


def scores(images):
    mean = images.mean(1, keepdim=True)[..., ::2, ::2]
    return torch.cat((-mean, mean, mean - 10), 1)


def words(images):
    return "street"


def wide(images):
    return (images.mean(1) > 0).long() + 2


class Net(nn.Module):
    classes, ignored = 2, 1

    def forward(self, images):
        return (images.mean(1) > 0).long()


bright.classes = wide.classes = 2
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "seg.py").write_text(OWN)
    return lambda name: f"{tmp_path}/seg.py:{name}"


def image(rows):
    """Three equal channels of -1 and 1."""
    return (2.0 * torch.tensor(rows) - 1)[None, None].expand(1, 3, -1, -1)


def test_intersection_over_union_by_hand():
    """Two images of four pixels: class 0 has 2 of 5 pixels in common, class 1 has 2 of 5, class 2 does not occur."""
    truth = torch.tensor([[[0, 0], [0, 1]], [[0, 1], [1, 255]]])
    labels = torch.tensor([[[0, 0], [1, 1]], [[1, 0], [1, 0]]])
    counts = counts_of(labels, truth, 3)
    # class 0: both 2, either 3 + 2 (its pixel of 255 does not count); class 1: both 2, either 2 + 3
    assert counts.sum(0).tolist() == [[2, 2, 0], [5, 5, 0]]
    assert mean_iou(counts) == pytest.approx(2 / 5)
    assert mean_iou(counts_of(labels, truth, 3, ignored=[1])) == pytest.approx(2 / 4)
    assert mean_iou(counts_of(truth.clamp(max=2), truth, 3)) == 1.0


def test_labels_of_references_by_the_same_segmenter(own):
    """Equal images are at 1; the number has an interval from four images on, and says its segmenter and classes."""
    metric = MeanIoU(own("bright"))
    one, other = image([[0, 1], [1, 1]]), image([[0, 1], [0, 1]])
    metric.update(torch.cat([one] * 4), torch.cat([one] * 4))
    (same,) = metric.compute()
    assert (same.name, same.value, same.low, same.high) == ("miou[bright,n=4,classes=2]", 1.0, 1.0, 1.0)
    metric.reset(True)
    metric.update(other, one)
    (found,) = metric.compute()
    assert found.value == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found.low is None


def test_label_maps_come_before_references(own):
    """Labels are those that the generator was given, at their own size; scores are resized before the largest wins."""
    metric = MeanIoU(own("scores"), (1, 3))
    outputs = image([[0, 0, 1, 1]] * 4)
    truth = torch.tensor([[[0, 0, 1, 1]] * 3 + [[0, 0, 255, 255]]])
    metric.update(outputs, -outputs, (torch.zeros(1), truth))
    (found,) = metric.compute()
    assert found.value == 1.0
    assert found.name == "miou[scores,n=1,classes=3]"
    assert "the task's label maps" in found.protocol


def test_what_is_no_segmenter_is_refused(own, tmp_path):
    """A result that is no segmentation, labels out of range, and files of no known kind: one line each."""
    images = image([[0, 1], [1, 1]])
    with pytest.raises(UserCodeFailed, match=r"\(seg.py, line 15\) gives str for 1 images"):
        MeanIoU(own("words")).update(images, images)
    with pytest.raises(UserError, match=r"labels out of range: got 2 to 3; expected 0 to 1"):
        MeanIoU(own("wide"), (0, 2)).update(images, None, (torch.zeros(1, 2, 2),))
    (tmp_path / "a.bin").write_bytes(b"")
    for path, message in (
        (tmp_path / "a.bin", "got .bin; expected .pt2 or .onnx"),
        (tmp_path / "b.pt2", "no such file"),
    ):
        with pytest.raises(UserError, match=message):
            open_segmenter(path)


def test_files_of_torch_export_are_opened(own, tmp_path):
    """An exported program segments as its module does; a class is called, and says what is ignored."""
    segmenter = open_segmenter(own("Net"))
    assert (segmenter.classes, segmenter.ignored) == (2, (1,))
    images = image([[0, 1], [1, 1]])
    torch.export.save(torch.export.export(segmenter.call, (images,)), tmp_path / "net.pt2")
    found, _ = open_segmenter(tmp_path / "net.pt2").segmented(images, (2, 2))
    assert found.tolist() == [[[0, 1], [1, 1]]]
