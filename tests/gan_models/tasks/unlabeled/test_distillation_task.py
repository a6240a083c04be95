"""The task of inputs without labels: a teacher's outputs are what its student should give."""

import pytest
import torch
from ganprune.gan_models.data.dataset import batches
from ganprune.gan_models.data.spec import DataSpec, PictureForm
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.specs import InputSpec, OutputSpec
from ganprune.gan_models.tasks.task import make_task
from ganprune.gan_models.tasks.task_data import Splits
from torch import nn


def spec(source: str, inputs: str, settings) -> DataSpec:
    return DataSpec(
        source, "distill", InputSpec.parse(inputs), PictureForm(3, 16, 16), n_train=6, n_test=4, settings=settings
    )


def task_of(inputs: str):
    return make_task("distill", {"inputs": inputs}, 3)


def test_what_the_student_should_give_is_what_the_teacher_gives():
    """References and real images are the teacher's outputs for the same inputs."""
    task = task_of("3,16,16")
    task.teacher = lambda name, inputs: -inputs[0]
    batch = next(batches(Splits(spec("builtin:shapes", "3,16,16", {"inputs": "3,16,16"})).open("train"), 2, 0))
    (inputs,) = task.inputs(batch, "G")
    assert inputs.shape == (2, 3, 16, 16)
    assert torch.equal(task.reals(batch, "G"), -inputs)
    assert torch.equal(task.reference(batch, "G"), -inputs)


def test_latents_are_drawn_and_no_image_is_read():
    """They follow from the seed and the batch's step alone."""
    task, data = task_of("latent:8"), Splits(spec("builtin:latents", "latent:8", {"inputs": "latent:8"})).open("train")
    assert len(data) == 6
    source = batches(data, 2, 0)
    first, second = next(source), next(source)
    assert task.inputs(first, "G")[0].shape == (2, 8)
    assert torch.equal(task.inputs(first, "G")[0], task_of("latent:8").inputs(first, "G")[0])
    assert not torch.equal(task.inputs(first, "G")[0], task.inputs(second, "G")[0])


def test_the_loss_is_the_distance_to_the_teacher():
    """L1 of outputs, and nothing that a discriminator says; its own loss is a number all the same."""
    task, generator = task_of("3,16,16"), nn.Conv2d(3, 3, 1)
    task.teacher = lambda name, inputs: -inputs[0]
    batch = next(batches(Splits(spec("builtin:shapes", "3,16,16", {"inputs": "3,16,16"})).open("train"), 2, 0))
    judges = task.make_discriminators(0)
    terms, outputs = task.generator_losses({"G": generator}, judges, batch)
    (inputs,) = task.inputs(batch, "G")
    assert list(terms) == ["l1"]
    assert torch.allclose(terms["l1"], (generator(inputs) + inputs).abs().mean())
    assert torch.isfinite(task.discriminator_loss(outputs, judges, batch))


def test_without_a_teacher_there_is_nothing_to_compare_with():
    """One line that says what to give."""
    batch = {"input": torch.zeros(1, 3, 16, 16)}
    with pytest.raises(UserError, match=r"compares with a teacher: got none; expected one\. Try --teacher FILE"):
        task_of("3,16,16").reals(batch, "G")


def test_a_generator_of_other_inputs_is_refused():
    """Images and latents alone are read or drawn."""
    kind, output = type(task_of("3,16,16")), OutputSpec(3, (16, 16))
    with pytest.raises(UserError, match="the task distill reads images, or draws latents, net takes"):
        kind.fit({}, "net", InputSpec.parse("latent:8;label:4"), output)
