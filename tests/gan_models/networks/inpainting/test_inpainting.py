"""Generators that fill holes: gated and partial convolutions, and what an image shows inside its holes."""

import pytest
import torch
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.inpainting.partial import PartialConv
from ganprune.gan_models.networks.specs import InputSpec
from torch.nn.functional import conv2d, elu

SMALL = {"gated_inpainting": {"ngf": 4}, "partial_inpainting": {"ngf": 4, "n_downs": 3}}


def example():
    torch.manual_seed(0)
    holes = torch.zeros(1, 1, 32, 32)
    holes[:, :, 8:20, 8:20] = 1
    return torch.rand(1, 3, 32, 32) * 2 - 1, holes


@pytest.mark.parametrize("model", SMALL)
def test_the_holes_content_has_no_effect_and_the_rest_is_kept(model):
    """Other pixels inside the holes: the same output; outside of them the output is the image."""
    network = build(model, SMALL[model]).eval()
    image, holes = example()
    with torch.no_grad():
        given, other = network(image, holes), network(image + holes * torch.randn_like(image), holes)
        bare = build(model, {**SMALL[model], "compose": False}).eval()
        bare.load_state_dict(network.state_dict())
        filled = bare(image, holes)
    assert torch.equal(given, other)
    assert torch.equal(given * (1 - holes), image * (1 - holes))
    assert torch.equal(given * holes, filled * holes)
    assert not torch.allclose(filled * (1 - holes), image * (1 - holes))


def test_a_gated_convolution_multiplies_features_by_gates():
    """The first half of the channels are features, the second half their gates; a cut keeps both halves alike."""
    network = build("gated_inpainting", {"ngf": 4}).eval()
    x = torch.randn(1, 5, 8, 8)
    features, gates = network.stem.conv(x).split(4, 1)
    assert torch.allclose(network.stem(x), elu(features) * gates.sigmoid())
    groups = find_groups(network, InputSpec.parse("3,32,32;holes=mask:1,32,32").examples())
    assert groups.sizes["stem.conv"] == 4


def test_a_partial_convolution_is_scaled_by_the_share_of_known_pixels():
    """Two maps with masks of their own: known pixels count by the maps' channels; where none is known, 0."""
    torch.manual_seed(0)
    layer = PartialConv([2, 1], 4, 3).eval()
    torch.nn.init.normal_(layer.bias)
    maps = [torch.randn(1, 2, 6, 6), torch.randn(1, 1, 6, 6)]
    known = [(torch.rand(1, 1, 6, 6) > 0.5).float(), (torch.rand(1, 1, 6, 6) > 0.5).float()]
    for mask in known:
        mask[:, :, :4, :4] = 0
    given, now = layer(maps, known)
    every = torch.cat((known[0].expand(-1, 2, -1, -1), known[1]), 1)
    seen = conv2d(every, torch.ones(1, 3, 3, 3), padding=1)
    raw = conv2d(torch.cat(maps, 1) * every, layer.conv.weight, padding=1)
    expected = torch.where(seen > 0, raw * 27 / seen.clamp_min(1) + layer.bias[:, None, None], 0)
    assert torch.allclose(given, expected, atol=1e-5)
    assert torch.equal(now, (seen > 0).float())
    assert float(now[0, 0, 1, 1]) == 0


def test_every_channel_of_a_partial_u_net_is_prunable():
    """One group per layer but the last; masks have no channels of their own."""
    network = build("partial_inpainting", SMALL["partial_inpainting"]).eval()
    groups = find_groups(network, InputSpec.parse("3,32,32;holes=mask:1,32,32").examples())
    assert list(groups.sizes.values()) == [4, 8, 16, 8, 4]


@pytest.mark.parametrize(
    ("model", "arguments", "why"),
    [
        ("gated_inpainting", {"ngf": 5}, "ngf=5 must be even"),
        ("partial_inpainting", {"n_downs": 1}, "n_downs=1 must be a whole number of at least 2"),
        ("partial_inpainting", {"compose": "yes"}, "compose='yes' must be true or false"),
    ],
)
def test_a_bad_argument_is_refused_in_one_line(model, arguments, why):
    """The message names the argument and what it may be."""
    with pytest.raises(UserError, match=why):
        build(model, arguments)
