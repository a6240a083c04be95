"""Pixels in other colors than RGB, against published values."""

import numpy as np
import pytest
from ganprune.gan_models.files.pictures.colors import color_of, lab_of, scaled_lab
from ganprune.gan_models.files.pictures.picture_reader import Picture, PictureError

# sRGB -> L*, a*, b* with D65, as color tables print them to two digits.
KNOWN = {
    (255, 255, 255): (100.0, 0.0, 0.0),
    (0, 0, 0): (0.0, 0.0, 0.0),
    (255, 0, 0): (53.24, 80.09, 67.20),
    (0, 255, 0): (87.73, -86.18, 83.18),
    (0, 0, 255): (32.30, 79.19, -107.86),
    (128, 128, 128): (53.59, 0.0, 0.0),
    (4, 4, 4): (1.10, 0.0, 0.0),  # on the line below the cube root
}


@pytest.mark.parametrize("pixel", KNOWN)
def test_lab_has_the_published_values(pixel):
    """Within half of the last digit."""
    assert lab_of(np.array([[pixel]], np.uint8))[0, 0] == pytest.approx(KNOWN[pixel], abs=0.0051)


def test_lab_is_scaled_as_pixels_are():
    """White has lightness 255 and a*, b* in the middle; no color of sRGB is beyond the range."""
    grid = np.stack(np.meshgrid(*[np.arange(0, 256, 15)] * 3), -1).reshape(1, -1, 3).astype(np.uint8)
    lightness, ab = scaled_lab(grid, "lightness"), scaled_lab(grid, "ab")
    assert (lightness.shape, ab.shape, ab.dtype) == ((1, 5832, 1), (1, 5832, 2), np.float32)
    assert 0 <= lightness.min() < lightness.max() == pytest.approx(255)
    assert 0 < ab.min() < 10 < 240 < ab.max() < 255
    white = np.full((1, 1, 3), 255, np.uint8)
    assert scaled_lab(white, "ab") == pytest.approx(127.5, abs=1e-4)


def test_a_picture_is_read_in_the_color_that_is_asked_for():
    """Alpha is the last channel, and opaque if the picture has none; deep pictures keep their precision."""
    red = np.zeros((4, 6, 3), np.uint8)
    red[..., 0] = 200
    alpha = np.full((4, 6), 7, np.uint8)
    assert Picture(red, alpha).formed("rgba", 6, 4)[0, 0].tolist() == [200, 0, 0, 7]
    assert Picture(red).formed("rgba", 6, 4)[0, 0].tolist() == [200, 0, 0, 255]
    assert Picture(red, alpha).formed("gray_alpha", 6, 4)[0, 0].tolist() == [60, 7]
    assert Picture(red).formed("gray", 3, 2).shape == (2, 3, 1)
    assert Picture(red).formed("ab", 3, 2).shape == (2, 3, 2)
    deep = Picture(red.astype(np.float32) + 0.25).formed("gray_alpha", 6, 4)
    assert deep[0, 0] == pytest.approx([60.05, 255], abs=0.001)
    with pytest.raises(PictureError, match="planes"):
        Picture(red).formed("planes", 6, 4)


def test_the_usual_color_follows_from_the_channels():
    """One is gray, two have alpha, five are planes of something else."""
    assert [color_of(n) for n in (1, 2, 3, 4, 5)] == ["gray", "gray_alpha", "rgb", "rgba", "planes"]
