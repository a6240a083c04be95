"""LPIPS with random weights in the published formats; the published files are never needed."""

import pytest
import torch
import torch.nn.functional as F
from ganprune.evaluators.features.pretrained.backbones import MAPS, alexnet, vgg16
from ganprune.evaluators.quality.learned import lpips
from ganprune.evaluators.quality.learned.lpips import LpipsDistance, load_lpips, lpips_alex
from ganprune.gan_models.files.errors import UserError

from ....fakes.lpips_files import written


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return written(tmp_path_factory.mktemp("alex"), "alex")


def pair(n=2, side=40):
    random = torch.Generator().manual_seed(0)
    return tuple(torch.rand(n, 3, side, side, generator=random) * 2 - 1 for _ in range(2))


def by_hand(backbone, files, x, y):
    """Each pixel's maps as vectors: weighted squared distance of their directions, averaged, summed over layers."""
    learned, state = (torch.load(path, weights_only=True) for path in files)
    network = alexnet() if backbone == "alex" else vgg16()
    network.load_state_dict({name: state[f"features.{name}"] for name in network.state_dict()})
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])

    def maps(image):
        z = ((image + 1) / 2 - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)  # ImageNet's, of images in [0, 1]
        found = []
        for place, layer in enumerate(network):
            z = layer(z)
            if place in MAPS[backbone]:
                found.append(z)
        return found

    total = 0.0
    with torch.no_grad():
        for i, (a, b) in enumerate(zip(maps(x), maps(y), strict=True)):
            directions = (F.normalize(a, dim=1) - F.normalize(b, dim=1)).pow(2)
            total = total + torch.einsum("nchw,c->nhw", directions, learned[f"lin{i}.model.1.weight"].flatten()).mean(
                (1, 2)
            )
    return total


def test_equal_images_are_at_zero(files):
    """The distance of an image from itself is exactly 0."""
    x, _ = pair()
    assert load_lpips("alex", *files)(x, x).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("backbone", ["alex", "vgg"])
def test_values_follow_the_formula(backbone, files, tmp_path):
    """With fixed random weights both networks give what the paper's formula gives, written independently."""
    paths = files if backbone == "alex" else written(tmp_path, backbone)
    x, y = pair(n=1, side=32)
    found = load_lpips(backbone, *paths)(x, y)
    # The published shift and scale are rounded to three digits.
    torch.testing.assert_close(found, by_hand(backbone, paths, x, y), rtol=5e-3, atol=0)
    assert found.item() > 0.01


def test_it_is_a_mean_over_images_with_an_interval(files, monkeypatch):
    """The metric's value is the mean; other files than the published ones stand in its name."""
    metric = lpips_alex(*files)
    x, y = pair(n=5)
    for part in (slice(0, 3), slice(3, 5)):
        metric.update(x[part], y[part])
    (found,) = metric.compute()
    assert found.value == pytest.approx(float(load_lpips("alex", *files)(x, y).mean()))
    assert found.low < found.value < found.high
    assert found.n == 5
    assert found.name.startswith("lpips[alex-")
    digits = found.name[len("lpips[alex-") : -1]
    monkeypatch.setitem(lpips._PUBLISHED_HASHES, "alex", (digits[:4], digits[4:]))
    assert lpips_alex(*files).name == "lpips[alex]"


def test_images_that_are_too_small_have_no_value(files):
    """Below the least side there is a reason; at it there is a number."""
    for side, known in ((30, False), (31, True)):
        metric = LpipsDistance("alex", *files)
        metric.update(*pair(side=side))
        (found,) = metric.compute()
        assert (found.reason is None) == known


def test_wrong_files_are_refused(files, tmp_path):
    """Files in each other's place, of the other network, and files that are not there: one line each."""
    learned, network = files
    with pytest.raises(UserError, match="does not contain AlexNet"):
        load_lpips("alex", learned, learned)
    with pytest.raises(UserError, match=r"does not contain weights of LPIPS by AlexNet: got features"):
        load_lpips("alex", network, network)
    with pytest.raises(UserError, match="cannot be read"):
        load_lpips("alex", tmp_path / "gone.pth", network)
    with pytest.raises(UserError, match="does not contain VGG-16"):
        load_lpips("vgg", learned, network)
