"""CartoonGAN's and AnimeGAN's generators: published names and functions, variants, what of them is prunable."""

import pytest
import torch
from ganprune.gan_models.checkpoints.checkpoint import load_into
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.specs import InputSpec
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import conv2d, conv_transpose2d, pad, relu

SMALL = {"ngf": 4, "n_blocks": 2}


def on_meta(model: str, **arguments) -> nn.Module:
    with torch.device("meta"):
        return build(model, arguments).eval()


def published_names() -> list[str]:
    """Return the names in CartoonGAN's published PyTorch files, in their order."""
    blocks = [f"{kind}{number:02}_{half}" for number in range(4, 12) for half in (1, 2) for kind in ("conv", "in")]
    down = ["conv01_1", "in01_1", "conv02_1", "conv02_2", "in02_1", "conv03_1", "conv03_2", "in03_1"]
    up = ["deconv01_1", "deconv01_2", "in12_1", "deconv02_1", "deconv02_2", "in13_1", "deconv03_1"]
    keys = {True: ("scale", "shift"), False: ("weight", "bias")}
    return [f"{name}.{key}" for name in [*down, *blocks, *up] for key in keys[name.startswith("in")]]


def as_published(state):
    """Return a state dict under the published names."""
    words = {"weight": "scale", "bias": "shift"}
    return {
        f"{layer}.{words[key] if layer.startswith('in') else key}": tensor
        for name, tensor in state.items()
        for layer, key in (name.rsplit(".", 1),)
    }


def test_cartoongans_names_are_the_published_ones():
    """Names and order are those of the published files, but for scale and shift of the norms."""
    assert list(as_published(on_meta("cartoongan").state_dict())) == published_names()


def published_norm(x, scale, shift):
    """Return what the published InstanceNorm gives: the variance is biased, epsilon is 1e-9."""
    centered = x - x.mean((2, 3), keepdim=True)
    variance = centered.square().mean((2, 3), keepdim=True)
    return centered / (variance + 1e-9).sqrt() * scale[:, None, None] + shift[:, None, None]


def published_forward(state, x, n_blocks):
    """Return what the published network gives, written out by hand."""

    def conv(name, h, stride=1, reflect=0, padding=0):
        h = pad(h, (reflect,) * 4, "reflect") if reflect else h
        return conv2d(h, state[f"{name}.weight"], state[f"{name}.bias"], stride=stride, padding=padding)

    def norm(name, h):
        return published_norm(h, state[f"{name}.scale"], state[f"{name}.shift"])

    def up(name, h):
        return conv_transpose2d(
            h, state[f"{name}.weight"], state[f"{name}.bias"], stride=2, padding=1, output_padding=1
        )

    h = relu(norm("in01_1", conv("conv01_1", x, reflect=3)))
    for stage in ("02", "03"):
        h = conv(f"conv{stage}_2", conv(f"conv{stage}_1", h, stride=2, padding=1), padding=1)
        h = relu(norm(f"in{stage}_1", h))
    for number in range(4, 4 + n_blocks):
        inner = relu(norm(f"in{number:02}_1", conv(f"conv{number:02}_1", h, reflect=1)))
        h = h + norm(f"in{number:02}_2", conv(f"conv{number:02}_2", inner, reflect=1))
    for stage, name in (("01", "in12_1"), ("02", "in13_1")):
        h = relu(norm(name, conv(f"deconv{stage}_2", up(f"deconv{stage}_1", h), padding=1)))
    return conv("deconv03_1", h, reflect=3).tanh()


def test_a_published_cartoongan_is_loaded_and_gives_what_it_gave(tmp_path):
    """A file with `scale` and `shift` fills the network, which computes what the published code computes."""
    torch.manual_seed(0)
    state = as_published({k: torch.randn_like(v) * 0.3 for k, v in build("cartoongan", SMALL).state_dict().items()})
    save_file(state, tmp_path / "net_G.safetensors")
    network = build("cartoongan", SMALL).eval()
    load_into(network, tmp_path / "net_G.safetensors")
    x = torch.rand(2, 3, 16, 20) * 2 - 1
    with torch.no_grad():
        assert torch.allclose(network(x), published_forward(state, x, 2), atol=1e-4)


def test_bgr_weights_are_run_on_rgb_images():
    """With channel_order=bgr the network reads and gives RGB, with weights that read and give BGR."""
    network = build("cartoongan", SMALL).eval()
    swapped = build("cartoongan", {**SMALL, "channel_order": "bgr"}).eval()
    swapped.load_state_dict(network.state_dict())
    x = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(swapped(x), network(x.flip(1)).flip(1))


@pytest.mark.parametrize(
    ("norm", "upsampling"),
    [("instance", "transposed"), ("batch", "nearest"), ("none", "bilinear")],
)
def test_each_variant_keeps_the_size_and_prunes_all_but_the_output(norm, upsampling):
    """All hidden channels are in groups: 3 of the stem and the stages' ends, 4 inside of stages, 1 per block, a trunk."""
    network = build("cartoongan", {**SMALL, "norm": norm, "upsampling": upsampling}).eval()
    assert network(torch.rand(1, 3, 16, 24)).shape == (1, 3, 16, 24)
    groups = find_groups(network, InputSpec.parse("3,16,16").examples())
    assert len(groups.groups) == 9 + 2
    assert [each.module for each in groups.unpruned] == ["deconv03_1"]


def test_animegans_names_and_prunable_groups_are_known():
    """Names are the published ones; the depthwise convolutions follow their groups."""
    state = on_meta("animeganv2").state_dict()
    assert list(state)[:3] == ["block_a.0.1.weight", "block_a.0.2.weight", "block_a.0.2.bias"]
    assert {"block_c.1.layers.1.1.bias", "block_c.4.layers.3.weight", "out_layer.0.weight"} <= state.keys()
    assert "block_c.1.layers.0.1.bias" not in state
    assert state["block_c.2.layers.1.1.weight"].shape == (512, 1, 3, 3)
    network = build("animeganv2", {"ngf": 2}).eval()
    assert network(torch.rand(1, 3, 16, 24)).shape == (1, 3, 16, 24)
    groups = find_groups(network, InputSpec.parse("3,16,16").examples())
    assert len(groups.groups) == 17
    assert [each.module for each in groups.unpruned] == ["out_layer.0"]


@pytest.mark.parametrize(
    ("model", "arguments", "why"),
    [
        ("cartoongan", {"norm": "layer"}, "norm='layer' is not known: use one of 'instance', 'batch', 'none'"),
        ("cartoongan", {"upsampling": "pixel"}, "upsampling='pixel' is not known"),
        ("cartoongan", {"channel_order": "grb"}, "channel_order='grb' is not known"),
        ("cartoongan", {"n_blocks": -1}, "n_blocks=-1 must be a whole number"),
        ("animeganv2", {"ngf": 0}, "ngf=0 must be a whole number"),
        ("animeganv2", {"align_corners": "no"}, "align_corners='no' must be true or false"),
    ],
)
def test_a_bad_argument_is_refused_in_one_line(model, arguments, why):
    """The message names the argument and what it may be."""
    with pytest.raises(UserError, match=why):
        build(model, arguments)
