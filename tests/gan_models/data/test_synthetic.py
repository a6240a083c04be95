"""The generated image sets."""

import pytest
import torch
import torch.nn.functional as F
from ganprune.gan_models.data.synthetic import render_shapes, render_stripes


def test_an_image_depends_on_seed_split_and_index_alone():
    """Image 7 is the same alone, in any order and in any company."""
    drawings, paintings = render_shapes(3, "train", range(40), 64)
    drawing, painting = render_shapes(3, "train", [39, 7], 64)
    assert torch.equal(drawing[1], drawings[7])
    assert torch.equal(painting[1], paintings[7])
    assert torch.equal(painting[0], paintings[39])


def test_seeds_splits_and_indices_give_different_scenes():
    """No two of many scenes are equal, across seeds, splits, indices and domains."""
    images = [render_shapes(seed, split, range(20), 16)[1] for seed in (0, 1) for split in ("train", "val", "test")]
    images += [render_stripes(0, "train", domain, range(20), 16) for domain in "AB"]
    assert len({image.numpy().tobytes() for image in torch.cat(images)}) == 160


def test_a_scene_is_the_same_at_every_size():
    """A painting at 32 pixels looks like the same painting at 128 pixels, averaged down."""
    small = render_shapes(0, "test", range(8), 32)[1].float()
    large = F.avg_pool2d(render_shapes(0, "test", range(8), 128)[1].float(), 4)
    other = F.avg_pool2d(render_shapes(0, "test", range(8, 16), 128)[1].float(), 4)
    assert (small - large).abs().mean() < 6
    assert (small - other).abs().mean() > 20


def test_drawings_are_ink_on_paper():
    """A drawing is gray, mostly white, and has black lines."""
    drawings, _ = render_shapes(0, "train", range(16), 64)
    assert torch.equal(drawings[:, 0], drawings[:, 1])
    assert torch.equal(drawings[:, 0], drawings[:, 2])
    white = (drawings == 255).float().mean((1, 2, 3))
    assert (white > 0.6).all()
    assert (drawings.amin((1, 2, 3)) < 60).all()


def test_the_painting_differs_where_the_drawing_has_shapes():
    """Paintings are colored, and their rows are level outside shapes: what varies along a row was drawn."""
    drawings, paintings = render_shapes(0, "train", range(32), 64)
    assert (paintings[:, 0].float() - paintings[:, 2].float()).abs().mean() > 20
    level = (paintings == paintings[..., :1]).all(1).all(-1)  # rows of one color
    drawn = (drawings[:, 0] < 200).float().mean(-1)
    assert level.any()
    assert (drawn[level] == 0).float().mean() > 0.9


def test_stripes_of_domain_b_only():
    """Along a column, domain B changes brightness much more often than domain A."""
    a, b = (render_stripes(0, "train", domain, range(64), 64).float().mean(1) for domain in "AB")
    changes_a, changes_b = ((x.diff(dim=1).abs() > 40).float().mean() for x in (a, b))
    assert changes_b > 2 * changes_a


def test_a_golden_image():
    """The set stays what it is: means of one pair (tolerance: rounding of sines on other machines)."""
    drawing, painting = render_shapes(0, "train", [0], 64)
    assert float(drawing.float().mean()) == pytest.approx(GOLDEN[0], abs=0.05)
    assert painting.float().mean((0, 2, 3)).tolist() == pytest.approx(GOLDEN[1:], abs=0.05)


GOLDEN = (235.847, 133.408, 135.896, 127.653)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, "train", "C", [0], 64), "domain: got 'C'"),
        ((0, "dev", "A", [0], 64), "split: got 'dev'"),
        ((0, "val", "A", [0], 4), "4"),
    ],
)
def test_wrong_arguments_say_what_is_allowed(arguments, message):
    """An unknown domain or split and an impossible size are named."""
    with pytest.raises(ValueError, match=message):
        render_stripes(*arguments)
