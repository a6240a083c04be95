"""Predicted costs beside counted ones: a difference is an error that names the module."""

from dataclasses import replace

import pytest
import torch
from ganprune.gan_models.cut_checks.group_check import uneven_plan
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.search.checks.cost_check import check_costs
from torch import nn

from ...gan_models.cut_checks.networks import Blocks


@pytest.fixture
def network():
    model, example = Blocks(2, ()), (torch.rand(1, 3, 16, 16),)
    groups = find_groups(model, example)
    return model, groups, example, [uneven_plan(groups, seed) for seed in range(3)]


def test_equal_counts_pass(network):
    """The form's prediction is the count, for the dense network and every plan."""
    model, groups, example, plans = network
    check_costs("net", model, groups, example, plans)


@pytest.mark.parametrize("cost", ["macs", "macs_published"])
def test_a_difference_names_cost_and_module(network, cost):
    """A convolution that runs and is not predicted: the message says which, what was predicted and what was counted."""
    model, groups, example, plans = network
    half = {**groups.form.coefficients, cost: groups.form.coefficients[cost] / 2}
    layers = tuple(layer for layer in groups.layers if layer.module != "blocks.1.b")
    wrong = replace(groups, form=replace(groups.form, coefficients=half), layers=layers)
    with pytest.raises(UserError, match=rf"the cost of net cannot be predicted: got .* {cost} for the dense") as told:
        check_costs("net", model, wrong, example, plans)
    assert "(blocks.1.b: 0 predicted, 147,456 counted)" in str(told.value)


def test_parameters_are_compared_too(network):
    """A parameter that the trace did not see costs more than predicted."""
    model, groups, example, plans = network
    model.tail.extra = nn.Parameter(torch.zeros(5))
    with pytest.raises(UserError, match=r"got .* params for the dense network; expected the"):
        check_costs("net", model, groups, example, plans)
