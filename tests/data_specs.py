"""Data of tests: square images of one size, unless a test says otherwise."""

from ganprune.gan_models.data.spec import DataSpec, PictureForm
from ganprune.gan_models.networks.specs import InputSpec


def square(source, task, size=16, channels=3, **more):
    """Return the data of generators of square images; of latents if the task is unconditional."""
    inputs = "latent:128" if task in ("unconditional", "style_based") else f"{channels},{size},{size}"
    return DataSpec(str(source), task, InputSpec.parse(inputs), PictureForm(channels, size, size), **more)


def of_inputs(source, task, inputs, channels=3, **more):
    """Return the data of generators of several inputs, whose output has the first one's size."""
    spec = InputSpec.parse(inputs)
    return DataSpec(str(source), task, spec, PictureForm(channels, *spec.inputs[0].shape[-2:]), **more)
