"""Generators and discriminators of a user's own, each with other inputs or outputs than one RGB image.

The file stands alone, so that `own_inputs.py:masked` names a generator from a file.
"""

import torch
from torch import Tensor, nn


def translator(*, taken: int = 3, given: int = 3, width: int = 8) -> nn.Module:
    """Return a translator of one image of any channels."""
    return nn.Sequential(
        nn.Conv2d(taken, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(2 * width, given, 3, padding=1),
        nn.Tanh(),
    )


def upscaler(*, width: int = 8) -> nn.Module:
    """Return a generator of twice the size."""
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(2 * width, 12, 3, padding=1),
        nn.PixelShuffle(2),
        nn.Tanh(),
    )


class Masked(nn.Module):
    """A translator of an image and the mask of what is to be filled."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = translator(taken=4, width=width)

    def forward(self, photo: Tensor, mask: Tensor) -> Tensor:
        """Return the photo [N, 3, H, W], of which the mask [N, 1, H, W] is filled."""
        return self.body(torch.cat((photo * (1 - mask), mask), 1))


def masked(*, width: int = 8) -> nn.Module:
    """Return the generator."""
    return Masked(width)


class Semantic(nn.Module):
    """A generator of a label map and a vector."""

    def __init__(self, classes: int, length: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, width)
        self.style = nn.Linear(length, width)
        self.body = translator(taken=width, width=width)

    def forward(self, labels: Tensor, mood: Tensor) -> Tensor:
        """Return images of label maps [N, H, W] and moods [N, d]."""
        maps = self.embedding(labels).permute(0, 3, 1, 2)
        return self.body(maps + self.style(mood)[:, :, None, None])


def semantic(*, classes: int = 3, length: int = 2, width: int = 8) -> nn.Module:
    """Return the generator."""
    return Semantic(classes, length, width)


class OfClass(nn.Module):
    """A generator of a latent and the label of a class."""

    def __init__(self, latent: int, classes: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.embedding = nn.Embedding(classes, latent)
        self.linear = nn.Linear(latent, 4 * width)
        self.body = nn.Sequential(
            nn.ConvTranspose2d(width, 2 * width, 4, 4),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 4, 2, 1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 3, 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        """Return images of 16 x 16."""
        start = self.linear(latent * self.embedding(label))
        return self.body(start.unflatten(1, (-1, 2, 2)))


def of_class(*, latent: int = 6, classes: int = 4, width: int = 8) -> nn.Module:
    """Return the generator."""
    return OfClass(latent, classes, width)


class Judge(nn.Module):
    """A discriminator of images and their classes' labels."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(channels, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 8, 4, 2, 1))
        self.score = nn.Linear(8, 1)
        self.embedding = nn.Embedding(classes, 8)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return a score per image."""
        features = self.features(images).mean((2, 3))
        return self.score(features)[:, 0] + (self.embedding(labels) * features).sum(1)


def judge(input_channels: int, classes: int) -> nn.Module:
    """Return the discriminator."""
    return Judge(input_channels, classes)


def deep_generator(*, nz: int = 100, ngf: int = 64, nc: int = 3) -> nn.Module:
    """Return a DCGAN's generator in the form of PyTorch's tutorial: latents [N, nz, 1, 1] to images of 64 x 64."""
    widths = (8 * ngf, 4 * ngf, 2 * ngf, ngf)
    layers: list[nn.Module] = []
    taken = nz
    for i, width in enumerate(widths):
        layers += [nn.ConvTranspose2d(taken, width, 4, 1 if i == 0 else 2, int(i > 0), bias=False)]
        layers += [nn.BatchNorm2d(width), nn.ReLU(True)]
        taken = width
    return nn.Sequential(*layers, nn.ConvTranspose2d(ngf, nc, 4, 2, 1, bias=False), nn.Tanh())


def deep_discriminator(*, ndf: int = 64, input_channels: int = 3) -> nn.Module:
    """Return a DCGAN's discriminator in the form of PyTorch's tutorial, which ends with a sigmoid."""
    layers: list[nn.Module] = [nn.Conv2d(input_channels, ndf, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
    for width in (ndf, 2 * ndf, 4 * ndf):
        layers += [nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * width)]
        layers += [nn.LeakyReLU(0.2, inplace=True)]
    return nn.Sequential(*layers, nn.Conv2d(8 * ndf, 1, 4, 1, 0, bias=False), nn.Sigmoid())


def probabilities() -> nn.Module:
    """Return a discriminator whose sigmoid is no module."""

    class Functional(nn.Conv2d):
        def forward(self, images: Tensor) -> Tensor:
            """Return probabilities."""
            return torch.sigmoid(super().forward(images).mean((1, 2, 3)))

    return Functional(3, 1, 3)
