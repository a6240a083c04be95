"""Networks that are not ours, cut at random: as ONNX and as a bundle they give what the cut network gives."""

import inspect
import json
from pathlib import Path

import pytest
import torch
from ganprune.evaluators.cost.counters import count_macs
from ganprune.gan_models.export.onnx_float import NotWritable
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.studies.bundles.architecture import SOURCE, Architecture
from ganprune.studies.bundles.bundle import load_bundle, read_card, write_bundle
from ganprune.studies.bundles.card import Card
from ganprune.studies.bundles.format_files import WantedFormats
from ganprune.studies.bundles.verify import verify_bundle

from ...examples import example_input
from ...gan_models.foreign import FOREIGN
from ...gan_models.random_cuts import lively, random_plan


@pytest.mark.parametrize("name", sorted(set(FOREIGN) - {"branching"}))
@pytest.mark.long
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
        model,
        {"width": 8},
        InputSpec.of_shape(shape),
        "paired",
        "G",
        plan,
        groups.sizes,
        {},
        plan.architecture(model, {"width": 8}),
    )
    card = write_bundle(
        tmp_path / "b", architecture, small, lambda parity: Card({}, {}, (), (), {}, {}, parity), source
    )
    assert card.formats["onnx"].difference <= 1e-4 * card.parity.scale
    x = example_input(shape, 3)
    with torch.no_grad():
        assert torch.equal(load_bundle(tmp_path / "b")(x), small(x))


MODULATED = '''
import torch
from ganprune.evaluators.cost.counters import count_macs
from torch import nn
from torch.nn import functional as F

class Modulated(nn.Module):
    """A convolution with weights of its own for each image, one group per image, times a matrix's exponential."""
    def __init__(self, width):
        super().__init__()
        self.first, self.style = nn.Conv2d(3, width, 3, padding=1), nn.Linear(3, width)
        self.weight = nn.Parameter(torch.randn(3, width, 3, 3))
        self.turn = nn.Parameter(torch.zeros(2, 2))
    def forward(self, x):
        n, _, h, w = x.shape
        inner = torch.relu(self.first(x))
        weight = self.weight * self.style(x.mean((2, 3)))[:, None, :, None, None]
        y = F.conv2d(inner.reshape(1, -1, h, w), weight.reshape(-1, *self.weight.shape[1:]), padding=1, groups=n)
        return torch.tanh(y.reshape(n, 3, h, w)) * torch.matrix_exp(self.turn).sum()
'''


def test_a_network_that_onnx_cannot_hold_has_a_bundle_without(tmp_path):
    """It is written, loads, says why there is no ONNX file and verifies; a lost file, and a request, are told apart."""
    (tmp_path / "m.py").write_text(MODULATED)
    shape, model = (3, 8, 8), f"{SOURCE}:Modulated"
    full = build(f"{tmp_path / 'm.py'}:Modulated", {"width": 4}).eval()
    groups = find_groups(full, example_input(shape))
    plan = groups.full_plan()
    hashed = plan.architecture(model, {"width": 4})
    architecture = Architecture(
        model, {"width": 4}, InputSpec.of_shape(shape), "paired", "G", plan, groups.sizes, {}, hashed
    )
    costs = {name: float(value) for name, value in count_macs(full, example_input(shape)).items()}
    bundle, source = tmp_path / "b", tmp_path / "m.py"
    card = write_bundle(bundle, architecture, full, lambda p: Card(costs, {}, (), (), {}, {}, p), source)
    assert not (bundle / "generator.onnx").exists()
    assert card.formats["onnx"].absent.startswith("Modulated cannot be written as ONNX: ")
    assert "no ONNX file: Modulated cannot be written as ONNX: " in (bundle / "card.md").read_text()
    assert read_card(bundle) == card
    checks = {check.name: check for check in verify_bundle(bundle)}
    assert all(check.passed for check in checks.values())
    assert checks["onnx"].detail == card.formats["onnx"].line()
    x = example_input(shape, 3)
    with torch.no_grad():
        assert torch.equal(load_bundle(bundle)(x), full(x))
    claims = json.loads((bundle / "card.json").read_text())
    claims["formats"]["onnx"] |= {"absent": "", "file": "generator.onnx", "difference": 1e-6}
    (bundle / "card.json").write_text(json.dumps(claims))
    (lost,) = [check for check in verify_bundle(bundle) if check.name == "onnx"]
    assert not lost.passed
    with pytest.raises(NotWritable, match="cannot be written as ONNX"):
        write_bundle(
            tmp_path / "asked", architecture, full, lambda p: Card(costs, {}, (), (), {}, {}, p), source,
            wanted=WantedFormats(("onnx",)),
        )  # fmt: skip
    assert not (tmp_path / "asked").exists()
