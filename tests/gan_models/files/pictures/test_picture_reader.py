"""The one reader of pictures: full range, upright, and a reason for what it leaves out."""

import numpy as np
import pytest
from ganprune.gan_models.files.pictures.picture import PictureError, resized
from ganprune.gan_models.files.pictures.picture_names import is_hidden, is_picture_name, picture_suffixes
from ganprune.gan_models.files.pictures.picture_reader import (
    picture_fault,
    picture_size,
    read_picture,
)
from PIL import Image

RAMP = np.linspace(0, 1, 24 * 16).reshape(16, 24)
EIGHT = (RAMP * 255).astype(np.uint8)
SIXTEEN = (RAMP * 65535).astype(np.uint16)
PLAIN = Image.fromarray(EIGHT)

# Name -> (suffix, the picture RAMP in that mode)
MODES = {
    "1": (".png", PLAIN.convert("1")),
    "L": (".png", PLAIN),
    "LA": (".png", PLAIN.convert("LA")),
    "P": (".png", PLAIN.convert("RGB").quantize(256)),
    "RGB": (".png", PLAIN.convert("RGB")),
    "RGBA": (".png", PLAIN.convert("RGBA")),
    "CMYK JPEG": (".jpg", PLAIN.convert("RGB").convert("CMYK")),
    "CMYK TIFF": (".tif", PLAIN.convert("RGB").convert("CMYK")),
    "YCbCr": (".tif", PLAIN.convert("RGB").convert("YCbCr")),
    "LAB": (".tif", PLAIN.convert("RGB").convert("LAB")),
    "PA": (".tif", PLAIN.convert("RGB").convert("PA")),
    "16-bit PNG": (".png", Image.fromarray(SIXTEEN)),
    "16-bit TIFF": (".tif", Image.fromarray(SIXTEEN)),
    "16-bit TIFF, big-endian": (".tif", Image.fromarray(SIXTEEN.astype(">u2"))),
    "16-bit PGM": (".pgm", Image.fromarray(SIXTEEN)),
    "16-bit JPEG 2000": (".jp2", Image.fromarray(SIXTEEN)),
    "32-bit integers with 16 bits in them": (".tif", Image.fromarray(SIXTEEN.astype(np.int32))),
    "32-bit integers": (".tif", Image.fromarray((RAMP * (2**31 - 1)).astype(np.int32))),
    "float, 0 to 1": (".tif", Image.fromarray(RAMP.astype(np.float32))),
    "float, 0 to 255": (".tif", PLAIN.convert("F")),
    "float PFM": (".pfm", Image.fromarray(RAMP.astype(np.float32))),
}


@pytest.mark.parametrize("name", MODES)
def test_every_mode_is_read_to_its_full_range(name, tmp_path):
    """A ramp from black to white is the same ramp in every mode, but for the rounding of the mode."""
    suffix, picture = MODES[name]
    path = tmp_path / f"x{suffix}"
    picture.save(path)
    assert picture_fault(path) is None
    pixels = read_picture(path).pixels
    assert pixels.shape == (16, 24, 3)
    # Dithering spreads black and white over a neighborhood; means of 8 x 8 pixels are left.
    expected = np.repeat(RAMP[:, :, None] * 255, 3, 2)
    dithered = name in ("1", "PA")
    if dithered:
        pixels, expected = (p.reshape(2, 8, 3, 8, 3).mean((1, 3)) for p in (pixels.astype(float), expected))
    assert abs(pixels - expected).max() <= (12 if dithered else 4)
    assert dithered or (pixels.min() <= 2 and pixels.max() >= 253)


def test_more_than_eight_bits_keep_their_precision(tmp_path):
    """16 bits are told apart to a hundredth of a step of 8 bits, also in a picture that uses the darkest 1 % alone."""
    dark = (RAMP * 655).astype(np.uint16)
    Image.fromarray(dark).save(tmp_path / "dark.png")
    picture = read_picture(tmp_path / "dark.png")
    assert picture.pixels.dtype == np.float32
    assert abs(picture.pixels[:, :, 0] - dark / 257).max() < 1e-3
    assert resized(picture.pixels, 12, 8).dtype == np.float32


def test_sixteen_bit_tiffs_whose_zero_is_white_are_inverted(tmp_path):
    """As 8-bit ones are."""
    paths = [tmp_path / name for name in ("16.tif", "8.tif")]
    Image.fromarray(SIXTEEN).save(paths[0], tiffinfo={262: 0})
    content = paths[0].read_bytes()
    assert content.count(b"\x06\x01\x03\x00\x01\x00\x00\x00") == 1
    flipped = content.replace(b"\x06\x01\x03\x00\x01\x00\x00\x00\x01\x00", b"\x06\x01\x03\x00\x01\x00\x00\x00\x00\x00")
    paths[1].write_bytes(flipped)
    assert abs(read_picture(paths[1]).pixels[:, :, 0] - (1 - RAMP) * 255).max() < 1


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (RAMP * 2 - 1, "floating-point values from -1 to 1"),
        (RAMP * 9000, "floating-point values from 0 to 9000"),
        (RAMP * 2, "floating-point values from 0 to 2"),
        (np.where(RAMP > 0.5, np.nan, RAMP), "not all finite"),
    ],
)
def test_floats_without_a_known_white_are_left_out_with_the_reason(values, reason, tmp_path):
    """Values that are neither 0 to 1 nor 0 to 255 have no black and white that everybody agrees on."""
    path = tmp_path / "x.tif"
    Image.fromarray(values.astype(np.float32)).save(path)
    assert reason in picture_fault(path)
    with pytest.raises(PictureError, match=reason):
        read_picture(path)


def test_integers_without_a_known_white_are_left_out_with_the_reason(tmp_path):
    """Negative values, and 32 bits of which a few more than 16 are used."""
    for values, reason in ((RAMP * 2000 - 1000, "integers from -1000"), (RAMP * 100_000, "from 0 to 100000")):
        Image.fromarray(values.astype(np.int32)).save(tmp_path / "x.tif")
        assert reason in picture_fault(tmp_path / "x.tif")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", "16.png", "16.tif"])
def test_pictures_are_upright(orientation, suffix, tmp_path):
    """EXIF's orientation is applied in every format and depth, and the header tells the size that is read."""
    corner = np.zeros((32, 48), np.uint8)
    corner[:16, :16], corner[:16, 32:] = 255, 100
    exif = Image.Exif()
    exif[274] = orientation
    stored = Image.fromarray(corner.astype(np.uint16) * 257 if suffix.startswith("16") else corner)
    stored.save(tmp_path / f"x{suffix}", exif=exif)
    turn = [
        None, Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM,
        Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_90,
    ][orientation - 1]  # fmt: skip
    expected = np.asarray(Image.fromarray(corner) if turn is None else Image.fromarray(corner).transpose(turn))
    picture = read_picture(tmp_path / f"x{suffix}")
    assert picture.pixels.shape[:2] == expected.shape
    assert abs(picture.pixels[8::16, 8::16, 0].astype(int) - expected[8::16, 8::16]).max() <= 6
    assert picture_size(tmp_path / f"x{suffix}") == picture.size


def test_alpha_is_kept_beside_the_colors(tmp_path):
    """Alpha is read from RGBA, LA and palettes with a transparent color; colors below it are the file's."""
    alpha = np.where(RAMP > 0.5, 255, 40).astype(np.uint8)
    PLAIN.convert("RGB").save(tmp_path / "none.png")
    Image.merge("LA", (PLAIN, Image.fromarray(alpha))).save(tmp_path / "la.png")
    palette = Image.fromarray((EIGHT > 128).astype(np.uint8), "P")
    palette.putpalette([10, 20, 30, 200, 210, 220])
    palette.save(tmp_path / "p.png", transparency=0)
    assert read_picture(tmp_path / "none.png").alpha is None
    assert np.array_equal(read_picture(tmp_path / "la.png").alpha, alpha)
    found = read_picture(tmp_path / "p.png")
    assert np.array_equal(found.alpha, np.where(EIGHT > 128, 255, 0))
    assert found.pixels[0, 0].tolist() == [10, 20, 30]
    assert found.formed("rgba", *found.size).shape == (16, 24, 4)


def test_channels_of_a_gray_picture_are_its_values(tmp_path):
    """Gray, RGB and back changes nothing; a color picture becomes gray as Pillow does it."""
    PLAIN.save(tmp_path / "gray.png")
    color = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    Image.fromarray(color).save(tmp_path / "color.png")
    assert np.array_equal(read_picture(tmp_path / "gray.png").formed("gray", 24, 16)[:, :, 0], EIGHT)
    assert np.array_equal(
        read_picture(tmp_path / "color.png").formed("gray", 24, 16)[:, :, 0],
        np.asarray(Image.fromarray(color).convert("L")),
    )


def test_bad_files_have_reasons(tmp_path):
    """Text, cut files and a float RGB TIFF are named as what they are, in one line each."""
    (tmp_path / "text.png").write_text("no image")
    PLAIN.save(tmp_path / "whole.png")
    data = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    assert picture_fault(tmp_path / "whole.png") is None
    for name in ("text.png", "cut.png", "gone.png"):
        assert picture_fault(tmp_path / name)
        with pytest.raises(PictureError):
            read_picture(tmp_path / name)


def test_suffixes_are_those_of_the_image_library():
    """A file that Pillow reads is a picture, for any case of its suffix; data, documents and videos are not."""
    assert {".jfif", ".jpe", ".jpg", ".png", ".webp", ".tif", ".gif", ".jp2", ".pgm", ".tga"} <= picture_suffixes()
    assert not {".pdf", ".mpg", ".h5", ".txt", ".npz"} & picture_suffixes()
    assert is_picture_name("A.JFIF")
    assert all(map(is_hidden, ("._x.jpg", ".DS_Store", "__MACOSX", "Thumbs.db")))


def test_halves_are_two_pictures_of_one_size(tmp_path):
    """Portrait pairs have halves, too; a square is refused with the size that is expected, and so is an odd width."""
    Image.fromarray(np.zeros((50, 40), np.uint8)).save(tmp_path / "portrait.png")
    left, right = read_picture(tmp_path / "portrait.png").halves()
    assert left.size == right.size == (20, 50)
    assert picture_fault(tmp_path / "portrait.png", halves=True) is None
    Image.fromarray(np.zeros((50, 50), np.uint8)).save(tmp_path / "square.png")
    assert "100x50 of two 50x50" in picture_fault(tmp_path / "square.png", halves=True)
    Image.fromarray(np.zeros((50, 101), np.uint8)).save(tmp_path / "odd.png")
    fault = "101x50 has no two halves for A|B side by side: expected an even width"
    assert picture_fault(tmp_path / "odd.png", halves=True) == fault


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty file"), (b"version https://git-lfs.github.com/spec/v1", "Git LFS"), (b"\n<!DOCTYPE html>", "HTML")],
)
def test_what_is_no_picture_is_named(content, reason, tmp_path):
    """Pointers, pages and empty files under a picture's name are left out as what they are."""
    path = tmp_path / "a.png"
    path.write_bytes(content)
    assert reason in (picture_fault(path) or "")


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_an_orientation_of_xmp_turns_size_and_pixels_alike(suffix, tmp_path):
    """The size that a layout is told by is that of the picture that is read."""
    Image.new("RGB", (16, 8)).save(tmp_path / f"a.{suffix}", xmp=b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>')  # fmt: skip
    assert picture_size(tmp_path / f"a.{suffix}") == read_picture(tmp_path / f"a.{suffix}").size == (8, 16)
