"""TIFF files of more than 4 channels per page, against files that are written here byte by byte."""

import struct
import zlib

import numpy as np
import pytest
from ganprune.gan_models.files.pictures.picture_reader import picture_doubt, picture_fault, picture_size, read_picture

RANDOM = np.random.default_rng(0)
SEVEN = RANDOM.integers(0, 256, (12, 20, 7), np.uint8)  # 20 wide, 12 high
TILE = 16


def write(path, array, order="<", *, rows=5, tiled=False, compressed=False, predicted=False, planar=False, **tags):
    """A TIFF of one page: strips of some rows, or tiles; interleaved channels, or one channel after the other."""
    array = array.astype(array.dtype.newbyteorder(order))
    height, width, channels = array.shape
    parts = [array[:, :, i : i + 1] for i in range(channels)] if planar else [array]
    blocks = []
    for part in parts:
        if tiled:
            high, wide = (-(-side // TILE) * TILE for side in (height, width))
            padded = np.zeros((high, wide, part.shape[2]), part.dtype)
            padded[:height, :width] = part
            tops, lefts = range(0, high, TILE), range(0, wide, TILE)
            blocks += [padded[top : top + TILE, left : left + TILE] for top in tops for left in lefts]
        else:
            blocks += [part[top : top + rows] for top in range(0, height, rows)]
    if predicted:
        blocks = [np.diff(block, axis=1, prepend=np.zeros_like(block[:, :1])).astype(block.dtype) for block in blocks]
    data = [zlib.compress(block.tobytes()) if compressed else block.tobytes() for block in blocks]
    places = [8 + sum(map(len, data[:i])) for i in range(len(data))]
    entries = {
        256: [width], 257: [height], 258: [8 * array.dtype.itemsize] * channels, 259: [8 if compressed else 1],
        262: [1], 277: [channels], 284: [2 if planar else 1], 317: [2 if predicted else 1], 338: [0] * (channels - 1),
        339: [{"u": 1, "i": 2, "f": 3}[array.dtype.kind]] * channels,
    }  # fmt: skip
    lengths = [len(each) for each in data]
    entries |= (
        {322: [TILE], 323: [TILE], 324: places, 325: lengths} if tiled else {273: places, 278: [rows], 279: lengths}
    )
    entries |= {int(name.removeprefix("tag")): value for name, value in tags.items()}
    start = 8 + sum(lengths)
    more, table = b"", struct.pack(f"{order}H", len(entries))
    for tag, values in sorted(entries.items()):
        packed = struct.pack(f"{order}{len(values)}I", *values)
        if len(values) > 1:
            more, packed = more + packed, struct.pack(f"{order}I", start + 6 + 12 * len(entries) + len(more))
        table += struct.pack(f"{order}HHI", tag, 4, len(values)) + packed
    magic = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", 42, start)
    path.write_bytes(magic + b"".join(data) + table + struct.pack(f"{order}I", 0) + more)
    return path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"rows": 12},
        {"compressed": True},
        {"compressed": True, "predicted": True},
        {"tiled": True},
        {"tiled": True, "compressed": True, "predicted": True},
        {"planar": True, "compressed": True},
    ],
    ids=["strips", "strip", "deflate", "differences", "tiles", "tiled differences", "planes"],
)
def test_every_channel_is_read_in_every_layout(tmp_path, layout, kind, order):
    """Values are those of the array, of 0 .. 255, as of `.npy`."""
    if kind == np.float32 and layout.get("predicted"):
        pytest.skip("predictor 2 is of integers")
    scale = {np.uint8: 1, np.uint16: 257, np.float32: 1 / 255}[kind]
    path = write(tmp_path / "x.tif", (SEVEN * kind(scale)).astype(kind), order, **layout)
    assert picture_fault(path, planes=7) is None
    assert picture_size(path) == (20, 12)
    assert picture_doubt(path, 7) is None
    np.testing.assert_allclose(read_picture(path, 7).formed("planes", 20, 12, 7), SEVEN, atol=1e-4)


def test_orientation_and_black_are_as_the_tags_say(tmp_path):
    """A file turned by a quarter is upright, and one whose 0 is white is inverted."""
    path = write(tmp_path / "x.tif", SEVEN, tag274=[6], tag262=[0])
    assert picture_size(path) == (12, 20)
    np.testing.assert_array_equal(read_picture(path, 7).planes, 255 - np.rot90(SEVEN, -1))


@pytest.mark.parametrize(
    ("array", "planes", "more", "reason"),
    [
        (SEVEN, 6, {}, "it has 7 channels; expected 6"),
        (SEVEN, 0, {}, "it has 7 channels; expected 1 to 4"),
        (SEVEN.astype(np.float64), 7, {}, "a TIFF of 7 channels of 64 bits; expected 8, 16 or 32 of each"),
        (SEVEN, 7, {"tag317": [3]}, "a TIFF of 7 channels: got predictor 3; expected predictor 1 or 2"),
        (SEVEN, 7, {"tag279": [1, 1, 1]}, "image file is truncated"),
    ],
    ids=["other channels", "colors", "64 bits", "predictor", "cut short"],
)
def test_what_cannot_be_read_is_said_in_one_line(tmp_path, array, planes, more, reason):
    """Before anything is trained."""
    assert reason in str(picture_fault(write(tmp_path / "x.tif", array, **more), planes=planes))
