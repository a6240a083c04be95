"""The plain value of a network's groups says what the traced groups say."""

import json

import torch
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.group_table import GroupTable
from ganprune.gan_models.networks.catalog import build


def test_the_value_holds_names_sizes_and_reasons():
    """Written to JSON and read back it is the same, with the groups in the order of the traced ones."""
    with torch.device("meta"):
        groups = find_groups(build("resnet", {"ngf": 8, "n_blocks": 2}), (torch.zeros(1, 3, 32, 32),))
    table = GroupTable.of(groups, {"head": "its channels are the image's"})
    assert from_json(GroupTable, json.loads(json.dumps(to_json(table)))) == table
    assert list(zip(table.names, table.sizes, strict=True)) == list(groups.sizes.items())
    assert table.whole == {"head": "its channels are the image's"}
