"""Peak activation memory against sums written out by hand."""

import copy

import pytest
import torch
from ganprune.evaluators.cost import activation_memory as memory
from ganprune.evaluators.cost.activation_memory import peak_activation_bytes
from ganprune.gan_models.networks.resnet import resnet
from torch import nn

BYTES = 4  # of a float32
PIXELS = 100


def test_a_chain_holds_its_input_and_two_neighbors():
    """conv -> relu -> conv: the input, the first map and its relu are alive together; in place the relu is free."""
    x = torch.zeros(2, 3, 10, 10)
    chain = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1))
    assert peak_activation_bytes(chain, x) == BYTES * PIXELS * (3 + 8 + 8)
    in_place = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(True), nn.Conv2d(8, 4, 3, padding=1))
    assert peak_activation_bytes(in_place, x) == BYTES * PIXELS * (3 + 8 + 4)


class Skip(nn.Module):
    """A map that waits for another one."""

    def __init__(self, keeps):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 16, 1)
        self.last, self.keeps = nn.Conv2d(16, 1, 1), keeps

    def forward(self, x):
        a = self.first(x)
        b = self.second(a)
        if not self.keeps:
            del a
        c = torch.cat((b[:, :8], b), 1) if not self.keeps else torch.cat((a, b), 1)
        return self.last(c[:, :16])


def test_a_skip_connection_costs_what_it_holds():
    """A tensor that waits for a concatenation counts as alive; a released one does not."""
    x = torch.zeros(1, 3, 10, 10)
    assert peak_activation_bytes(Skip(True), x) == BYTES * PIXELS * (3 + 8 + 16 + 24 + 1)
    assert peak_activation_bytes(Skip(False), x) == BYTES * PIXELS * (3 + 16 + 24 + 1)


def test_views_weights_and_batches_do_not_count():
    """Views share their storage, parameters and buffers are no activations, and the number is of one image."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(300, 10), nn.Unflatten(1, (10, 1)), nn.BatchNorm1d(10))
    expected = BYTES * (300 + 10 + 10)
    for batch in (1, 5):
        assert expected <= peak_activation_bytes(model, torch.zeros(batch, 3, 10, 10)) <= expected + BYTES * 2 * 10


def test_meta_and_real_runs_agree_and_the_model_is_untouched():
    """Shapes alone give the peak of a real run; weights and modes stay; half the widths need half the memory."""
    model = resnet(ngf=8, n_blocks=2).train()
    before = copy.deepcopy(model.state_dict())
    x = torch.zeros(1, 3, 32, 32)
    real = memory._peak(copy.deepcopy(model).eval(), (x,))
    assert real == peak_activation_bytes(model, x)
    assert model.training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    half = peak_activation_bytes(resnet(ngf=4, n_blocks=2), x)
    assert 0.5 * real <= half < 0.6 * real


def test_a_network_that_needs_values_runs_for_real():
    """A network that cannot run on the meta device is followed on the CPU; an empty batch is refused."""

    class Looks(nn.Module):
        def forward(self, x):
            return x + 1 if float(x.sum()) == 0 else x

    assert peak_activation_bytes(Looks(), torch.zeros(1, 1, 10, 10)) >= BYTES * 2 * PIXELS
    with pytest.raises(ValueError, match="at least 1 image"):
        peak_activation_bytes(Looks(), torch.zeros(0, 1, 10, 10))
