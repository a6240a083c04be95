"""Pairs that lie on disk or are made on the fly: crops that stay aligned, fixed test pictures, refusals."""

import numpy as np
import pytest
import torch
from ganprune.gan_models.data.dataset import Draw
from ganprune.gan_models.data.degradation.catalog import DEGRADATIONS
from ganprune.gan_models.data.degradation.degradation import degraded
from ganprune.gan_models.data.spec import DataSpec, PictureForm
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.gan_models.tasks.task_data import fingerprint, open_split
from PIL import Image

SCALE, SIDE = 4, 8  # of the input


def spec_of(root, task="super_resolution", scale=SCALE, side=SIDE, channels=(3, 3), colors=("", ""), **how):
    inputs = InputSpec.parse(f"{colors[0] or 'image'}:{channels[0]},{side},{side}")
    output = PictureForm(channels[1], scale * side, scale * side, colors[1])
    settings = {key: how.pop(key) for key in ("degrade", "degradation") if key in how}
    return DataSpec(str(root), task, inputs, output, settings=settings, **how)


def scene(seed, width=72, height=60):
    """A smooth picture, so that its low side says where it was taken from."""
    y, x = np.mgrid[:height, :width]
    a, b, c = np.random.default_rng(seed).uniform(0.02, 0.12, 3)
    waves = [np.sin(a * x + b * y + seed), np.cos(b * x - c * y), np.sin(c * x * a + b * y)]
    return (127.5 + 100 * np.stack(waves, 2)).astype(np.uint8)


def written(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def singles(tmp_path):
    for split, seeds in (("train", range(4)), ("test", range(10, 13))):
        for seed in seeds:
            written(tmp_path / split / f"{seed}.png", scene(seed))
    return tmp_path


@pytest.fixture
def pairs(tmp_path):
    for split, seeds in (("train", range(4)), ("test", range(10, 13))):
        for seed in seeds:
            high = scene(seed)
            low = degraded(DEGRADATIONS.find("area").build("area", {}), high, SCALE, 0)
            written(tmp_path / split / "lr" / f"{seed}x4.png", low)
            written(tmp_path / split / "hr" / f"{seed}.png", high)
    return tmp_path


def as_pixels(image):
    return ((image.numpy() + 1) * 127.5).transpose(1, 2, 0)


def area(high):
    return degraded(DEGRADATIONS.find("area").build("area", {}), as_pixels(high), SCALE, 0).astype(float)


class TestPairsOnDisk:
    def test_random_crops_of_both_sides_show_the_same_place(self, pairs):
        """The mean of each square of the high crop is the low crop, mirrored or not, at 30 places."""
        data = open_split(spec_of(pairs), "train", tell=False)
        places = set()
        for number in range(30):
            item = data[Draw(number % 4, 1000 + 7 * number)]
            assert item["input"].shape == (3, SIDE, SIDE)
            assert item["target"].shape == (3, SCALE * SIDE, SCALE * SIDE)
            assert np.abs(area(item["target"]) - as_pixels(item["input"])).max() <= 1
            places.add(item["target"].numpy().tobytes())
        assert len(places) > 20

    def test_a_high_side_with_a_remainder_is_cut_at_its_end(self, pairs):
        """The pair stays aligned."""
        high = scene(3, 75, 62)
        written(pairs / "train" / "hr" / "3.png", high)
        low = degraded(DEGRADATIONS.find("area").build("area", {}), high[:60, :72], SCALE, 0)
        written(pairs / "train" / "lr" / "3x4.png", low)
        data = open_split(spec_of(pairs), "train", tell=False)
        for number in range(10):
            item = data[Draw(3, number)]
            assert np.abs(area(item["target"]) - as_pixels(item["input"])).max() <= 1

    def test_sizes_that_do_not_belong_together_are_named(self, pairs):
        """One pair is left out with its sizes; all pairs of another scale end the run with the cure."""
        written(pairs / "train" / "lr" / "3x4.png", scene(3, 20, 15))
        skipped = open_split(spec_of(pairs), "train", tell=False).skipped
        assert len(skipped) == 1
        assert all(part in skipped[0] for part in ("3.png", "20x15", "72x60", "80x60", "scale 4"))
        written(pairs / "train" / "lr" / "3x4.png", scene(3, 18, 15))
        for path in (pairs / "train" / "lr").glob("*"):
            path.rename(path.with_name(path.name.replace("x4", "")))
        with pytest.raises(UserError, match=r"4 of 4 pictures cannot be used.*18x15 and 72x60.*at scale 2"):
            open_split(spec_of(pairs, scale=2), "train")

    def test_degrading_what_has_a_low_side_is_refused(self, pairs):
        """One of the two is what the user wants; the message has both."""
        with pytest.raises(UserError, match=r"lr, hr.*--degrade real, which makes the low side"):
            open_split(spec_of(pairs, degrade="real"), "train")
        with pytest.raises(UserError, match="settings of a degradation, which makes the low side"):
            open_split(spec_of(pairs, degradation={"sigma": 3}), "train")

    def test_both_sides_are_part_of_the_fingerprint(self, pairs):
        """Another low side is another set."""
        before = fingerprint(spec_of(pairs))
        written(pairs / "train" / "lr" / "3x4.png", scene(3, 18, 15))
        assert fingerprint(spec_of(pairs)) != before


def test_pairs_side_by_side_are_read_at_scale_one(tmp_path):
    """A|B files twice as wide as high; the direction says which half is the low side."""
    for split in ("train", "test"):
        written(tmp_path / split / "a.png", np.concatenate([scene(1, 40, 40), scene(2, 40, 40)], 1))
    for direction, (low, high) in {"AtoB": (1, 2), "BtoA": (2, 1)}.items():
        data = open_split(spec_of(tmp_path, "denoise", 1, 40, direction=direction), "test", tell=False)
        item = data[0]
        assert np.allclose(as_pixels(item["input"]), scene(low, 40, 40), atol=1e-3)
        assert np.allclose(as_pixels(item["target"]), scene(high, 40, 40), atol=1e-3)


class TestSinglePictures:
    def test_the_low_side_is_made_of_the_crop(self, singles):
        """By the degradation that is asked for; bicubic if none is; a note says it."""
        for how, name in (({"degrade": "area"}, "area"), ({}, "bicubic")):
            data = open_split(spec_of(singles, **how), "train", tell=False)
            item = data[Draw(1, 5)]
            made = degraded(DEGRADATIONS.find(name).build(name, {}), as_pixels(item["target"]), SCALE, 0)
            assert np.abs(as_pixels(item["input"]) - made).max() <= 1
            assert any(f"--degrade {name} at scale 4" in note for note in data.notes)

    def test_test_pictures_are_degraded_alike_each_time_and_training_pictures_anew(self, singles):
        """An item of the test is a function of its number; a draw, of the draw."""
        spec = spec_of(singles, degrade="real")
        first, again = (open_split(spec, "test", tell=False) for _ in range(2))
        for index in range(len(first)):
            assert all(torch.equal(first[index][key], again[index][key]) for key in ("input", "target"))
        assert not torch.equal(first[0]["input"], first[1]["input"])
        train = open_split(spec, "train", tell=False)
        same = train[Draw(0, 3)], train[Draw(0, 3)], train[Draw(0, 4)]
        assert torch.equal(same[0]["input"], same[1]["input"])
        assert not torch.equal(same[0]["input"], same[2]["input"])

    def test_the_middle_of_a_test_picture_is_measured_and_nothing_is_resized(self, singles):
        """Pixels of the file stand in the target; a note says that the rest is not measured."""
        data = open_split(spec_of(singles), "test", tell=False)
        assert np.allclose(as_pixels(data[0]["target"]), scene(10)[14:46, 20:52], atol=1e-3)
        assert any("larger than 32x32" in note for note in data.notes)

    def test_pictures_smaller_than_the_crop_are_left_out_by_name(self, singles):
        """If all are, the largest size that fits is offered."""
        written(singles / "train" / "small.png", scene(7, 30, 60))
        skipped = open_split(spec_of(singles), "train", tell=False).skipped
        assert len(skipped) == 1
        assert all(part in skipped[0] for part in ("small.png", "30x60", "32x32"))
        with pytest.raises(UserError, match=r"largest is 72x60; expected 128x128 at scale 4.*--image-size 15"):
            open_split(spec_of(singles, side=32), "train")

    @pytest.mark.parametrize(("task", "usual"), [("denoise", "noise"), ("deblur", "blur"), ("colorize", "gray")])
    def test_tasks_at_scale_one_have_a_usual_degradation(self, singles, task, usual):
        """Another one may be asked for, with settings of its own."""
        spec = spec_of(singles, task, 1, 24)
        data = open_split(spec, "test", tell=False)
        assert any(f"--degrade {usual}" in note for note in data.notes)
        assert not torch.equal(data[0]["input"], data[0]["target"])
        faint = open_split(spec_of(singles, task, 1, 24, degrade="noise", degradation={"sigma": 0}), "test", tell=False)
        assert np.abs(as_pixels(faint[0]["input"]) - as_pixels(faint[0]["target"])).max() < 0.01

    def test_a_degradation_that_needs_a_scale_is_refused_without_one(self, singles):
        """The message has those that do not."""
        with pytest.raises(UserError, match=r"bicubic leaves pictures as they are at scale 1.*real, noise, blur, gray"):
            open_split(spec_of(singles, scale=1), "train")

    def test_colors_are_those_of_the_generator(self, singles):
        """Lightness in and a, b out belong to the same picture; gray in is its luma."""
        data = open_split(spec_of(singles, "colorize", 1, 24, (1, 2), ("lightness", "ab")), "test", tell=False)
        rgb = open_split(spec_of(singles, "colorize", 1, 24, (1, 3)), "test", tell=False)
        assert data[0]["input"].shape == (1, 24, 24)
        assert data[0]["target"].shape == (2, 24, 24)
        luma = as_pixels(rgb[0]["target"]) @ [0.299, 0.587, 0.114]
        assert np.abs(as_pixels(rgb[0]["input"])[..., 0] - luma).max() < 1.1


def test_built_in_shapes_are_degraded_too():
    """The set is drawn at the high side's size."""
    spec = spec_of("builtin:shapes", n_train=3, n_test=2)
    item = open_split(spec, "test", tell=False)[0]
    assert item["input"].shape == (3, SIDE, SIDE)
    assert item["target"].shape == (3, SCALE * SIDE, SCALE * SIDE)
