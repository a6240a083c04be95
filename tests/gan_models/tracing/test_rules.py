"""Rules of single calls: what they leave prunable in small networks, and that the cut is right to rounding."""

import pytest
import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.latency.block_finder import find_blocks
from torch import Tensor, nn
from torch.nn import functional as F

from ..random_cuts import check_cut, lively


class Shuffled(nn.Module):
    """A pixel shuffle whose result meets something else in the way that is asked for."""

    def __init__(self, meets: str) -> None:
        super().__init__()
        self.meets = meets
        self.skip, self.down = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 10, 2, 2)
        self.up = nn.Sequential(nn.Conv2d(10, 24, 1), nn.PixelShuffle(2))
        self.noise, self.mask = nn.Parameter(torch.randn(1, 1, 8, 8)), nn.Conv2d(3, 1, 1)
        self.last = nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.skip(x)
        h = self.up(self.down(y))
        if self.meets == "skip":
            h = h + y
        elif self.meets == "skip first":
            h = y + h
        elif self.meets == "image":
            h = h * torch.sigmoid(self.mask(x)) + self.noise
        elif self.meets == "pad":
            return self.last(F.pad(h, (1, 1, 1, 1), mode="reflect"))[:, :, 1:-1, 1:-1]
        return self.last(h)


class Seed(nn.Module):
    """A linear layer becomes an image, which meets a constant a pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.start, self.place = nn.Linear(8, 6 * 16), nn.Parameter(torch.randn(1, 1, 4, 4))
        self.last = nn.Conv2d(6, 3, 1)

    def forward(self, z: Tensor) -> Tensor:
        return self.last(torch.relu(self.start(z).unflatten(1, (-1, 4, 4)) * self.place))


class Gated(nn.Module):
    """Gated linear units, as a module and over the last axis."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.glu = nn.Conv2d(3, 12, 3, padding=1), nn.BatchNorm2d(12), nn.GLU(1)
        self.rows, self.last = nn.Linear(6, 10), nn.Conv2d(5, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.glu(self.norm(self.first(x)))
        return self.last(F.glu(self.rows(h.permute(0, 2, 3, 1))).permute(0, 3, 1, 2))


class ByClass(nn.Module):
    """Batch norm whose scale and shift a table gives for a class, and a table beside the latent."""

    def __init__(self) -> None:
        super().__init__()
        self.start, self.near = nn.Linear(4 + 5, 6 * 16), nn.Embedding(3, 5)
        self.norm, self.table = nn.BatchNorm2d(6, affine=False), nn.Embedding(3, 12)
        self.last = nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, zy: Tensor) -> Tensor:
        z, y = zy[:, :4], zy[:, 4:].argmax(1)
        h = self.start(torch.cat([z, self.near(y)], 1)).unflatten(1, (-1, 4, 4))
        scale, shift = self.table(y)[:, :, None, None].chunk(2, 1)
        return torch.tanh(self.last(torch.relu((1 + scale) * self.norm(h) + shift)))


NETWORKS = {
    "shuffle + skip": (lambda: Shuffled("skip"), (3, 8, 8), {"skip": 6, "down": 10}),
    "skip + shuffle": (lambda: Shuffled("skip first"), (3, 8, 8), {"skip": 6, "down": 10}),
    "shuffle * image": (lambda: Shuffled("image"), (3, 8, 8), {"skip": 6, "down": 10, "up.0": 6}),
    "shuffle, pad": (lambda: Shuffled("pad"), (3, 8, 8), {"skip": 6, "down": 10, "up.0": 6}),
    "seed": (Seed, (8,), {"start": 6}),
    "glu": (Gated, (3, 8, 8), {"first": 6, "rows": 5}),
    "class": (ByClass, (7,), {"near": 5, "start": 6}),
}


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_call_leaves_the_channels_prunable_that_its_definition_leaves(name: str):
    """The groups are those of the definition; cut equals gated in float64, and predicted costs are counted ones."""
    factory, shape, expected = NETWORKS[name]
    torch.manual_seed(1)
    model = factory()
    groups = find_groups(model, torch.empty(1, *shape))
    assert groups.sizes == expected
    for seed in range(3):
        check_cut(lively(factory()), shape, seed)
    find_blocks(model, (torch.empty(1, *shape),), groups)


def test_an_embedding_is_cut_along_its_columns_and_keeps_its_rows():
    """12 columns carry the scales and shifts of 6 channels: a channel less takes a column of each, for every class."""
    groups = find_groups(ByClass(), torch.empty(1, 7))
    axes = {(entry.parameter, entry.axis): entry.flat.tolist() for entry in groups.axes}
    assert ("table.weight", 0) not in axes
    columns = axes["table.weight", 1]
    assert columns[:6] == columns[6:]
    assert len(set(columns)) == 6
    dense, less = (groups.form.predict([5, n], "params") for n in (6, 5))
    # a channel's rows and biases of the linear layer, columns of the table, kernels of the last convolution
    assert dense - less == 16 * (9 + 1) + 3 * 2 + 3 * 9
    assert "table" in next(group.modules for group in groups.groups if group.name == "start")


class Scores(nn.Module):
    """The table that is looked up in also makes the output's scores, as in language models."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.last = nn.Embedding(7, 6), nn.Linear(7, 3)

    def forward(self, zy: Tensor) -> Tensor:
        return self.last(F.linear(self.table(zy.argmax(1)), self.table.weight))


def test_rows_that_are_picked_by_number_stay_even_where_they_are_channels():
    """A row that is dropped would shift the numbers of the others."""
    groups = find_groups(Scores(), torch.empty(1, 7))
    assert not any(entry.parameter == "last.weight" and entry.axis == 1 for entry in groups.axes)
    check_cut(lively(Scores()), (7,), 2)
