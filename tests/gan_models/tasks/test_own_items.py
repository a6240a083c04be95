"""Every task of the table reads a user's own data as it reads a set of its own."""

from pathlib import Path

import pytest
import torch
from ganprune.gan_models.data.dataset import batches, in_order
from ganprune.gan_models.data.spec import DataSpec, PictureForm
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.gan_models.tasks.catalog import TASKS
from ganprune.gan_models.tasks.task_data import Splits

SIZE = 16
GIVEN = {
    "unconditional": "latent:6",
    "class_conditional": "latent:6;label:4",
    "label_to_image": "label:6,16,16",
    "inpaint": "3,16,16;holes=mask:1,16,16",
}
SETTINGS = {"super_resolution": {"degrade": "noise"}}
OWN = f"{Path(__file__).parents[1] / 'two_inputs.py'}:StyledTask"


def spec_of(name: str, source: str) -> DataSpec:
    inputs = InputSpec.parse(GIVEN.get(name, f"3,{SIZE},{SIZE}"))
    builtin = source.startswith("builtin:")
    settings, own = (SETTINGS.get(name, {}), None) if builtin else ({}, inputs)
    output = PictureForm(3, SIZE, SIZE)
    return DataSpec(source, name, inputs, output, n_train=6, n_test=4, settings=settings, flip=False, own_inputs=own)


@pytest.mark.parametrize("name", [*TASKS.own, OWN])
def test_items_of_a_set_give_the_batches_of_the_set(name, tmp_path):
    """The same tensors under the same names, whether a task or a user's dataset opens them."""
    builtin = Splits(spec_of(name, TASKS.find(name).builtin[0]))
    torch.save(
        {s: [builtin.open(s)[i] for i in range(len(builtin.open(s)))] for s in ("train", "test")}, tmp_path / "a.pt"
    )
    file = tmp_path / "my_data.py"
    file.write_text(
        f"import torch\n\ndef make():\n    return torch.load({str(tmp_path / 'a.pt')!r}, weights_only=True)\n"
    )
    own = Splits(spec_of(name, f"{file}:make"))
    own.examined()
    assert own.open("train").independent == builtin.open("train").independent
    for split in ("train", "test"):
        assert len(own.open(split)) == len(builtin.open(split))
    expected, found = (next(in_order(splits.open("test"), 4)) for splits in (builtin, own))
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key].dtype == value.dtype
        assert torch.allclose(found[key].double(), value.double(), atol=1e-5), key


def test_domains_of_unpaired_data_may_have_other_numbers(tmp_path):
    """A dataset for each domain: nothing is a pair."""
    file = tmp_path / "my_data.py"
    file.write_text(
        "import torch\nSETS = {s: {'A': torch.zeros(n, 3, 16, 16), 'B': torch.ones(n + 2, 3, 16, 16)}\n"
        "        for s, n in (('train', 5), ('test', 3))}\n"
    )
    splits = Splits(spec_of("unpaired", f"{file}:SETS"))
    images = splits.open("train")
    assert (images.count("A"), images.count("B"), len(images)) == (5, 7, 7)
    assert images[6]["A"].unique().tolist() == [0.0]
    splits.examined()


@pytest.mark.parametrize("names", ["('input', 'target')", "('lr', 'hr')"])
def test_super_resolution_takes_pairs_or_high_sides_alone(names, tmp_path):
    """Larger pictures are cropped at the same place of the scene; sides that do not belong together are refused."""
    file = tmp_path / "my_data.py"
    file.write_text(
        "import torch\nhigh = torch.arange(48.).repeat(3, 40, 1) / 24 - 1\nlow = high[:, ::2, ::2]\n"
        f"PAIRS = {{s: [dict(zip({names}, (low, high)))] * 3 for s in ('train', 'test')}}\n"
        f"HIGH = {{s: [{{{names}[1]: high}}] * 3 for s in ('train', 'test')}}\n"
    )
    inputs = InputSpec.parse("3,8,8")
    for source in ("PAIRS", "HIGH"):
        output = PictureForm(3, SIZE, SIZE)
        spec = DataSpec(f"{file}:{source}", "super_resolution", inputs, output, own_inputs=inputs)
        entry = next(batches(Splits(spec).open("train"), 1, seed=2))
        low, high = entry["input"][0, 0, 0], entry["target"][0, 0, 0]
        assert (low.shape, high.shape) == ((8,), (16,))
        assert torch.allclose(low[1:-1], high[::2][1:-1], atol=0.05)


def test_a_task_of_ones_own_gets_items_as_they_are(tmp_path):
    """Tensors by name, of any shape and value; all items have one form."""
    task = tmp_path / "my_task.py"
    task.write_text(
        "from ganprune.gan_models.tasks.single_generator import SingleGenerator\n\nclass Mine(SingleGenerator):\n"
        "    name, source = 'mine', 'items'\n    item_names = ('heat', 'depth')\n"
        "    def make_discriminators(self, seed): ...\n    def generator_losses(self, *given): ...\n"
        "    def discriminator_loss(self, *given): ...\n"
    )
    data = tmp_path / "my_data.py"
    data.write_text("import torch\nSETS = {s: [(torch.full((2, 9), 7.), 3)] * 4 for s in ('train', 'test')}\n")
    spec = spec_of(f"{task}:Mine", f"{data}:SETS")
    batch = next(batches(Splits(spec).open("train"), 2, seed=0))
    assert (batch["heat"].shape, batch["heat"].unique().tolist(), batch["depth"].tolist()) == ((2, 2, 9), [7.0], [3, 3])
