"""The score table: sums of a greedy removal, its file, and what it follows from."""

import numpy as np
import pytest
import torch
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.plan_scores.score_table import ScoreTable, score_table
from ganprune.gan_models.reconstruction.calibration import Calibration
from torch import Tensor, nn
from torch.nn import functional as F


class Plain(nn.Module):
    """Three convolutions in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.relu(self.second(F.relu(self.first(x)))))


class Summed(nn.Module):
    """Channels that are summed, which no convolution reads."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3)
        self.scale = nn.Parameter(torch.arange(1.0, 7.0)[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        return (self.first(x) * self.scale).sum(1, keepdim=True)


def _calibration(n: int = 16, seed: int = 0) -> Calibration:
    images = torch.randn(n, 3, 10, 10, generator=torch.Generator().manual_seed(1))
    return Calibration(lambda: (images,), seed)


def _made(kind: type[nn.Module]) -> ScoreTable:
    torch.manual_seed(0)
    model = kind().eval().requires_grad_(False)
    return score_table(model, find_groups(model, torch.zeros(1, 3, 10, 10)), _calibration())


def test_loss_at_a_width_is_that_of_least_squares_on_what_stays():
    """The loss at width 5 is the error of the reader, refitted with its five inputs alone."""
    torch.manual_seed(0)
    model = Plain().double().eval().requires_grad_(False)
    x = torch.randn(40, 3, 10, 10, generator=torch.Generator().manual_seed(1)).double()
    groups = find_groups(model, x[:1])
    table = score_table(model, groups, Calibration(lambda: (x,), 0))
    rows = F.relu(model.second(F.relu(model.first(x)))).movedim(1, -1).flatten(0, 2)
    rows = rows - rows.mean(0)
    targets = rows @ model.last.weight.flatten(1).T
    kept = rows[:, list(table.plan({"first": 8, "second": 5}).kept["second"])]
    rest = targets - kept @ torch.linalg.lstsq(kept, targets, driver="gelsd").solution
    expected = float(rest.square().sum() / targets.square().sum())
    assert table.groups["second"].losses[4] == pytest.approx(expected, rel=0.1)  # sampled places, damped covariance


def test_losses_fall_to_zero_at_full_width():
    """Every group has one loss per width, falling, and none at full width."""
    table = _made(Plain)
    assert table.sizes == {"first": 8, "second": 8}
    for losses in table.losses:
        assert (np.diff(losses) <= 0).all()
        assert losses[-1] == 0
    assert table.score({"first": 8, "second": 8}) == 0
    assert table.score({"first": 3, "second": 8}) == table.groups["first"].losses[2]


def test_channels_that_no_layer_reads_are_scored_at_the_output():
    """A group that is only summed is ranked by what its channels give to the output, and the table says so."""
    table = _made(Summed)
    (group,) = table.groups.values()
    assert group.how == "gauss_newton"
    assert group.losses[0] > 0


def test_a_table_is_read_as_it_was_written(tmp_path):
    """The file holds the whole table; one that is none, or is missing, is refused in one line."""
    table = _made(Plain)
    table.save(tmp_path / "table.json")
    assert ScoreTable.load(tmp_path / "table.json") == table
    with pytest.raises(UserError, match="cannot be read"):
        ScoreTable.load(tmp_path / "none.json")
    (tmp_path / "other.json").write_text('{"groups": {"a": {"worth": [0, 0], "losses": [1.0, 0.0]}}}')
    with pytest.raises(UserError, match="each channel once"):
        ScoreTable.load(tmp_path / "other.json")


def test_the_identity_follows_from_weights_inputs_and_seed():
    """Two tables of the same content have one identity; another weight, input or seed gives another."""
    torch.manual_seed(0)
    model = Plain().eval().requires_grad_(False)
    groups = find_groups(model, torch.zeros(1, 3, 10, 10))

    def identity(calibration: Calibration) -> str:
        return score_table(model, groups, calibration).identity

    first = identity(_calibration())
    others = [identity(_calibration(12)), identity(_calibration(seed=1))]
    assert identity(_calibration()) == first
    model.first.weight[0, 0, 0, 0] += 1e-3
    assert len({first, *others, identity(_calibration())}) == 4
