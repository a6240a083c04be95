import math

import pytest
import torch
from ganprune.evaluators.quality.reference_based import PSNR, SSIM, l1_of, luma_of, psnr_of, psnr_y, ssim_of, ssim_y


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


def measured(metric, outputs, references):
    metric.reset(full=True)
    for x, y in zip(outputs.split(2), references.split(2), strict=True):
        metric.update(x, y)
    return metric.compute()[0]


def pair(channels=3, size=24):
    random = torch.Generator().manual_seed(5)
    x = torch.rand(4, channels, size, size, generator=random) * 2 - 1
    return x, (x + 0.1 * torch.randn(x.shape, generator=random)).clamp(-1, 1)


@pytest.mark.parametrize(("kind", "of"), [(PSNR, psnr_of), (SSIM, ssim_of)])
def test_a_border_is_left_out_and_named(kind, of):
    """The value is that of the inner images, whatever stands at the border; without a border the name is plain."""
    x, y = pair()
    found = measured(kind(border=4), x, y)
    assert found.name == f"{kind.kind}[border=4]"
    assert found.value == pytest.approx(float(of(x[..., 4:-4, 4:-4], y[..., 4:-4, 4:-4]).mean()))
    x[..., :4, :], x[..., -4:], y[..., -4:, :] = 1, -1, 0.3
    assert measured(kind(border=4), x, y).value == found.value
    assert measured(kind(), x, y).name == kind.kind
    assert measured(kind(), x, y).value != found.value


def test_luma_is_that_of_bt_601():
    """Black is 16, white 235, and a primary has the published weight; gray images have the luma of three channels."""
    colors = torch.tensor([[-1, -1, -1], [1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]).float()[:, :, None, None]
    levels = (luma_of(colors).flatten() + 1) * 127.5
    assert levels.tolist() == pytest.approx([16, 235, 81.481, 144.553, 40.966])
    gray = pair(channels=1)[0]
    assert torch.equal(luma_of(gray), luma_of(gray.expand(-1, 3, -1, -1)))


def test_psnr_of_luma_is_that_of_gray_levels_with_the_peak_255():
    """By the definition, on levels of 16 to 235."""
    x, y = pair()
    error = ((luma_of(x) - luma_of(y)) * 127.5).square().flatten(1).mean(1)
    found = measured(psnr_y(), x, y)
    assert found.name == "psnr_y"
    assert found.value == pytest.approx(float((10 * torch.log10(255**2 / error)).mean()))
    assert measured(ssim_y(border=2), x, y).name == "ssim_y[border=2]"


def test_what_cannot_be_compared_is_absent_with_the_reason():
    """Images too small for the window inside the border, and channels that have no luma."""
    small = measured(SSIM(border=4), *pair(size=16))
    assert math.isnan(small.value)
    assert "16 pixels" in small.reason
    assert "at least 19" in small.reason
    assert "2 channels have no luma" in measured(psnr_y(), *pair(channels=2)).reason
