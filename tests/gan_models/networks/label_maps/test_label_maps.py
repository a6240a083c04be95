"""SPADE's and pix2pixHD's generators: published names and functions, and what of them is prunable."""

import pytest
import torch
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import NETWORKS, build
from ganprune.gan_models.networks.label_maps.spade import SpadeNorm
from ganprune.gan_models.networks.resnet import ResnetGenerator
from ganprune.gan_models.networks.specs import InputSpec
from torch.nn.functional import interpolate, one_hot

INPUTS = InputSpec.parse("label:4,64,64;edges=mask:1,64,64")
SMALL = {"ngf": 2, "classes": 4, "hidden": 8}


def test_spades_names_are_the_published_ones():
    """Blocks, norms and convolutions have upstream's names; a spectral norm is torch's."""
    names = set(build("spade", {**SMALL, "spectral": False}).state_dict())
    expected = {
        "fc.weight", "head_0.conv_0.weight", "head_0.norm_0.param_free_norm.running_mean",
        "head_0.norm_0.mlp_shared.0.weight", "head_0.norm_1.mlp_gamma.bias", "G_middle_0.conv_1.bias",
        "G_middle_1.norm_1.mlp_beta.weight", "up_0.conv_s.weight", "up_3.norm_s.mlp_shared.0.bias", "conv_img.bias",
    }  # fmt: skip
    assert expected <= names
    assert not any(name.startswith(("head_0.conv_s", "up_4")) for name in names)


def test_a_spade_norm_scales_and_shifts_by_the_resized_map():
    """norm(x) * (1 + gamma) + beta, both from the map at x's size."""
    torch.manual_seed(0)
    norm = SpadeNorm(6, 3, "instance", 5).eval()
    x, planes = torch.randn(2, 6, 8, 8), torch.rand(2, 3, 32, 32)
    shared = norm.mlp_shared(interpolate(planes, (8, 8), mode="nearest"))
    centered = x - x.mean((2, 3), keepdim=True)
    plain = centered / (centered.square().mean((2, 3), keepdim=True) + 1e-5).sqrt()
    expected = plain * (1 + norm.mlp_gamma(shared)) + norm.mlp_beta(shared)
    assert torch.allclose(norm(x, planes), expected, atol=1e-5)


@pytest.mark.parametrize(("upsampling", "least"), [("normal", 32), ("more", 64), ("most", 128)])
def test_spade_runs_at_multiples_of_its_reduction(upsampling, least):
    """The output has the map's size."""
    network = build("spade", {**SMALL, "upsampling": upsampling}).eval()
    label = torch.zeros(1, least, 2 * least, dtype=torch.long)
    assert network(label, torch.zeros(1, 1, least, 2 * least)).shape == (1, 3, least, 2 * least)


def test_every_hidden_channel_of_spade_is_in_a_group():
    """A trunk per width, the inside of each block, and each norm's hidden maps; the image's convolution stays."""
    groups = find_groups(build("spade", SMALL).eval(), INPUTS.examples())
    assert [each.module for each in groups.unpruned] == ["conv_img"]
    hidden = [name for name in groups.sizes if name.endswith("mlp_shared.0")]
    assert len(hidden) == 3 * 2 + 4 * 3
    assert len(groups.groups) == 30


def test_pix2pixhd_is_cyclegans_resnet_on_planes_of_the_map():
    """With two strided convolutions and the same weights, both compute the same."""
    torch.manual_seed(0)
    network = build("pix2pixhd", {"ngf": 4, "classes": 4, "n_downs": 2, "n_blocks": 1}).eval()
    same = ResnetGenerator(ngf=4, n_blocks=1, input_channels=5).eval()
    same.load_state_dict(network.state_dict())
    label, edges = INPUTS.examples()
    planes = torch.cat((one_hot(label, 4).permute(0, 3, 1, 2).float(), edges), 1)
    with torch.no_grad():
        assert torch.equal(network(label, edges), same(planes))


def test_a_generator_without_edges_takes_the_label_map_alone():
    """The catalog's inputs follow the arguments `classes` and `edges`."""
    row = NETWORKS.find("spade")
    assert row.inputs_for({"classes": 12}) == InputSpec.parse("label:12,256,512;edges=mask:1,256,512")
    assert row.inputs_for({"edges": False}) == InputSpec.parse("label=label:35,256,512")
    network = build("spade", {**SMALL, "edges": False}).eval()
    assert network(torch.zeros(1, 64, 64, dtype=torch.long)).shape == (1, 3, 64, 64)


@pytest.mark.parametrize(
    ("model", "arguments", "why"),
    [
        ("spade", {"upsampling": "least"}, "upsampling='least' is not known: use one of 'normal', 'more', 'most'"),
        ("spade", {"norm": "layer"}, "norm='layer' is not known"),
        ("spade", {"edges": 1}, "edges=1 must be true or false"),
        ("spade", {"ngf": 3, "upsampling": "most"}, "expected an even number"),
        ("pix2pixhd", {"classes": 0}, "classes=0 must be a whole number"),
        ("pix2pixhd", {"n_downs": 0}, "n_downs=0 must be a whole number"),
    ],
)
def test_a_bad_argument_is_refused_in_one_line(model, arguments, why):
    """The message names the argument and what it may be."""
    with pytest.raises(UserError, match=why):
        build(model, arguments)
