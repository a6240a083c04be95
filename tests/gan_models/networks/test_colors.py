"""Images of any color as RGB."""

import numpy as np
import pytest
import torch
from ganprune.gan_models.files.pictures.colors import scaled_lab
from ganprune.gan_models.networks.colors import to_rgb

SHAPE = (2, 8, 6)


def images(channels: int) -> torch.Tensor:
    return torch.rand(SHAPE[0], channels, *SHAPE[1:], generator=torch.Generator().manual_seed(3)) * 2 - 1


@pytest.mark.parametrize(
    ("color", "channels"),
    [
        ("gray", 1),
        ("gray_alpha", 2),
        ("rgb", 3),
        ("rgba", 4),
        ("lightness", 1),
        ("ab", 2),
        ("planes", 2),
        ("planes", 7),
    ],
)
def test_every_color_becomes_rgb_with_gradients(color, channels):
    """Three channels in [-1, 1], and a finite slope everywhere."""
    given = images(channels).requires_grad_()
    shown = to_rgb(given, color)
    assert shown.shape == (2, 3, 8, 6)
    assert -1 - 1e-6 <= float(shown.detach().min()) <= float(shown.detach().max()) <= 1 + 1e-6
    shown.square().sum().backward()
    assert bool(torch.isfinite(given.grad).all())
    assert float(given.grad.abs().sum()) > 0


def test_rgb_is_returned_as_it_is():
    """Not a copy: what is measured today stays bit for bit."""
    given = images(3)
    assert to_rgb(given, "rgb") is given


def test_lightness_and_ab_of_a_picture_become_that_picture():
    """Reading and showing are each other's inverse; the lightness is that of the input."""
    pixels = np.random.default_rng(1).integers(0, 256, (8, 6, 3), np.uint8)
    lightness, ab = (
        torch.from_numpy(scaled_lab(pixels, color)).permute(2, 0, 1)[None] / 127.5 - 1 for color in ("lightness", "ab")
    )
    shown = to_rgb(ab, "ab", [lightness])
    assert torch.allclose(shown[0].permute(1, 2, 0), torch.from_numpy(pixels) / 127.5 - 1, atol=2e-5)
    gray = to_rgb(lightness, "lightness")
    assert torch.allclose(gray[:, 0], gray[:, 1], atol=2e-5)
    assert torch.allclose(gray[:, 0], gray[:, 2], atol=2e-5)
    smaller = to_rgb(ab, "ab", [lightness[:, :, ::2, ::2]])
    assert smaller.shape == shown.shape


def test_transparency_lies_on_white():
    """Alpha -1 shows white, 1 the color, 0 their middle."""
    black = -torch.ones(1, 4, 1, 3)
    black[0, 3, 0] = torch.tensor([-1.0, 0.0, 1.0])
    assert to_rgb(black, "rgba")[0, :, 0].tolist() == [[1, 0, -1]] * 3
    assert to_rgb(black[:, 2:], "gray_alpha")[0, :, 0].tolist() == [[1, 0, -1]] * 3


def test_another_number_of_channels_is_an_error():
    """The color is named with its channels."""
    with pytest.raises(ValueError, match="2 channels are not rgb: expected 3"):
        to_rgb(images(2), "rgb")
