"""Pictures of any size through a generator: at their own size, in tiles, or fitted to a fixed size."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.studies.inference.placements import at_own_size, fitted
from ganprune.studies.inference.sizes import SizeRule, find_size_rule
from ganprune.studies.inference.tiles import fitting_side, in_tiles
from ganprune.studies.inference.translation import OpenedGenerator, Translation, TranslationOptions
from PIL import Image
from torch import nn

RGB = InputSpec.parse("3,16,16")


def strided(n):
    """The identity, for heights and widths that are multiples of n."""
    return nn.Sequential(nn.PixelUnshuffle(n), nn.PixelShuffle(n))


class Fixed(nn.Module):
    """The identity at 16 x 16 alone."""

    def forward(self, x):
        return x.reshape(len(x), 3, 16, 16)


class AlwaysThirtyTwo(nn.Module):
    """An output of one size, whatever the input's."""

    def forward(self, x):
        return nn.functional.interpolate(x, (32, 32))


class Recorder(nn.Module):
    """A network that remembers the shapes of its inputs."""

    def __init__(self, network):
        super().__init__()
        self.network, self.shapes = network, []

    def forward(self, x):
        self.shapes.append(tuple(x.shape))
        return self.network(x)


@pytest.mark.parametrize(
    ("network", "stride", "scale"),
    [
        (nn.Identity(), 1, 1),
        (strided(4), 4, 1),
        (strided(16), 16, 1),
        (nn.Sequential(nn.Conv2d(3, 3, 3, 2, 1), nn.Conv2d(3, 3, 3, 2, 1), nn.Upsample(scale_factor=4)), 4, 1),
        (nn.Upsample(scale_factor=2), 1, 2),
        (nn.AvgPool2d(2), 2, Fraction(1, 2)),
        (Fixed(), 0, 1),
        (AlwaysThirtyTwo(), 0, 2),
    ],
)
def test_the_stride_is_found_by_trying(network, stride, scale):
    """The smallest multiple at which the output is as much larger than the input as at the trained size."""
    rule = find_size_rule(network, RGB)
    assert (rule.stride, rule.scale) == (stride, scale)
    assert rule.fixed == (stride == 0)
    assert bool(rule.reason) == rule.fixed


def test_the_least_size_is_found_by_trying():
    """Reflection of 5 pixels needs sides of 6 or more: the first doubled stride that runs is 8."""
    network = nn.Sequential(nn.ReflectionPad2d(5), nn.Conv2d(3, 3, 11))
    rule = find_size_rule(network, RGB)
    assert (rule.stride, rule.least) == (1, 8)
    assert rule.around(3, 20) == (8, 20)


def picture(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def translated(tmp_path, network, options=None, **pictures):
    """Run a network over pictures by name; return arrays by name, and what the run says."""
    folder = tmp_path / "in"
    folder.mkdir(exist_ok=True)
    for name, pixels in pictures.items():
        (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(folder / f"{name}.png")
    generator = OpenedGenerator(lambda x: network(x), RGB)
    done = Translation(generator, folder, tmp_path / "out", options or TranslationOptions()).run()
    return {name[:-4]: np.asarray(Image.open(tmp_path / "out" / name)) for name in done.written}, done


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (64, 20), (5, 3), (1, 1), (200, 7)])
@pytest.mark.parametrize("stride", [1, 4, 16])
def test_a_picture_keeps_its_pixels_at_its_own_size(size, stride, tmp_path):
    """The identity of any stride gives each picture back bit for bit: padded, run and cropped at the right place."""
    pixels = picture(*size)
    found, done = translated(tmp_path, strided(stride), a=pixels)
    assert np.array_equal(found["a"], pixels)
    assert done.notes == ()


def test_the_padding_is_a_reflection():
    """The border around the picture in the network's input is its mirror image, not black."""
    placed = at_own_size(4, 6, SizeRule((16, 16), 8, 8, Fraction(1)))
    assert placed.size == (8, 8)
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6, 1)
    padded = placed.apply(pixels)[:, :, 0]
    assert np.array_equal(padded, np.pad(pixels[:, :, 0], ((2, 2), (1, 1)), mode="reflect"))


@pytest.mark.parametrize(("scale", "network"), [(2, nn.Upsample(scale_factor=2)), (4, nn.Upsample(scale_factor=4))])
def test_a_generator_that_enlarges_gives_the_enlarged_size(scale, network, tmp_path):
    """Width and height are those of the picture times the scale, pixel by pixel."""
    pixels = picture(21, 10)
    found, _ = translated(tmp_path, nn.Sequential(strided(4), network), a=pixels)
    assert np.array_equal(found["a"], pixels.repeat(scale, 0).repeat(scale, 1))


def test_a_generator_that_halves_rounds_up(tmp_path):
    """21 x 10 becomes 11 x 5: no column is lost."""
    found, _ = translated(tmp_path, nn.AvgPool2d(2), a=picture(21, 10))
    assert found["a"].shape[:2] == (5, 11)


def test_names_folders_and_alpha_are_kept(tmp_path):
    """An output lies at its picture's place, and is as transparent as it; suffixes tell namesakes apart."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    alpha = Image.fromarray(np.arange(15 * 10, dtype=np.uint8).reshape(10, 15))
    clear = Image.fromarray(picture(15, 10))
    clear.putalpha(alpha)
    clear.save(tmp_path / "in" / "sub" / "clear.png")
    Image.fromarray(picture(8, 8)).save(tmp_path / "in" / "sub" / "same.jpg")
    _, done = translated(tmp_path, nn.Identity(), same=picture(9, 9))
    assert done.written == ("same.png", "sub/clear.png", "sub/same.png")
    found = Image.open(tmp_path / "out" / "sub" / "clear.png")
    assert found.mode == "RGBA"
    assert np.array_equal(np.asarray(found.getchannel("A")), np.asarray(alpha))
    enlarged, _ = translated(tmp_path, nn.Upsample(scale_factor=2))
    assert enlarged["sub/clear"].shape == (20, 30, 4)


def test_outputs_of_an_earlier_run_are_no_inputs(tmp_path):
    """A folder of outputs inside that of the inputs is passed over."""
    (tmp_path / "in").mkdir()
    Image.fromarray(picture(8, 8)).save(tmp_path / "in" / "a.png")
    generator = OpenedGenerator(nn.Identity(), RGB)
    for _ in range(2):
        done = Translation(generator, tmp_path / "in", tmp_path / "in" / "out", TranslationOptions()).run()
        assert done.written == ("a.png",)


def test_a_picture_that_is_turned_comes_out_upright(tmp_path):
    """EXIF's orientation is applied, and the output's size is the upright one."""
    (tmp_path / "in").mkdir()
    pixels, exif = picture(20, 12), Image.Exif()
    exif[274] = 6
    Image.fromarray(pixels).save(tmp_path / "in" / "a.png", exif=exif)
    found, _ = translated(tmp_path, strided(4))
    assert np.array_equal(found["a"], np.rot90(pixels, -1))


class TestFixedSizes:
    def test_it_is_said_once_and_the_size_is_kept(self, tmp_path):
        """Without --fit pictures are stretched and back, and one note names the size, the reason and the choice."""
        found, done = translated(tmp_path, Fixed(), a=picture(40, 20), b=picture(16, 16), c=picture(20, 40))
        assert {name: pixels.shape for name, pixels in found.items()} == {
            "a": (20, 40, 3), "b": (16, 16, 3), "c": (40, 20, 3)
        }  # fmt: skip
        assert np.array_equal(found["b"], picture(16, 16))
        assert len(done.notes) == 1
        assert "16x16 alone" in done.notes[0]
        assert "2 images" in done.notes[0]
        assert "--fit crop, pad, stretch or tile" in done.notes[0]

    def test_pictures_of_the_trained_size_need_no_trial(self, tmp_path):
        """If all have it the network is called on them alone."""
        network = Recorder(Fixed())
        _, done = translated(tmp_path, network, a=picture(16, 16), b=picture(16, 16))
        assert network.shapes == [(2, 3, 16, 16)]
        assert done.notes == ()

    def test_pad_keeps_the_shape(self, tmp_path):
        """A smooth picture of 40 x 20 comes back nearly as it was, at half the resolution."""
        ramp = np.linspace(0, 255, 40, dtype=np.uint8)[None, :, None].repeat(20, 0).repeat(3, 2)
        found, done = translated(tmp_path, Fixed(), TranslationOptions(fit="pad"), a=ramp)
        assert found["a"].shape == (20, 40, 3)
        assert abs(found["a"].astype(int) - ramp).max() <= 6
        assert done.notes == ()

    def test_crop_takes_the_middle(self, tmp_path):
        """The middle 16 x 16 of 48 x 16 is left, bit for bit, with its own transparency."""
        pixels = picture(48, 16)
        clear = Image.fromarray(pixels)
        clear.putalpha(Image.fromarray(pixels[:, :, 0]))
        found, _ = translated(tmp_path, Fixed(), TranslationOptions(fit="crop"), a=clear)
        assert np.array_equal(found["a"], np.asarray(clear)[:, 16:32])

    @pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
    def test_fit_acts_on_a_generator_of_any_size_too(self, fit, tmp_path):
        """A request for the trained size is met."""
        network = Recorder(nn.Identity())
        translated(tmp_path, network, TranslationOptions(fit=fit), a=picture(40, 20))
        assert set(network.shapes) == {(1, 3, 16, 16)}

    @pytest.mark.parametrize("size", [(1, 300), (7, 7), (16, 16), (33, 16), (1000, 999)])
    @pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
    def test_every_placement_lies_inside(self, fit, size):
        """Whatever the shape, the input has the trained size and its inner part is in it."""
        placed = fitted(*size, (16, 24), fit)
        assert placed.apply(np.zeros((*size, 1), np.uint8)).shape == (16, 24, 1)
        assert 0 <= placed.inner.top <= placed.inner.top + placed.inner.height <= 16
        assert 0 <= placed.inner.left <= placed.inner.left + placed.inner.width <= 24

    def test_one_that_enlarges_runs_in_tiles_of_its_size(self, tmp_path):
        """By default; nothing is lost, and a picture smaller than a tile comes back at its own size."""
        network = nn.Sequential(Fixed(), nn.Upsample(scale_factor=2))
        small, large = picture(7, 30), picture(50, 33)
        found, done = translated(tmp_path, network, small=small, large=large)
        for name, pixels in (("small", small), ("large", large)):
            assert np.array_equal(found[name], pixels.repeat(2, 0).repeat(2, 1))
        assert "2 images of other sizes are computed in tiles of it" in done.notes[0]
        assert "2 images are computed in tiles of 16x16" in done.notes

    def test_tiles_of_the_trained_size_may_be_asked_for(self, tmp_path):
        """A generator of fixed size and one of any size give each pixel in tiles."""
        pixels = picture(50, 33)
        for network in (Fixed(), nn.Identity()):
            found, _ = translated(tmp_path, network, TranslationOptions(fit="tile"), a=pixels)
            assert np.array_equal(found["a"], pixels)


class TestTiles:
    @pytest.mark.parametrize(("stride", "scale"), [(1, 1), (4, 1), (4, 2)])
    def test_tiles_of_a_local_network_are_the_whole(self, stride, scale):
        """The identity in tiles is the identity; every pixel is covered."""
        network = nn.Sequential(strided(stride), nn.Upsample(scale_factor=scale))
        rule = SizeRule((16, 16), stride, stride, Fraction(scale))
        x = torch.rand(2, 3, 200, 132)
        found = in_tiles(network, (x,), (True,), rule, 64)
        assert torch.allclose(found, network(x), atol=1e-6)

    def test_a_convolution_differs_near_no_border(self):
        """With a reach below half of the overlap the blend differs from the whole by little, and nowhere by a seam."""
        torch.manual_seed(0)
        network = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect") for _ in range(3)))
        x = torch.rand(1, 3, 160, 160)
        with torch.no_grad():
            whole, tiled = network(x), in_tiles(network, (x,), (True,), SizeRule((16, 16), 1, 8, Fraction(1)), 64)
        assert (whole - tiled).abs().max() < 0.1 * (whole.max() - whole.min())
        assert (whole - tiled).abs().mean() < 0.002

    def test_the_option_runs_in_tiles_and_says_so(self, tmp_path):
        """No input of the network is larger than the tile; the output is that of the whole."""
        network, pixels = Recorder(strided(4)), picture(150, 90)
        found, done = translated(tmp_path, network, TranslationOptions(tile=64), a=pixels)
        assert np.array_equal(found["a"], pixels)
        assert max(max(shape[2:]) for shape in network.shapes) == 64
        assert "tiles of 64x64" in done.notes[0]

    def test_memory_decides_without_the_option(self):
        """Halved until it fits; nothing is cut if all of it fits."""
        rule = SizeRule((16, 16), 8, 8, Fraction(1))
        assert fitting_side(rule, (1000, 1000), 1.0, 1e6) == 0
        assert fitting_side(rule, (1000, 1000), 1.0, 3e5) == 504  # 500, up to a multiple of the stride
        assert fitting_side(rule, (1000, 1000), 1.0, 1.0) == 64

    def test_an_input_of_another_size_is_not_cut(self, tmp_path):
        """A style image of 8 x 8 beside a picture goes whole to each tile."""
        inputs = InputSpec.parse("photo=3,16,16;style=3,8,8")
        shapes = set()

        def network(photo, style):
            shapes.add(tuple(style.shape[2:]))
            return photo + 0 * style.mean()

        for name, size in (("photo", (150, 70)), ("style", (30, 30))):
            (tmp_path / "in" / name).mkdir(parents=True)
            Image.fromarray(picture(*size)).save(tmp_path / "in" / name / "a.png")
        generator = OpenedGenerator(network, inputs)
        done = Translation(generator, tmp_path / "in", tmp_path / "out", TranslationOptions(tile=64)).run()
        assert done.written == ("a.png",)
        assert shapes == {(8, 8)}
        assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "a.png")), picture(150, 70))


def test_pictures_of_one_size_run_together(tmp_path):
    """Batches hold pictures of one padded size, whatever stands between them in the folder."""
    network = Recorder(strided(4))
    pictures = {f"p{i}": picture(20 + 13 * (i % 2), 20, i) for i in range(8)}
    found, _ = translated(tmp_path, network, TranslationOptions(batch_size=4), **pictures)
    assert all(np.array_equal(found[name], pixels) for name, pixels in pictures.items())
    assert network.shapes[-2:] == [(4, 3, 20, 20), (4, 3, 20, 36)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fit": "squash"}, "crop, pad, stretch"),
        ({"tile": 8}, "64 pixels or more"),
        ({"tile": 128, "fit": "pad"}, "give one of them"),
        ({"batch_size": 0}, "1 or more"),
        ({"half": "C"}, "A or B"),
    ],
)
def test_options_say_what_is_allowed(options, message):
    """Each in one line."""
    with pytest.raises(UserError, match=message):
        TranslationOptions(**options)


def test_a_tile_that_changes_nothing_is_told(tmp_path):
    """No option is ignored in silence."""
    _, done = translated(tmp_path, Fixed(), TranslationOptions(tile=64), a=picture(16, 16))
    assert "--tile 64 changes nothing" in done.notes[0]


def test_a_linked_picture_has_an_output_of_its_own(tmp_path):
    """A frame that is a link to an earlier one is translated under its own name."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b.png").symlink_to("a.png")
    found, _ = translated(tmp_path, strided(1), a=picture(8, 8))
    assert np.array_equal(found["a"], found["b"])


def test_what_is_not_translated_is_told(tmp_path):
    """Files of formats that cannot be read, and pictures behind the first of a file, are in the notes."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b.heic").touch()
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "in" / "m.gif", save_all=True, append_images=frames[1:])
    _, done = translated(tmp_path, strided(1), a=picture(8, 8))
    assert any("1 not an image format (.heic)" in note for note in done.notes)
    assert any("several pictures" in note and "m.gif" in note for note in done.notes)
