"""`verify --no-code`: a bundle's hashes and files are checked, and none of its code runs."""

import json
import shutil
from pathlib import Path

import onnx
import pytest
import torch
from ganprune.evaluators.cost.counters import count_macs
from ganprune.gan_models.files.hashes import file_sha256
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.specs import InputSpec, OutputSpec
from ganprune.studies.bundles.architecture import SOURCE, Architecture
from ganprune.studies.bundles.bundle import STORED, write_bundle
from ganprune.studies.bundles.card import Card
from ganprune.studies.bundles.format_files import WantedFormats
from ganprune.studies.bundles.verify import verify_bundle
from onnx import numpy_helper

from ...command_line import call

NETS = """
import torch
from pathlib import Path
from torch import nn

Path("ran").touch()

class Bare(nn.Module):
    "A network of functional calls alone: nothing of it can be quantized."
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.randn(8, 3, 3, 3) * 0.2), nn.Parameter(torch.randn(3, 8, 3, 3) * 0.2)
    def forward(self, x):
        conv = nn.functional.conv2d
        return torch.tanh(conv(torch.relu(conv(x, self.a, padding=1)), self.b, padding=1))

class Block(nn.Module):
    "ConvNeXt's: linear layers on channels that were moved to the end."
    def __init__(self, width=4):
        super().__init__()
        self.a, self.b = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
    def forward(self, x):
        return x + self.b(nn.functional.gelu(self.a(x.permute(0, 2, 3, 1)))).permute(0, 3, 1, 2)

def bare():
    return Bare()

def convnext():
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), Block(), nn.Conv2d(4, 3, 3, padding=1))
"""
WHY = {"bare": "nothing to quantize", "convnext": "layer 1.a (Linear) has no node of its own"}


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def export(place: Path, name: str, wanted: WantedFormats) -> Card:
    """The bundle `b` of a network at full width."""
    torch.manual_seed(0)
    full = build(f"{place}/nets.py:{name}", {}).eval()
    inputs = InputSpec.parse("3,16,16")
    groups = find_groups(full, inputs.examples())
    plan, model = groups.full_plan(), f"{SOURCE}:{name}"
    architecture = Architecture(
        model, {}, inputs, "paired", "G", plan, groups.sizes, {}, plan.architecture(model, {}), OutputSpec(3, (16, 16))
    )

    def card_of(parity):
        costs = {cost: float(value) for cost, value in count_macs(full, inputs.examples()).items()}
        return Card(costs, {}, (), (), {}, {}, parity)

    card = write_bundle(place / "b", architecture, full, card_of, place / "nets.py", wanted=wanted)
    (place / "ran").unlink(missing_ok=True)
    return card


def sealed(folder: Path) -> None:
    """Make the manifest fit the files, as somebody would who changes a bundle on purpose."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = {name: file_sha256(folder / name) for name in manifest["files"] if (folder / name).is_file()}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_files_are_run_on_the_stored_example_and_no_code_is(place, monkeypatch, capsys):
    """Exit code 0, the file's difference from the stored output, and the network is named as not looked at."""
    export(place, "bare", WantedFormats())
    assert call(monkeypatch, "verify", "b", "--no-code") == 0
    out = capsys.readouterr().out
    assert "ok   onnx: generator.onnx in ONNX Runtime: finite, (3, 16, 16); differs by " in out
    assert "skip reload: not looked at: b holds source.py:bare, which is not in the catalog" in out
    assert not Path("ran").exists()
    assert call(monkeypatch, "verify", "b") == 0
    assert Path("ran").exists()


def test_a_file_that_gives_something_else_is_found(place):
    """A weight of the ONNX file is changed and the manifest made to fit: the stored output tells."""
    export(place, "bare", WantedFormats())
    file = onnx.load("b/generator.onnx")
    weight = next(tensor for tensor in file.graph.initializer if tensor.name == "a")
    weight.CopyFrom(numpy_helper.from_array(1.5 * numpy_helper.to_array(weight), "a"))
    onnx.save(file, "b/generator.onnx")
    sealed(Path("b"))
    failed = [check for check in verify_bundle("b", catalog_only=True) if not check.passed]
    assert [check.name for check in failed] == ["onnx"]
    assert "does not give the output that is stored with the bundle" in failed[0].detail


def test_a_bundle_without_a_stored_example_says_so(place):
    """One of an earlier version: its file runs, its outputs are finite and of the declared shape."""
    export(place, "bare", WantedFormats())
    Path("b", STORED).unlink()
    sealed(Path("b"))
    checks = {check.name: check for check in verify_bundle("b", catalog_only=True)}
    assert all(check.passed for check in checks.values())
    assert "of an earlier version and holds no output to compare with" in checks["onnx"].detail
    assert not Path("ran").exists()


def test_damage_is_found_without_code(place):
    """A file with another hash fails the first check."""
    export(place, "bare", WantedFormats())
    Path("b/generator.safetensors").write_bytes(b"")
    checks = verify_bundle("b", catalog_only=True)
    assert not checks[0].passed
    assert "is damaged" in checks[0].detail
    assert not Path("ran").exists()


@pytest.mark.parametrize("name", WHY)
def test_a_network_that_has_no_form_in_8_bits_has_a_bundle_without(name, place):
    """Asked for beside other files, the 8-bit file is left out with the reason on the card; alone, it is refused."""
    for wanted in (WantedFormats(int8=True), WantedFormats(("onnx", "onnx-int8"))):
        card = export(place, name, wanted)
        assert card.formats["onnx"].file
        assert WHY[name] in card.formats["onnx-int8"].absent
        assert WHY[name] in Path("b/card.md").read_text()
        assert not Path("b/generator-int8.onnx").exists()
        assert all(check.passed for check in verify_bundle("b"))
        shutil.rmtree("b")
        Path("ran").unlink(missing_ok=True)
    with pytest.raises(ValueError, match=WHY[name].replace("(", r"\(").replace(")", r"\)")):
        export(place, name, WantedFormats(("onnx-int8",)))
    assert not Path("b").exists()
