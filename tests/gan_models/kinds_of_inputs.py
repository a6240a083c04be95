"""A tiny generator for each kind of input, and for some that go together; the file stands alone, as a user's would."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def rest(channels: int, outputs: int = 3) -> nn.Sequential:
    """Return convolutions that make an image of what they are given."""
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, padding=1), nn.InstanceNorm2d(8, affine=True), nn.ReLU(),
        nn.Conv2d(8, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, outputs, 3, padding=1), nn.Tanh(),
    )  # fmt: skip


class Joined(nn.Module):
    """Image and mask, one after the other on the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.rest = rest(4)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return self.rest(torch.cat([image * (1 - mask), mask], dim=1))


class LabelMap(nn.Module):
    """An embedding of each pixel's class, or its one-hot form."""

    def __init__(self, one_hot: bool) -> None:
        super().__init__()
        self.one_hot = one_hot
        self.embedding = nn.Embedding(5, 5)
        self.rest = rest(5)

    def forward(self, classes: Tensor) -> Tensor:
        vectors = F.one_hot(classes, 5).to(self.embedding.weight.dtype) if self.one_hot else self.embedding(classes)
        return self.rest(vectors.permute(0, 3, 1, 2))


class Vector(nn.Module):
    """A vector as the channels of small maps."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.first = nn.Linear(length, 8 * 4 * 4)
        self.rest = nn.Sequential(nn.ConvTranspose2d(8, 8, 4, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), rest(8))

    def forward(self, vector: Tensor) -> Tensor:
        return self.rest(self.first(vector).view(-1, 8, 4, 4))


class Conditional(nn.Module):
    """A latent beside the embedding of a class."""

    def __init__(self) -> None:
        super().__init__()
        self.classes, self.vector = nn.Embedding(10, 4), Vector(12)

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        return self.vector(torch.cat([latent, self.classes(label)], dim=1))


class Styled(nn.Module):
    """An image whose features are scaled and shifted by a vector."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.style, self.rest = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(6, 16), rest(8)

    def forward(self, image: Tensor, vector: Tensor) -> Tensor:
        scale, shift = self.style(vector)[:, :, None, None].chunk(2, dim=1)
        return self.rest(self.first(image) * (1 + scale) + shift)


def picture(channels: int) -> nn.Module:
    return rest(channels, outputs=channels)


def joined() -> nn.Module:
    return Joined()


def label_map(one_hot: bool = False) -> nn.Module:
    return LabelMap(one_hot)


def vector(length: int) -> nn.Module:
    return Vector(length)


def conditional() -> nn.Module:
    return Conditional()


def styled() -> nn.Module:
    return Styled()


def from_points(length: int) -> nn.Module:
    """DCGAN's form: a latent of one pixel."""
    return nn.Sequential(nn.ConvTranspose2d(length, 8, 4), nn.BatchNorm2d(8), nn.ReLU(), rest(8))


def from_maps(channels: int) -> nn.Module:
    """A latent with a place: noise, or what an autoencoder gives."""
    return nn.Sequential(nn.Upsample(scale_factor=2), rest(channels))


def sound() -> nn.Module:
    """Waves of one channel, twice as many samples."""
    return nn.Sequential(
        nn.Conv1d(1, 8, 5, padding=2), nn.LeakyReLU(0.2), nn.ConvTranspose1d(8, 8, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv1d(8, 1, 5, padding=2), nn.Tanh(),
    )  # fmt: skip


# Name -> builder, its arguments, what it takes, and what it gives.
KINDS = {
    "image of 1 channel": ("picture", {"channels": 1}, "1,16,16", (1, 16, 16)),
    "image of 2 channels": ("picture", {"channels": 2}, "2,16,16", (2, 16, 16)),
    "image of 4 channels": ("picture", {"channels": 4}, "4,16,16@0,1", (4, 16, 16)),
    "image that is not square": ("picture", {"channels": 3}, "3,16,24", (3, 16, 24)),
    "image and mask": ("joined", {}, "image:3,16,16;mask:1,16,16", (3, 16, 16)),
    "label map, embedded": ("label_map", {}, "label:5,16,16", (3, 16, 16)),
    "label map, one-hot": ("label_map", {"one_hot": True}, "label:5,16,16", (3, 16, 16)),
    "label map as a mask": ("picture", {"channels": 5}, "mask:5,16,16", (5, 16, 16)),
    "latent and class": ("conditional", {}, "latent:8;label:10", (3, 8, 8)),
    "vector": ("vector", {"length": 6}, "vector:6", (3, 8, 8)),
    "image and vector": ("styled", {}, "photo=image:3,16,16;style=vector:6", (3, 16, 16)),
    "latent": ("vector", {"length": 7}, "latent:7", (3, 8, 8)),
    "latent of one pixel": ("from_points", {"length": 7}, "latent:7,1,1", (3, 4, 4)),
    "latent of a map": ("from_maps", {"channels": 4}, "latent:4,8,8", (3, 16, 16)),
    "audio": ("sound", {}, "audio:1,40", (1, 80)),
}
