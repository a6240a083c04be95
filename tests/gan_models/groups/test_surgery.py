"""A cut network is the gated one without its zeros, on every network."""

import pytest
import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut, embedded
from ganprune.gan_models.networks.specs import InputSpec
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ..network_cases import CASES, RandomNetwork
from ..random_cuts import check_cut, lively, random_plan


@pytest.mark.parametrize("name", sorted(CASES))
def test_cut_equals_gated_on_every_network(name: str):
    """Gated and cut agree to rounding, the full plan is the identity bit for bit, counts are exact, nothing changes."""
    factory, inputs = CASES[name]
    check_cut(lively(factory()), inputs, seed=len(name))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_cut_equals_gated_on_random_networks(seed: int):
    """The same holds for random graphs of skips, sums, grouped, depthwise, transposed, linear and gated layers."""
    torch.manual_seed(seed)
    check_cut(lively(RandomNetwork(seed)), (3, 8, 8), seed)


def test_sizes_that_modules_state_follow_the_cut():
    """in_channels, out_channels, groups and num_features say what the tensors are, so that a repr is true."""
    factory, inputs = CASES["mobile_resnet_9blocks"]
    model = factory()
    groups = find_groups(model, inputs.examples())
    small = cut(model, groups, ChannelPlan({g.name: (0,) for g in groups.groups}))
    for module in small.modules():
        if isinstance(module, nn.Conv2d):
            assert module.weight.shape[:2] == (module.out_channels, module.in_channels // module.groups)
        if isinstance(module, nn.InstanceNorm2d):
            assert module.num_features == 1


def test_a_plan_of_another_network_is_refused():
    """Unknown groups, missing groups and channels out of range each give one line."""
    factory, inputs = CASES["basic"]
    model = factory()
    groups = find_groups(model, inputs.examples())
    with pytest.raises(ValueError, match="unknown groups"):
        cut(model, groups, ChannelPlan({"elsewhere": (0,)}))
    kept = {**groups.full_plan().kept, groups.names[0]: (0, 99)}
    with pytest.raises(ValueError, match="keeps channel 99"):
        cut(model, groups, ChannelPlan(kept))


def test_tied_weights_stay_tied():
    """A parameter that two modules share is cut once and shared after the cut."""

    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head, self.a, self.b = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 6, 1), nn.Conv2d(6, 6, 1)
            self.b.weight = self.a.weight
            self.tail = nn.Conv2d(6, 3, 1)

        def forward(self, x):
            return self.tail(self.b(self.a(self.head(x)).relu()))

    model = Tied().double()
    groups = find_groups(model, torch.empty(1, 3, 4, 4, dtype=torch.float64))
    small = cut(model, groups, random_plan(groups, 1))
    assert small.a.weight is small.b.weight
    check_cut(lively(Tied()), (3, 4, 4), 1)


@pytest.mark.parametrize("name", sorted(CASES))
def test_embedding_is_the_inverse_of_a_cut(name):
    """A cut network's weights, put back where they came from and cut again, are the same to the last bit."""
    factory, inputs = CASES[name]
    model = lively(factory()).float()
    groups = find_groups(model, InputSpec.read(inputs).examples())
    plan = random_plan(groups, 3)
    small = cut(model, groups, plan)
    with torch.no_grad():
        for parameter in small.parameters():
            parameter.add_(1)
    again = cut(embedded(model, small, groups, plan), groups, plan)
    expected = small.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in again.state_dict().items())
    with pytest.raises(ValueError, match="another shape than the plan"):
        embedded(model, small, groups, groups.full_plan())
