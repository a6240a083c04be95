"""Scores of channels: closed forms, and what a greedy order keeps."""

import numpy as np
import pytest
import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.reconstruction.channel_scores import Removals, probed_scores, removals
from torch import nn
from torch.nn import functional as F

from .networks import IMAGES, Plain


def _network(kind: type[nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return kind().double().eval().requires_grad_(False)


def _images(n: int) -> torch.Tensor:
    return torch.randn(n, 3, 10, 10, generator=torch.Generator().manual_seed(1)).double()


def test_first_removed_channel_is_that_of_the_least_loss_after_least_squares():
    """The first loss is the rise of a reader's error, refitted without that channel, and no other's is lower."""
    model, x = _network(Plain), _images(16)
    groups = find_groups(model, x[:1])
    one = removals(model, groups, (x,), 0, rows=10**6).groups["second"]
    rows = F.relu(model.second(F.relu(model.first(x)))).movedim(1, -1).flatten(0, 2)
    rows = rows - rows.mean(0)
    targets = rows @ model.last.weight.flatten(1).T
    losses = []
    for channel in range(8):
        kept = rows[:, [other for other in range(8) if other != channel]]
        rest = targets - kept @ torch.linalg.lstsq(kept, targets, driver="gelsd").solution
        losses.append(float(rest.square().sum() / targets.square().sum()))
    assert one.channels[0] == int(np.argmin(losses))
    assert one.losses[0] == pytest.approx(min(losses), rel=0.02)  # H is damped by a thousandth


def test_one_of_two_equal_channels_goes_first_and_the_other_stays():
    """Half of the channels repeat the others: one of each pair is free, and then its twin is not."""
    model, x = _network(Plain), _images(16)
    model.first.weight[4:] = model.first.weight[:4]
    model.first.bias[4:] = model.first.bias[:4]
    groups = find_groups(model, x[:1])
    one = removals(model, groups, (x,), 0).groups["first"]
    assert sorted(one.channels[4:] % 4) == [0, 1, 2, 3]
    assert one.losses[3] < 0.02 * one.losses[4]


@pytest.mark.parametrize("name", IMAGES)
def test_every_group_of_any_network_has_losses(name: str):
    """Concatenations, residual sums, transposed, grouped and depthwise layers: finite losses, and the same again."""
    model, x = _network(IMAGES[name]), _images(8)
    groups = find_groups(model, x[:1])
    found: Removals = removals(model, groups, (x,), 0)
    assert {name: len(one.channels) for name, one in found.groups.items()} == groups.sizes
    assert found.macs >= 8 * groups.form.dense()  # of convolutions and linear layers alone, all inputs
    again = removals(model, groups, (x,), 0)
    for name, one in found.groups.items():
        assert sorted(one.channels) == list(range(groups.sizes[name]))
        assert np.isfinite(one.losses).all()
        assert (one.losses >= 0).all()
        assert len(np.unique(one.losses)) > 1
        assert np.array_equal(one.channels, again.groups[name].channels)


class _Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(5, 4, bias=False), nn.Linear(4, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(x))


def test_probes_estimate_what_a_channel_gives_to_the_output():
    """In a linear network a score is the summed square of a channel's share of the outputs, here within a quarter."""
    torch.manual_seed(0)
    model = _Linear()
    x = torch.randn(2000, 5)
    groups = find_groups(model, x[:1])
    scores = probed_scores(model, groups, (x,), 0)["first"]
    share = model.first(x).detach()[:, :, None] * model.last.weight.detach().T
    expected = share.square().sum((0, 2)).numpy()
    ratio = scores / scores.sum() * expected.sum() / expected  # 2000 squared normals per channel: deviation 0.03
    assert np.abs(ratio - 1).max() < 0.25
    assert all(not p.grad_fn and p.grad is None for p in model.parameters())
