"""Drawings with smoothed edges: what is an edge, and what stays as it is."""

import torch
from ganprune.gan_models.tasks.stylization.edge_smoothing import SIGMA, edges, smoothed_edges


def half(side=16, low=-1.0, high=1.0):
    """Return [1, 3, side, side] with a vertical edge in the middle."""
    image = torch.full((1, 3, side, side), low)
    image[..., side // 2 :] = high
    return image


def test_an_image_without_edges_stays_as_it_is():
    """A flat image and a slow ramp have no edges, to the last bit."""
    ramp = torch.linspace(-1, 1, 32).expand(2, 3, 32, 32)
    for image in (torch.full((2, 3, 8, 8), 0.3), ramp):
        assert not edges(image).any()
        assert torch.equal(smoothed_edges(image), image)


def test_an_edge_is_one_pixel_wide_and_blurred_two_pixels_around():
    """Beside a vertical edge the blur is OpenCV's Gaussian of 5 pixels; five columns change, others do not."""
    image = half()
    assert edges(image).sum().item() == 16  # a column
    column = int(edges(image)[0, 0, 0].nonzero())
    changed = (smoothed_edges(image) != image).any(2)[0, 0].nonzero().flatten().tolist()
    assert set(changed) <= set(range(column - 2, column + 3))
    weights = torch.exp(-torch.arange(-2.0, 3).square() / (2 * SIGMA**2))
    weights /= weights.sum()
    first_bright = smoothed_edges(image)[0, 0, 8, 8]
    assert torch.isclose(first_bright, 1 - 2 * weights[:2].sum(), atol=1e-6)


def test_a_weak_edge_counts_beside_a_strong_one_alone():
    """Gradients between the thresholds are edges if they go on from one above both."""
    weak = half(high=-1 + 36 / 127.5)  # |dx| is 4 * 36 of 255: between 100 and 200
    assert not edges(weak).any()
    mixed = weak.clone()
    mixed[..., :8, 8:] = 1
    assert edges(mixed)[..., 8:, :].any()


def test_other_channels_and_each_image_count_by_themselves():
    """One of gray, two and four channels works; an image's neighbors in the batch change nothing."""
    for channels in (1, 2, 4):
        image = half()[:, :1].repeat(1, channels, 1, 1)
        assert edges(image).any()
        assert smoothed_edges(image).shape == image.shape
    both = torch.cat((half(), torch.zeros(1, 3, 16, 16)))
    assert torch.equal(smoothed_edges(both)[:1], smoothed_edges(half()))
    assert torch.equal(smoothed_edges(both)[1:], both[1:])
