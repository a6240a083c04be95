"""Maps of an encoder for training: VGG-16 of a given file, else the bundled encoder."""

import pytest
import torch
from ganprune.evaluators.features.feature_maps import load_feature_maps, shapes_maps, vgg_maps
from safetensors.torch import save_file
from torch.nn import functional as F

# Positions of the convolutions in torchvision's `features`, and their channels, up to relu4_3.
CONVOLUTIONS = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256), 14: (256, 256)}
CONVOLUTIONS |= {17: (256, 512), 19: (512, 512), 21: (512, 512)}


@pytest.fixture(scope="module")
def weights():
    random = torch.Generator().manual_seed(0)
    tensors = {"classifier.0.weight": torch.zeros(1)}
    for position, (inputs, outputs) in CONVOLUTIONS.items():
        size = (outputs, inputs, 3, 3)
        tensors[f"features.{position}.weight"] = torch.randn(size, generator=random) * (2 / (9 * inputs)) ** 0.5
        tensors[f"features.{position}.bias"] = torch.randn(outputs, generator=random) * 0.1
    return tensors


def test_vgg_maps_are_those_of_its_layers_on_images_between_0_and_1(weights, tmp_path):
    """relu1_2, 2_2, 3_3 and 4_3, with 2x2 pooling between the blocks, no mean and standard deviation taken out."""
    torch.save(weights, tmp_path / "vgg16-x.pth")
    save_file(weights, tmp_path / "vgg.safetensors")
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    x, expected = (images + 1) / 2, []
    for position in CONVOLUTIONS:
        x = F.relu(F.conv2d(x, weights[f"features.{position}.weight"], weights[f"features.{position}.bias"], padding=1))
        if position in (2, 7, 14, 21):
            expected.append(x)
            x = F.max_pool2d(x, 2)
    for path in (tmp_path / "vgg16-x.pth", tmp_path / "vgg.safetensors"):
        maps = load_feature_maps(path)
        assert maps.name.startswith("vgg16-")
        assert maps.style_weight == 1e5
        for given, wanted in zip(maps(images), expected, strict=True):
            assert torch.allclose(given, wanted, atol=1e-5)


def test_a_file_that_is_no_vgg_is_refused_in_one_line(tmp_path):
    """Missing, of another kind, or with other tensors: the message names the file and the cure."""
    (tmp_path / "text.pth").write_text("no weights")
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    for name in ("nothing.pth", "text.pth", "other.pth", "nothing.safetensors"):
        with pytest.raises(ValueError, match="does not contain VGG-16 weights") as caught:
            vgg_maps(tmp_path / name)
        assert "--vgg-weights" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_the_bundled_encoders_maps_pass_a_gradient_to_the_images_alone():
    """Four maps from fine to coarse; the encoder itself is frozen."""
    images = (torch.rand(2, 3, 32, 32) * 2 - 1).requires_grad_(True)
    encoder = shapes_maps()
    maps = encoder(images)
    assert [tuple(m.shape[1:]) for m in maps] == [(24, 32, 32), (40, 16, 16), (64, 8, 8), (80, 4, 4)]
    torch.stack([m.mean() for m in maps]).sum().backward()
    assert float(images.grad.abs().max()) > 0
    assert all(not p.requires_grad for p in encoder._stages.parameters())
    assert encoder.name.startswith("shapes-")
