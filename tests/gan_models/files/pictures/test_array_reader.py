"""Pictures of any number of channels: arrays, and files with a gray page per channel."""

import numpy as np
import pytest
from ganprune.gan_models.files.pictures.picture import PictureError
from ganprune.gan_models.files.pictures.picture_reader import (
    picture_doubt,
    picture_fault,
    picture_size,
    read_picture,
)
from PIL import Image

RANDOM = np.random.default_rng(0)
SEVEN = RANDOM.integers(0, 256, (12, 20, 7), np.uint8)  # 20 wide, 12 high


@pytest.mark.parametrize(
    "array",
    [
        SEVEN,
        SEVEN.transpose(2, 0, 1),
        SEVEN.astype(np.uint16) * 257,
        SEVEN.astype(np.float32) / 255,
        np.asfortranarray(SEVEN),
    ],
    ids=["last", "first", "16 bits", "unit", "another order"],
)
def test_channels_of_an_array_are_read_wherever_they_stand(tmp_path, array):
    """Size and every value are those of the array, of 0 .. 255."""
    np.save(tmp_path / "x.npy", array)
    assert picture_size(tmp_path / "x.npy") == (20, 12)
    assert picture_fault(tmp_path / "x.npy", planes=7) is None
    picture = read_picture(tmp_path / "x.npy")
    np.testing.assert_allclose(picture.formed("planes", 20, 12, 7), SEVEN, atol=1e-4)
    np.testing.assert_allclose(picture.pixels, SEVEN[:, :, :3], atol=1e-4)
    assert picture.formed("planes", 10, 6, 7).shape == (6, 10, 7)


@pytest.mark.parametrize(("channels", "color"), [(1, "gray"), (2, "gray_alpha"), (3, "rgb"), (4, "rgba")])
def test_an_array_of_up_to_four_channels_is_a_picture_of_the_usual_color(tmp_path, channels, color):
    """It is read in its color as it is, and in others as a file of that color."""
    values = SEVEN[:, :, :channels]
    np.save(tmp_path / "x.npy", values)
    picture = read_picture(tmp_path / "x.npy")
    assert picture.channels == channels
    np.testing.assert_array_equal(picture.formed(color, 20, 12), values)
    assert picture.formed("rgb", 20, 12).shape == (12, 20, 3)


@pytest.mark.parametrize("picture", [SEVEN[:, :, :2].copy(), SEVEN[:, :, 0].copy()], ids=["two", "plane"])
def test_halves_of_an_array_are_arrays(tmp_path, picture):
    """A pair side by side may have any channels."""
    np.save(tmp_path / "x.npy", picture)
    left, right = read_picture(tmp_path / "x.npy").halves()
    assert left.size == right.size == (10, 12)
    assert left.channels == right.channels


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((8, 5, 8)), "an array of shape (8, 5, 8) is not a picture"),
        (np.zeros(8), "an array of shape (8,) is not a picture"),
        (np.zeros((2, 3, 8, 8)), "is not a picture; expected [H, W], or [C, H, W]"),
        (np.full((3, 8, 9), -0.5), "floating-point values from -0.5 to -0.5, whose black and white are not known"),
        (np.array(["a", "b"]), "not an array of numbers"),
        (np.zeros((7, 12, 20), np.uint8), "it has 7 channels; expected 6"),
    ],
    ids=["which axis", "vector", "batch", "negative", "text", "other channels"],
)
def test_an_array_that_is_no_such_picture_is_refused_by_reason(tmp_path, array, reason):
    """The reason is found before anything is trained."""
    np.save(tmp_path / "x.npy", array)
    assert reason in str(picture_fault(tmp_path / "x.npy", planes=6))


def test_arrays_of_objects_are_never_unpickled(tmp_path):
    """They are left out with a reason."""
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object))
    assert "object" in str(picture_fault(tmp_path / "x.npy"))


def pages(path, count: int, mode: str = "L") -> None:
    made = [Image.fromarray(SEVEN[:, :, i]).convert(mode) for i in range(count)]
    made[0].save(path, save_all=True, append_images=made[1:])


def test_gray_pages_are_channels_if_so_many_are_wanted(tmp_path):
    """Else the first page is the picture, which a doubt says."""
    pages(tmp_path / "x.tif", 7)
    assert picture_fault(tmp_path / "x.tif", planes=7) is None
    assert picture_doubt(tmp_path / "x.tif", 7) is None
    np.testing.assert_array_equal(read_picture(tmp_path / "x.tif", 7).formed("planes", 20, 12, 7), SEVEN)
    assert "several pictures" in str(picture_doubt(tmp_path / "x.tif"))
    np.testing.assert_array_equal(read_picture(tmp_path / "x.tif").formed("gray", 20, 12)[:, :, 0], SEVEN[:, :, 0])


def test_pages_of_another_number_or_in_color_are_refused(tmp_path):
    """Channels are counted, never guessed."""
    pages(tmp_path / "six.tif", 6)
    pages(tmp_path / "color.tif", 7, "RGB")
    assert "it has 1 channel; expected 7" in str(picture_fault(tmp_path / "six.tif", planes=7))
    assert "it has 3 channels; expected 7" in str(picture_fault(tmp_path / "color.tif", planes=7))


def test_a_picture_of_other_channels_is_not_read_as_the_ones_that_are_wanted(tmp_path):
    """RGB is never made of seven channels in silence, nor the other way round."""
    np.save(tmp_path / "x.npy", SEVEN)
    with pytest.raises(PictureError, match="it has 7 channels; expected 1 to 4"):
        read_picture(tmp_path / "x.npy").formed("rgb", 20, 12)
    Image.fromarray(SEVEN[:, :, :3]).save(tmp_path / "x.png")
    with pytest.raises(PictureError, match="it has 3 channels; expected 7"):
        read_picture(tmp_path / "x.png").formed("planes", 20, 12, 7)
