"""The size that images are trained at if none is given."""

import re

import pytest
from ganprune.search.checks.data_size import (
    largest_fitting,
    resized_note,
    size_for_crops,
    size_for_data,
    stride_of,
)


def multiples(stride, least=1):
    return lambda size: all(side % stride == 0 and side >= least for side in size)


@pytest.mark.parametrize(
    ("found", "runs", "size", "says"),
    [
        ([], multiples(4), (256, 256), ""),
        ([(256, 256)], multiples(4), (256, 256), ""),
        ([(64, 64)] * 3, multiples(4), (64, 64), ""),
        ([(128, 256)], multiples(4), (128, 256), ""),
        ([(62, 66)], multiples(4), (60, 64), "images of 62x66 .* shrunk to 60x64, the next size"),
        ([(512, 256)], multiples(4), (256, 256), "512x256 .* shrunk to 256x256.*--image-size 512x256 keeps them"),
        ([(64, 64)], multiples(256), (256, 256), "64x64 .* are enlarged to 256x256: the generator runs at no smaller"),
        ([(64, 64), (300, 200)], multiples(4), (256, 256), "64x64 to 300x200 .* are resized to 256x256"),
        ([(300, 300), (400, 300)], multiples(4), (256, 256), "300x300 to 400x300 .* are shrunk to 256x256"),
    ],
)
def test_the_data_decide_as_far_as_the_generator_runs(found, runs, size, says):
    """One size that is not larger than the usual one is taken, or the next smaller one; else a note says what happens."""
    chosen, note = size_for_data((256, 256), found, runs)
    assert chosen == size
    if says:
        assert re.search(says, note)
    else:
        assert note == ""


def test_nothing_is_enlarged_without_a_word():
    """Whatever the sizes are, a size that is larger than an image's has a note."""
    for found in ([(8, 8)], [(100, 30)], [(255, 300), (20, 20)]):
        chosen, note = size_for_data((256, 256), found, multiples(16))
        larger = any(side > own for one in found for side, own in zip(chosen, one, strict=True))
        assert bool(note) >= larger
        assert ("enlarged" in note or "resized" in note) == larger


def test_the_largest_size_below_is_found_and_the_stride_above():
    """A generator with stride 8 runs at 96 x 56 of 100 x 60; sizes must be multiples of its stride."""
    assert largest_fitting((100, 60), multiples(8)) == (96, 56)
    assert largest_fitting((7, 60), multiples(8)) is None
    assert stride_of((100, 60), multiples(8)) == 8
    assert stride_of((100, 60), lambda size: False) is None


def test_what_is_done_to_images_is_said_in_one_line():
    """Nothing for images of the size itself."""
    assert resized_note([(64, 64)], (64, 64)) == ""
    assert resized_note([(64, 64)], (32, 128)) == "images of 64x64 (height x width) are resized to 32x128"


@pytest.mark.parametrize(
    ("found", "runs", "size"),
    [
        ([(300, 300), (10, 10)], multiples(4), (64, 64)),
        ([(32, 32)] * 3, multiples(4), (32, 32)),
        ([(30, 50)] * 3, multiples(8), (24, 48)),
        ([(20, 20), (32, 32), (48, 40)], multiples(4), (32, 32)),
        ([(20, 20)], multiples(64), (64, 64)),
        ([], multiples(4), (64, 64)),
    ],
)
def test_crops_are_of_the_generators_size_unless_no_image_holds_one(found, runs, size):
    """Then of a size that half of the images hold, and a note says so; images are never resized for it."""
    chosen, note = size_for_crops((64, 64), found, runs)
    assert chosen == size
    assert bool(note) == (size != (64, 64))
    if note:
        assert re.search(r"crops of \d+x\d+: no image has 64x64", note)
