"""Calls of published generators: which channels stay prunable around them, and that a cut is right to rounding."""

import pytest
import torch
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.tracing import trace
from ganprune.gan_models.tracing.unpruned_reasons import Why

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


def test_a_rule_that_fails_keeps_its_channels_and_names_the_call(monkeypatch: pytest.MonkeyPatch):
    """Whatever a rule raises, the trace goes on, and what reached the call stays for a reason with call and module."""

    def failing(walk: object, call: object) -> None:
        raise IndexError("list index out of range")

    monkeypatch.setitem(trace.RULES, "expand_as", failing)
    build, shape, _ = NETWORKS["expand_as"]
    groups = find_groups(build(), torch.empty(1, *shape))
    reasons = {entry.module: entry.reason for entry in groups.unpruned}
    assert reasons["fc"] == Why.NOT_FOLLOWED(call="expand_as in the model")
    assert str(reasons["fc"]) == "cannot be followed at expand_as in the model, kept whole"


def test_a_factor_from_a_size_is_named_by_its_line():
    """The reason of groups that change a number in the code has the operator, the file and the code."""
    build, shape, _ = NETWORKS["scale from the width"]
    (reason,) = [entry.reason for entry in find_groups(build(), torch.empty(1, *shape)).unpruned if entry.module == "a"]
    assert reason.code == "shape_factor"
    assert "traced_networks.py:" in reason.text


def test_channels_that_all_go_together_are_named_as_such():
    """A group of one is not prunable because its channels are tied to each other, though layers read them."""
    build, shape, _ = NETWORKS["rolled channels"]
    reasons = {entry.module: entry.reason for entry in find_groups(build(), torch.empty(1, *shape)).unpruned}
    assert reasons["a"] == Why.ALL_TIED()
