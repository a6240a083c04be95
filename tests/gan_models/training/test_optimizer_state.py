"""An optimizer's state as named tensors."""

import pytest
import torch
from ganprune.gan_models.training.optimizer_state import load_optimizer_tensors, optimizer_tensors
from torch import nn


def trained(steps: int):
    """A convolution in channels-last memory, and its optimizer after some steps."""
    torch.manual_seed(0)
    network = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        network(torch.ones(1, 3, 5, 5)).square().sum().backward()
        optimizer.step()
    return network, optimizer, {parameter: name for name, parameter in network.named_parameters()}


def test_the_next_step_is_the_same_after_the_state_was_put_back():
    """Weights and state of three steps in a fresh optimizer give the fourth step bit for bit."""
    whole, _, _ = trained(4)
    network, optimizer, names = trained(3)
    tensors = {key: value.clone() for key, value in optimizer_tensors(optimizer, names).items()}
    again = torch.optim.Adam(network.parameters(), lr=0.1)
    load_optimizer_tensors(again, names, tensors)
    network.zero_grad()
    network(torch.ones(1, 3, 5, 5)).square().sum().backward()
    again.step()
    assert torch.equal(network.weight, whole.weight)
    assert again.state[network.weight]["exp_avg"].is_contiguous(memory_format=torch.channels_last)


def test_a_state_of_another_network_is_refused_by_name():
    """An unknown parameter, and one of another shape, are named with the shape that was found."""
    _, optimizer, names = trained(0)
    for key in ("other/exp_avg", "weight/exp_avg"):
        with pytest.raises(ValueError, match=rf"{key} \(7,\) fits no parameter"):
            load_optimizer_tensors(optimizer, names, {key: torch.zeros(7)})
