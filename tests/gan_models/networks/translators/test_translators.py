"""StarGAN's and MUNIT's generators: the second input has its effect, and what of them is prunable."""

import pytest
import torch
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.catalog import NETWORKS, build
from ganprune.gan_models.networks.specs import InputSpec
from ganprune.gan_models.networks.translators.munit import LayerNorm

IMAGE = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_stargans_names_are_the_published_ones():
    """One flat Sequential of convolutions and norms with scale and shift, as upstream's files have it."""
    names = list(build("stargan", {"ngf": 4, "n_blocks": 1}).state_dict())
    assert names[:4] == ["main.0.weight", "main.1.weight", "main.1.bias", "main.3.weight"]
    assert {"main.9.main.0.weight", "main.9.main.4.bias", "main.10.weight", "main.16.weight"} <= set(names)


def test_each_domain_of_stargan_gives_another_image():
    """The label enters as maps: two domains differ."""
    torch.manual_seed(0)
    network = build("stargan", {"ngf": 4, "n_blocks": 1}).eval()
    with torch.no_grad():
        first, second = (network(IMAGE, torch.tensor([domain])) for domain in (0, 1))
    assert first.shape == IMAGE.shape
    assert float((first - second).abs().max()) > 1e-3


def test_munits_layer_norm_is_over_all_channels():
    """Mean and deviation are per example, as upstream's LayerNorm has them (its variance is unbiased)."""
    torch.manual_seed(0)
    norm, x = LayerNorm(6).eval(), torch.randn(3, 6, 4, 4)
    flat = x.flatten(1)
    plain = (x - flat.mean(1)[:, None, None, None]) / (flat.std(1, unbiased=False) + 1e-5)[:, None, None, None]
    assert torch.allclose(norm(x), plain * norm.gamma[:, None, None] + norm.beta[:, None, None], atol=1e-5)


def test_the_mlps_outputs_follow_the_channels_that_they_scale():
    """Half of a styled block's inner channels: the two linear layers that write their scales lose half, too."""
    network = build("munit", {"ngf": 4, "n_blocks": 1, "hidden": 8}).eval()
    groups = find_groups(network, InputSpec.parse("3,32,32;style=latent:8").examples())
    (name,) = [
        each.name for each in groups.groups if "styled.0.first.conv" in each.modules and "styles.0" in each.modules
    ]
    small = cut(network, groups, ChannelPlan({**ChannelPlan.full(groups.sizes).kept, name: tuple(range(8))}))
    assert small.styles[0].weight.shape == small.styles[1].weight.shape == (8, 8)
    assert small.styles[2].weight.shape == (16, 8)
    assert small(IMAGE, torch.zeros(1, 8)).shape == IMAGE.shape


def test_the_inputs_follow_the_arguments():
    """Classes of StarGAN and the style of MUNIT."""
    assert NETWORKS.find("stargan").inputs_for({"classes": 7}) == InputSpec.parse("3,128,128;label:7")
    assert NETWORKS.find("munit").inputs_for({"latent": 4}) == InputSpec.parse("3,256,256;style=latent:4")


@pytest.mark.parametrize(
    ("model", "arguments", "why"),
    [
        ("stargan", {"classes": 0}, "classes=0 must be a whole number"),
        ("munit", {"n_blocks": 0}, "n_blocks=0 must be a whole number"),
    ],
)
def test_a_bad_argument_is_refused_in_one_line(model, arguments, why):
    """The message names the argument and what it may be."""
    with pytest.raises(UserError, match=why):
        build(model, arguments)
