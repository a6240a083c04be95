"""The discriminator of Real-ESRGAN: its published count, and a score of each pixel."""

import torch
from ganprune.gan_models.networks.catalog import build


def test_it_has_the_published_number_of_parameters():
    """4,376,897, as the published code counts them."""
    assert sum(p.numel() for p in build("unet_spectral").parameters()) == 4_376_897


def test_each_pixel_has_a_score_that_depends_on_its_surroundings():
    """A far corner changes the score of the middle: three halvings see 60 pixels and more."""
    torch.manual_seed(0)
    judge = build("unet_spectral", {"ndf": 8}).eval()
    x = torch.randn(1, 3, 64, 64)
    changed = x.clone()
    changed[..., 8:12, 8:12] += 1
    with torch.no_grad():
        difference = (judge(changed) - judge(x)).abs()[0, 0]
    assert difference.shape == (64, 64)
    assert difference[10, 10] > difference[30, 30] > 0


def test_the_norm_of_each_inner_convolution_is_one():
    """Spectral norm after some power iterations, by the singular values."""
    torch.manual_seed(0)
    judge = build("unet_spectral", {"ndf": 4}).train()
    for _ in range(50):
        judge(torch.randn(1, 3, 16, 16))
    for i in range(1, 9):
        weight = getattr(judge, f"conv{i}").weight.detach().flatten(1)
        assert abs(float(torch.linalg.matrix_norm(weight, 2)) - 1) < 0.02
