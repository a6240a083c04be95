"""Networks that are looked at for their shapes, and those that need values for it."""

import pytest
import torch
from ganprune.gan_models.files.meta_device import build_for_shapes, meta_copy, run_for_shapes
from torch import nn

BUILDERS_THAT_READ_VALUES = {
    "item": lambda: nn.Dropout(torch.linspace(0, 0.1, 3)[1].item()),
    "tolist": lambda: nn.Sequential(*[nn.Conv2d(3, int(n), 1) for n in torch.tensor([4, 8]).tolist()]),
    "numpy": lambda: nn.Conv2d(3, int(torch.ones(4).numpy().sum()), 1),
    "branch": lambda: nn.Conv2d(3, 4 if torch.ones(1) > 0 else 8, 1),
}


class Constants(nn.Module):
    """Makes constants in its forward, and keeps one that is neither a parameter nor a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.plain = torch.tensor([0.5])
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.conv(x) * torch.tensor([1.0, 2.0, 3.0])[:, None, None] + self.plain


@pytest.mark.parametrize("build", BUILDERS_THAT_READ_VALUES.values(), ids=BUILDERS_THAT_READ_VALUES)
def test_a_builder_that_reads_values_is_built_on_the_cpu(build):
    """It gets a network, and the random numbers that follow are those that would have followed."""
    torch.manual_seed(0)
    before = torch.get_rng_state()
    network = build_for_shapes(build)
    assert all(not parameter.is_meta for parameter in network.parameters())
    assert torch.equal(torch.get_rng_state(), before)


def test_a_builder_that_needs_no_values_is_built_on_the_meta_device():
    """It takes no memory."""
    assert build_for_shapes(lambda: nn.Linear(10**6, 10**6)).weight.is_meta


def test_a_builder_that_fails_fails_with_its_own_message():
    """The message is that of the CPU, not one about the meta device."""
    with pytest.raises(ValueError, match="width 3 is odd"):
        build_for_shapes(
            lambda: [][0] if torch.zeros(()).is_meta else (_ for _ in ()).throw(ValueError("width 3 is odd"))
        )


def test_a_forward_that_makes_constants_runs_on_the_cpu_and_changes_nothing():
    """Shapes are found, and the network's buffers and mode stay as they were."""
    network = Constants().train()
    shape = run_for_shapes(network, (torch.zeros(2, 3, 4, 5),), lambda copied, x: copied(*x).shape)
    assert shape == (2, 3, 4, 5)
    assert network.calls.item() == 0
    assert network.training


def test_a_network_without_values_runs_on_the_cpu_if_its_forward_makes_constants():
    """Parameters of the meta device become zeros there."""
    with torch.device("meta"):
        network = Constants()
    network.plain = torch.tensor([0.5])
    given = run_for_shapes(network, (torch.zeros(1, 3, 2, 2),), lambda copied, x: copied(*x))
    assert torch.equal(given, torch.full((1, 3, 2, 2), 0.5))


def test_parameters_shared_by_modules_stay_shared_in_the_copy():
    """A copy counts a shared parameter once, as the network does."""
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    network[1].weight = network[0].weight
    assert len(list(meta_copy(network).parameters())) == len(list(network.parameters())) == 3
