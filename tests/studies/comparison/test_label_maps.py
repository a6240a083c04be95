"""`fid` and `compare` tell metrics what a study tells them of its task."""

import torch
from ganprune.evaluators.features.catalog import load_encoder
from ganprune.gan_models.data.spec import DataSpec, PictureForm
from ganprune.gan_models.networks.specs import InputSpec, OutputSpec
from ganprune.gan_models.tasks.catalog import TASKS
from ganprune.studies.comparison.fid import generator_measured
from ganprune.studies.comparison.image_sources import test_inputs as inputs_of
from ganprune.studies.comparison.measure_options import FidOptions

# Each label map is the opposite of what its target shows, and so is what the generator makes of it.
MAPS = """
import torch

images = [torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(i)).round() * 2 - 1 for i in range(12)]
items = [{"map": (image[0] < 0).long(), "target": image.expand(3, -1, -1)} for image in images]
data = {"train": items, "test": items}


def bright(images):
    return (images.mean(1) > 0).long()


bright.classes = 2
"""


def test_labels_of_a_label_map_are_those_that_the_generator_was_given(tmp_path):
    """The mean intersection over union is 1 against the label maps; it would be 0 against the targets."""
    (tmp_path / "maps.py").write_text(MAPS)
    inputs, output = InputSpec.parse("map=label:2,16,16"), OutputSpec(3, (16, 16))
    settings = TASKS.find("paired").load().fit({}, "own", inputs, output)
    spec = DataSpec(
        f"{tmp_path}/maps.py:data", "paired", inputs, PictureForm.of(output), "AtoB", settings=settings,
        own_inputs=inputs, own_range=output.value_range,
    )  # fmt: skip
    encoder = load_encoder("shapes", None)
    found = inputs_of(spec, "G", "test-vs-test", 0, encoder, torch.device("cpu"))
    options = FidOptions(metric="shapes", also_measure=("miou",), weights={"segmenter": f"{tmp_path}/maps.py:bright"})

    def generate(maps):
        return (maps.float() * 2 - 1)[:, None].expand(-1, 3, -1, -1)

    measured = generator_measured(generate, "", encoder, torch.device("cpu"), found, found.real, options)
    (miou,) = (m for m in measured if m.name.startswith("miou["))
    assert miou.value == 1.0
    assert "labels: the task's label maps" in miou.protocol
