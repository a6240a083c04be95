"""The task label_to_image: its losses, label maps of the built-in shapes, and edges of instance maps."""

import numpy as np
import pytest
import torch
from ganprune.gan_models.data.inputs.instance_edges import instance_edges
from ganprune.gan_models.data.synthetic import SHAPE_LABELS, render_shape_maps, render_shapes
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.discriminators.multiscale import maps_of_calls
from ganprune.gan_models.networks.specs import InputSpec, OutputSpec
from ganprune.gan_models.tasks.catalog import TASKS
from ganprune.gan_models.tasks.label_maps.label_to_image import LabelToImageTask, matched_maps
from ganprune.gan_models.tasks.task import make_task
from ganprune.gan_models.tasks.task_data import open_split
from PIL import Image

from ....data_specs import of_inputs

INPUTS = "label:6,32,32;edges=mask:1,32,32"
JUDGE = {"model": "multiscale", "ndf": 4, "n_layers": 2}


def task_and_batch(**settings):
    task = make_task("label_to_image", {"inputs": INPUTS, "discriminator": JUDGE, **settings}, 0)
    assert isinstance(task, LabelToImageTask)
    label, edges = InputSpec.parse(INPUTS).examples(2)
    return task, {"label": label, "edges": edges, "target": torch.rand(2, 3, 32, 32) * 2 - 1}


def terms_of(task, batch, judge=None):
    judges = task.make_discriminators(0)
    generators = {"G": lambda label, edges: 0.5 * batch["target"]}
    return task.generator_losses(generators, {"G": judge or judges["G"]}, batch)[0]


def test_output_and_target_are_matched_in_the_maps_of_the_discriminator():
    """The term is 0 for the target itself, and the mean relative difference otherwise."""
    task, batch = task_and_batch(weight_features=2.0)
    judge = task.make_discriminators(0)["G"].eval()
    inputs = task.inputs(batch, "G")
    with maps_of_calls() as calls:
        judge(task.judged(inputs, 0.5 * batch["target"]))
        judge(task.judged(inputs, batch["target"]))
    given, wanted = calls
    assert len(given) == 2 * 3  # two sizes, the layers but the scores
    shares = [float((a - b).abs().mean() / b.abs().mean()) for a, b in zip(given, wanted, strict=True)]
    assert float(terms_of(task, batch, judge)["features"]) == pytest.approx(2 * np.mean(shares), rel=1e-4)
    assert float(matched_maps(wanted, wanted)) == 0


def test_maps_are_found_through_a_wrapper_of_the_discriminator():
    """A method may hand in a closure; a discriminator of another kind leaves the term out."""
    task, batch = task_and_batch()
    judge = task.make_discriminators(0)["G"]
    assert "features" in terms_of(task, batch, lambda x: judge(x))
    assert terms_of(task, batch, lambda x: x.mean((1, 2, 3))).keys() == {"adversarial"}


def test_all_sizes_of_the_discriminator_weigh_alike():
    """The mean of the scores is the mean of the sizes' means if their maps divide each other."""
    judge = build("multiscale", {"ndf": 4, "n_layers": 1, "input_channels": 3}).eval()
    scores = judge(torch.randn(1, 3, 34, 34))
    assert scores.shape[:2] == (1, 2)
    assert len(scores[0, 1].unique()) < len(scores[0, 0].unique())


def test_a_boundary_lies_on_both_sides_of_two_instances():
    """Pixels next to another number on the left, right, above or below; corners alone are none."""
    numbers = np.zeros((5, 5), np.int64)
    numbers[2, 2] = 7
    assert instance_edges(numbers).tolist() == [
        [0, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0],
    ]  # fmt: skip


def test_the_built_in_label_maps_are_those_of_the_painted_scenes():
    """Sky is above ground, every shape has its class, and the painting changes where the label does."""
    labels, instances = render_shape_maps(0, "train", range(8), 64)
    assert set(np.unique(labels)) <= set(range(len(SHAPE_LABELS)))
    assert (labels[:, 0] == 0).mean() > 0.5
    assert ((labels > 1) == (instances > 0)).all()
    paintings = render_shapes(0, "train", range(8), 64)[1].float()
    across = (paintings[..., 1:] - paintings[..., :-1]).abs().mean(1).numpy()
    edges = labels[..., 1:] != labels[..., :-1]
    assert across[edges].mean() > 3 * across[~edges].mean()


def test_the_built_in_set_gives_label_maps_and_edges():
    """Batches have class numbers, edges of 0 and 1, and the painting."""
    images = open_split(of_inputs("builtin:shapes", "label_to_image", INPUTS, n_train=4), "train")
    item = images[0]
    assert item["label"].shape == (32, 32)
    assert item["label"].dtype == torch.int64
    assert item["edges"].unique().tolist() == [0, 1]
    assert item["target"].shape == (3, 32, 32)


def saved(root, name, array, mode=None):
    for split in ("train", "test"):
        path = root / split / name / "a.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array, mode).save(path)


def folder(root, label, instance):
    saved(root, "target", np.zeros((32, 32, 3), np.uint8))
    saved(root, "label", label)
    saved(root, "instance", instance)
    return of_inputs(str(root), "label_to_image", INPUTS)


def test_edges_are_computed_from_a_folder_of_instance_maps(tmp_path):
    """Maps of 16 bits, as Cityscapes' are; numbers above 255 count."""
    instance = np.zeros((32, 32), np.uint16)
    instance[:, 16:] = 26001
    item = open_split(folder(tmp_path, np.zeros((32, 32), np.uint8), instance), "test")[0]
    assert item["edges"][0].sum(0).tolist() == [32.0 * (column in (15, 16)) for column in range(32)]


def test_instance_maps_in_color_are_refused(tmp_path):
    """Colors are no numbers."""
    with pytest.raises(UserError, match="contains colors instead of instances' numbers: expected a palette or gray"):
        open_split(folder(tmp_path, np.zeros((32, 32), np.uint8), np.zeros((32, 32, 3), np.uint8)), "test")


def test_a_class_out_of_range_is_refused(tmp_path):
    """The message names file, class and input."""
    label = np.full((32, 32), 9, np.uint8)
    with pytest.raises(UserError, match="has a class out of range: got 9; expected 0 to 5"):
        open_split(folder(tmp_path, label, np.zeros((32, 32), np.uint8)), "test")


def test_a_generator_without_a_label_map_is_refused():
    """The message says which generator is expected."""
    spec = InputSpec.parse("3,32,32")
    with pytest.raises(UserError, match="gives a generator label maps: got mine of"):
        TASKS.find("label_to_image").load().fit({}, "mine", spec, OutputSpec.of_shape((3, 32, 32), spec))
