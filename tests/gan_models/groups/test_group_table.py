"""The plain value of a network's groups prices plans as the traced groups do."""

import json

import numpy as np
import pytest
import torch
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.groups import group_table
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.group_table import GroupTable
from ganprune.gan_models.networks.catalog import build


@pytest.fixture(scope="module")
def groups():
    with torch.device("meta"):
        return find_groups(build("resnet", {"ngf": 8, "n_blocks": 2}), (torch.zeros(1, 3, 32, 32),))


def test_the_value_prices_any_plan_number_for_number(groups):
    """Written to JSON and read back, the cost form gives the very same costs."""
    table = GroupTable.of(groups, {"head": "its channels are the image's"})
    again = from_json(GroupTable, json.loads(json.dumps(to_json(table))))
    assert again == table
    plans = np.random.default_rng(0).integers(1, groups.form.sizes + 1, size=(50, len(groups.form.sizes)))
    form = again.cost_form()
    for cost in (*form.coefficients,):
        assert np.array_equal(form.predict(plans, cost), groups.form.predict(plans, cost)), cost


def test_a_form_that_is_too_large_is_left_out(groups, monkeypatch):
    """A network of very many groups keeps names and sizes, and no form."""
    monkeypatch.setattr(group_table, "MAX_ENTRIES", 3)
    table = GroupTable.of(groups, {})
    assert table.cost_form() is None
    assert dict(zip(table.names, table.sizes, strict=True)) == groups.sizes
