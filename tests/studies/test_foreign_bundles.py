"""Networks that are not ours, cut at random: as ONNX and as a bundle they give what the cut network gives."""

import inspect
from pathlib import Path

import pytest
import torch
from ganprune.gan_models.catalog import build, example_input
from ganprune.gan_models.groups import find_groups
from ganprune.gan_models.surgery import cut
from ganprune.studies.bundle import SOURCE, Architecture, load_bundle, write_bundle
from ganprune.studies.card import Card

from ..gan_models.foreign import FOREIGN
from ..gan_models.test_surgery import lively, random_plan


@pytest.mark.parametrize("name", sorted(set(FOREIGN) - {"branching"}))
def test_a_cut_foreign_network_survives_its_bundle(name, tmp_path):
    """ONNX agrees to 1e-4 and the reloaded network to the last bit, with the source copied into the bundle alone."""
    factory, shape = FOREIGN[name]
    source = Path(inspect.getfile(factory))
    full = lively(build(f"{source}:{name}", {"width": 8})).float()
    groups = find_groups(full, example_input(shape))
    plan = random_plan(groups, seed=len(name))
    assert plan != groups.full_plan()
    small = cut(full, groups, plan).eval()
    model = f"{SOURCE}:{name}"
    architecture = Architecture(
        model, {"width": 8}, shape, "paired", "G", plan, groups.sizes, {}, plan.architecture(model, {"width": 8})
    )
    card = write_bundle(
        tmp_path / "b", architecture, small, lambda parity: Card({}, {}, (), (), {}, {}, parity), source
    )
    assert card.parity.onnx <= 1e-4 * card.parity.scale
    x = example_input(shape, 3)
    with torch.no_grad():
        assert torch.equal(load_bundle(tmp_path / "b")(x), small(x))
