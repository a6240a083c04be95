"""StarGAN's generator (Choi et al. 2018), with upstream's state-dict keys: the wanted domain is added as maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ..layers import check_count

N_DOWNS = 2


class StarganBlock(nn.Module):
    """x + [conv 3x3, norm, ReLU, conv 3x3, norm]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            _norm(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            _norm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        return x + self.main(x)


class StarganGenerator(nn.Module):
    """Image (N, C, H, W) and domain (N,) to the image in that domain, (N, C, H, W) in [-1, 1]. H, W: multiples of 4."""

    def __init__(self, ngf: int, domains: int, n_blocks: int, input_channels: int) -> None:
        super().__init__()
        for name, value in (("ngf", ngf), ("classes", domains), ("input_channels", input_channels)):
            check_count(name, value)
        check_count("n_blocks", n_blocks, at_least=0)
        self.domains = domains
        layers = [nn.Conv2d(input_channels + domains, ngf, 7, padding=3, bias=False), _norm(ngf), nn.ReLU()]
        width = ngf
        for _ in range(N_DOWNS):
            layers += [nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), _norm(2 * width), nn.ReLU()]
            width *= 2
        layers += [StarganBlock(width) for _ in range(n_blocks)]
        for _ in range(N_DOWNS):
            layers += [nn.ConvTranspose2d(width, width // 2, 4, 2, 1, bias=False), _norm(width // 2), nn.ReLU()]
            width //= 2
        layers += [nn.Conv2d(width, input_channels, 7, padding=3, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)

    def forward(self, image: Tensor, domain: Tensor) -> Tensor:
        """Translate (N, C, H, W) to domain (N,)."""
        planes = one_hot(domain, self.domains).to(image.dtype)[:, :, None, None]
        planes = planes.expand(-1, -1, image.shape[2], image.shape[3])
        return self.main(torch.cat((image, planes), 1))


def _norm(channels: int) -> nn.Module:
    return nn.InstanceNorm2d(channels, affine=True)


def stargan(ngf: int = 64, classes: int = 5, n_blocks: int = 6, input_channels: int = 3) -> nn.Module:
    """StarGAN's generator; the defaults are those of CelebA at 128x128.

    Args:
        ngf: channels of the stem; the trunk has 4 * ngf.
        classes: number of domains; upstream's several attributes at once are a one-hot domain here.
        n_blocks: residual blocks.
        input_channels: channels of the image.

    Raises:
        ValueError: an argument is out of its range.
    """
    return StarganGenerator(ngf, classes, n_blocks, input_channels)
