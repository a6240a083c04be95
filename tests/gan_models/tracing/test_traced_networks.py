"""Calls of published generators: which channels stay prunable around them, and that a cut is right to rounding."""

import pytest
import torch
from ganprune.gan_models.groups.discovery import find_groups

from ..random_cuts import check_cut, lively
from .traced_networks import NETWORKS


@pytest.mark.parametrize("name", NETWORKS)
def test_a_call_leaves_what_it_can_and_its_cut_is_the_gated_network(name: str):
    """Groups are those of the calls' definitions; uneven cuts equal the gated network, and costs are counted ones."""
    build, shape, expected = NETWORKS[name]
    torch.manual_seed(1)
    model = build()
    assert find_groups(model, torch.empty(1, *shape)).sizes == expected
    for seed in range(3):
        check_cut(lively(build()), shape, seed)
