import math

import pytest
import torch
from ganprune.evaluators.quality.reference_based import l1_of, psnr_of, ssim_of


def test_closed_forms_of_constant_images():
    """Constant images have L1, PSNR and SSIM in closed form."""
    x, y = torch.full((2, 3, 16, 16), 0.5), torch.full((2, 3, 16, 16), -0.1)
    assert l1_of(x, y).tolist() == pytest.approx([0.6, 0.6], rel=1e-6)
    assert psnr_of(x, y).tolist() == pytest.approx([20 * math.log10(2 / 0.6)] * 2, rel=1e-6)
    p, q, c1 = 0.75, 0.45, 1e-4
    assert ssim_of(x, y).tolist() == pytest.approx([(2 * p * q + c1) / (p * p + q * q + c1)] * 2, rel=1e-5)


def test_ssim_by_definition():
    """SSIM of one window equals the formula with the Gaussian weights written out."""
    x, y = torch.rand(2, 1, 1, 11, 11, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weights = [[math.exp(-((i - 5) ** 2 + (j - 5) ** 2) / 4.5) for j in range(11)] for i in range(11)]
    w = torch.tensor(weights, dtype=torch.float64)
    w = w / w.sum()
    p, q = x[0, 0], y[0, 0]
    mp, mq = (w * p).sum(), (w * q).sum()
    vp, vq, c = (w * (p - mp) ** 2).sum(), (w * (q - mq) ** 2).sum(), (w * (p - mp) * (q - mq)).sum()
    want = (2 * mp * mq + 1e-4) * (2 * c + 9e-4) / ((mp**2 + mq**2 + 1e-4) * (vp + vq + 9e-4))
    assert float(ssim_of(2 * x - 1, 2 * y - 1)) == pytest.approx(float(want), rel=1e-9)


def test_equal_images():
    """Equal images: L1 0, PSNR infinite, SSIM 1."""
    x = torch.rand(1, 3, 20, 20) * 2 - 1
    assert float(l1_of(x, x)) == 0
    assert math.isinf(float(psnr_of(x, x)))
    assert float(ssim_of(x, x)) == pytest.approx(1)


def test_shapes_are_checked():
    """Images of different shapes, or too small for the window, are refused."""
    with pytest.raises(ValueError, match="one shape"):
        l1_of(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 9))
    with pytest.raises(ValueError, match="11 pixels"):
        ssim_of(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8))
