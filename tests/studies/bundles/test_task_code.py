"""A bundle of a study with a task of the user's own contains the task's code, so that its quality can be measured."""

import shutil
from pathlib import Path

import pytest
import torch
from ganprune.gan_models.files import kept_copies
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.specs import InputSpec, OutputSpec
from ganprune.studies.bundles.architecture import SOURCE, TASK_CODE, Architecture, BundleError
from ganprune.studies.bundles.bundle import UntrustedCode, find_task_code, write_bundle
from ganprune.studies.bundles.card import Card
from ganprune.studies.bundles.format_files import WantedFormats
from ganprune.studies.bundles.verify import verify_bundle
from ganprune.studies.comparison.fid import measure_fid
from ganprune.studies.comparison.measure_options import FidOptions

NETWORK = """
from torch import nn


def net():
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=1), nn.Tanh())
"""
TASK = """
from ganprune.gan_models.tasks.single_generator import SingleGenerator
from shades import darker


class Shade(SingleGenerator):
    name = "shade"
    has_reference = True

    def make_discriminators(self, seed):
        raise AssertionError("a measurement trains nothing")

    def inputs(self, batch, name):
        return (darker(batch["target"]),)

    generator_losses = discriminator_loss = make_discriminators
"""
DATA = """
import torch

images = [{"target": torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(i)) * 2 - 1} for i in range(12)]
data = {"train": images, "test": images}
"""


@pytest.fixture
def bundle(tmp_path, monkeypatch) -> Path:
    """A bundle whose project is gone."""
    monkeypatch.setattr(kept_copies, "_folders", [])
    monkeypatch.chdir(tmp_path)
    project = tmp_path / "project"
    project.mkdir()
    (project / "net.py").write_text(NETWORK)
    (project / "shade-0a1b2c3d.py").write_text(TASK)
    (project / "shades.py").write_text("def darker(images):\n    return (images + 1) / 2 - 1\n")
    full = build(f"{project / 'net.py'}:net", {})
    groups, model = find_groups(full, (torch.zeros(1, 3, 16, 16),)), f"{SOURCE}:net"
    plan = groups.full_plan()
    architecture = Architecture(
        model, {}, InputSpec.of_shape((3, 16, 16)), "shade-0a1b2c3d.py:Shade", "G", plan, groups.sizes, {},
        plan.architecture(model, {}), OutputSpec(3, (16, 16)),
    )  # fmt: skip
    lineage = {"study": "mine", "trial": 3, "image_size": 16, "task_settings": {}, "n_eval": 0}
    write_bundle(
        tmp_path / "b", architecture, full.eval(), lambda parity: Card({}, {}, (), (), lineage, {}, parity),
        project / "net.py", wanted=WantedFormats(()), task_files=[project / "shade-0a1b2c3d.py"],
    )  # fmt: skip
    shutil.rmtree(project)
    (tmp_path / "data.py").write_text(DATA)
    return tmp_path / "b"


def test_it_is_measured_without_the_project(bundle):
    """Inputs come from the task's code with what it imports; every file is among those that are verified."""
    assert sorted(path.name for path in (bundle / TASK_CODE).rglob("*.py")) == ["shade-0a1b2c3d.py", "shades.py"]
    found = measure_fid("b", "", FidOptions(metric="shapes", data="data.py:data"))
    assert {"l1", "psnr"} <= {m.name for m in found.measurements}
    assert verify_bundle(bundle)[0].passed


def test_no_code_of_it_runs_if_it_is_not_trusted(bundle):
    """The task is foreign code as the network is."""
    with pytest.raises(UntrustedCode, match=r"made for shade-0a1b2c3d.py:Shade, a task that is not in the catalog"):
        find_task_code(bundle, catalog_only=True)


def test_only_what_the_manifest_names_runs(bundle):
    """A changed file and one that was laid beside are refused by name."""
    file = bundle / TASK_CODE / "shade-0a1b2c3d.py"
    file.write_text(f"{TASK}# changed\n")
    with pytest.raises(BundleError, match=r"is damaged: task_code/shade-0a1b2c3d.py is not the file"):
        find_task_code(bundle, catalog_only=False)
    file.write_text(TASK)
    (bundle / TASK_CODE / "os.py").write_text("")
    with pytest.raises(BundleError, match=r"the manifest lacks task_code/os.py"):
        find_task_code(bundle, catalog_only=False)


def test_a_bundle_of_an_earlier_version_says_how_to_get_the_code(bundle):
    """It contains none."""
    shutil.rmtree(bundle / TASK_CODE)
    with pytest.raises(BundleError, match=r"earlier versions left out; .* `ganprune export mine --trial 3`"):
        find_task_code(bundle, catalog_only=False)
