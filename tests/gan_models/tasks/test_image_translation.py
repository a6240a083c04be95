"""Functions that tasks of image translation share: their fit, and the discriminator that is left open."""

import pytest
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.networks.specs import InputSpec, OutputSpec
from ganprune.gan_models.tasks.catalog import TASKS

KINDS = [TASKS[name].load() for name in ("paired", "unpaired")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("pixels", "layers"), [(16, 1), (31, 1), (32, 2), (63, 2), (64, 3), (256, 3)])
def test_a_patchgan_is_as_deep_as_the_images_allow(kind, pixels, layers):
    """Unless its depth is given; what else was set stays."""
    settings = {"discriminator": {"ndf": 8}, "adversarial": "hinge"}
    output = OutputSpec(3, (pixels, 2 * pixels))
    assert kind.complete(settings, output) == settings | {"discriminator": {"ndf": 8, "n_layers": layers}}
    assert kind.complete({"discriminator": {"n_layers": 5}}, output)["discriminator"] == {"n_layers": 5}
    assert settings == {"discriminator": {"ndf": 8}, "adversarial": "hinge"}


PAIRED, UNPAIRED = KINDS


@pytest.mark.parametrize(
    ("kind", "inputs", "why"),
    [
        (PAIRED, "latent:8", "translates images, mine starts from a latent"),
        (UNPAIRED, "latent:8", "translates images, mine starts from a latent"),
        (UNPAIRED, "image:3,16,16;mask:1,16,16", "gives a generator one image, mine takes"),
        (PAIRED, "target=3,16,16;mask:1,16,16", "an input has a reserved name: got target"),
    ],
)
def test_a_generator_that_a_task_does_not_feed_is_refused(kind, inputs, why):
    """The task or the generator is named, with what it takes; one image is recorded as in earlier versions."""
    with pytest.raises(UserError, match=why):
        kind.fit({}, "mine", InputSpec.parse(inputs), OutputSpec(3, (16, 16)))
    assert kind.fit({"pool": 3}, "mine", InputSpec.parse("image:3,16,16"), OutputSpec(3, (16, 16))) == {"pool": 3}


def test_pairs_of_several_inputs_are_recorded_with_their_names():
    """The parts of an entry that are read follow from the generator's inputs; latents are drawn."""
    given = PAIRED.fit({}, "mine", InputSpec.parse("photo=3,16,16;mask:1,16,16;latent:4"), OutputSpec(1, (16, 16)))
    assert given == {"inputs": "photo=image:3,16,16;mask=mask:1,16,16;latent=latent:4", "output_channels": 1}
