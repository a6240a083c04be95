"""Distances between a student's and a teacher's images."""

import pytest
import torch
from ganprune.gan_models.pruning.perceptual_distance import image_distance, perceptual
from ganprune.gan_models.tasks.stylization.style_losses import gram

from .slimming.slimming_jobs import Maps


def test_a_gram_matrix_is_the_mean_product_of_channels_over_their_number():
    """Two constant maps a and b of any size: entries aa, ab, bb, over C = 2 channels."""
    maps = torch.stack([torch.full((3, 5), 2.0), torch.full((3, 5), 4.0)])[None]
    assert torch.allclose(gram(maps), torch.tensor([[[2.0, 4.0], [4.0, 8.0]]]))


def test_the_perceptual_distance_of_constant_images_is_known():
    """|y - t| of the first map plus the weighted squared Gram differences of all maps."""
    y, t = torch.full((2, 1, 4, 4), 0.5), torch.zeros(2, 1, 4, 4)
    assert float(perceptual(Maps(), y, t)) == pytest.approx(0.5 + 10 * 2 * 0.25**2)
    assert float(perceptual(Maps(), y, y)) == 0


def test_gradients_flow_to_the_student_and_not_to_the_teacher():
    """Every distance can be descended; the goals are constants."""
    for name in ("perceptual+l1", "perceptual", "l1", "mse"):
        y, t = torch.rand(2, 3, 4, 4, requires_grad=True), torch.rand(2, 3, 4, 4)
        image_distance(name, Maps())(y, t).backward()
        assert float(y.grad.abs().max()) > 0, name


def test_names_choose_the_published_the_pixel_and_the_joint_distance():
    """mse is the plain mean square, the default the sum of pixels and features, pixels alone without an encoder."""
    y, t = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    l1 = float((y - t).abs().mean())
    assert float(image_distance("l1", Maps())(y, t)) == pytest.approx(l1)
    assert float(image_distance("perceptual+l1", None)(y, t)) == pytest.approx(l1)
    assert float(image_distance("mse", None)(y, t)) == pytest.approx(float((y - t).square().mean()))
    joint = float(image_distance("perceptual+l1", Maps())(y, t))
    assert joint == pytest.approx(l1 + float(perceptual(Maps(), y, t)))
    with pytest.raises(ValueError, match="'cosine'"):
        image_distance("cosine", Maps())
