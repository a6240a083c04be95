"""Latents follow from a seed alone."""

import torch
from ganprune.gan_models.data.inputs.latents import draw_latents
from ganprune.gan_models.networks.specs import InputSpec


def test_each_latent_has_its_shape_and_its_own_numbers():
    """Those of other kinds are passed over; the same seed gives the same, the first as if it were alone."""
    spec = InputSpec.parse("content=latent:5;label:3;style=latent:5;place=latent:2,1,1")
    one, same, other = (draw_latents(spec, 4, seed) for seed in (1, 1, 2))
    assert {name: tuple(x.shape) for name, x in one.items()} == {
        "content": (4, 5),
        "style": (4, 5),
        "place": (4, 2, 1, 1),
    }
    assert all(torch.equal(one[name], same[name]) and not torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(one["content"], one["style"])
    assert torch.equal(one["content"], draw_latents(InputSpec.parse("latent:5"), 4, 1)["input"])
