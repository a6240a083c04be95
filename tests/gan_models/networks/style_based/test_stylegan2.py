"""StyleGAN2: the published form and counts, cuts of both axes, and checkpoints under both published names."""

import math
import re

import pytest
import torch
from ganprune.gan_models.checkpoints.checkpoint import load_into
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.style_based.discriminator import spread_in_batch
from ganprune.gan_models.networks.style_based.equalized_layers import EqualizedConvolution
from ganprune.gan_models.networks.style_based.stylegan2 import SynthesisLayer
from safetensors.torch import save_file
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

SMALL = {"size": 16, "latent": 12, "style": 10, "layers": 2, "channel_base": 128, "channel_max": 16}


def network(seed=0, **arguments):
    torch.manual_seed(seed)
    made = build("stylegan2_256", SMALL | arguments).double().eval()
    with torch.no_grad():
        for name, tensor in made.named_parameters():
            if name.endswith(("noise_strength", "bias")):
                tensor += 0.3 * torch.randn_like(tensor)
    return made


def published(layer, x, w):
    """Compute a layer as the paper does: weights per image, the batch as groups of one convolution."""
    n, style = len(x), layer.affine(w)
    weight = layer.weight[None] * style[:, None, :, None, None]
    weight = weight * (weight.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    folded = x.reshape(1, -1, *x.shape[2:])
    if layer.up:
        swapped = weight.transpose(1, 2).reshape(-1, layer.weight.shape[0], 3, 3)
        y = F.conv_transpose2d(folded, swapped, stride=2, groups=n)
        y = y.reshape(n, -1, *y.shape[2:])
        kernel = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype) / 4
        taps = torch.outer(kernel, kernel)[None, None]
        y = F.conv2d(F.pad(y, (1, 1, 1, 1)).flatten(0, 1)[:, None], taps).reshape(*y.shape[:2], -1, 2 * x.shape[-1])
    else:
        y = F.conv2d(folded, weight.flatten(0, 1), padding=1, groups=n).reshape(n, -1, *x.shape[2:])
    y = y + layer.noise_const * layer.noise_strength + layer.bias[:, None, None]
    return F.leaky_relu(y, 0.2) * math.sqrt(2)


@pytest.mark.parametrize("up", [False, True])
def test_scales_around_a_shared_weight_are_the_published_modulation(up):
    """Input times style, shared weight, output times length equals a weight per image, for different images."""
    torch.manual_seed(0)
    layer = SynthesisLayer(4, 6, 5, 8, up).double()
    with torch.no_grad():
        layer.noise_strength.fill_(0.3)
        x, w = torch.randn(3, 4, 4 if up else 8, 4 if up else 8).double(), torch.randn(3, 5).double()
        assert torch.allclose(layer(x, w), published(layer, x, w), atol=1e-12)


def test_a_halving_convolution_blurs_first():
    """Zeros around, the filter on each channel, then the kernel at stride 2 of the weight over its gain."""
    torch.manual_seed(0)
    layer = EqualizedConvolution(2, 3, 3, down=True).double()
    x = torch.randn(1, 2, 8, 8).double()
    taps = layer.resample_filter[None, None].expand(2, 1, 4, 4)
    blurred = F.conv2d(F.pad(x, (2, 2, 2, 2)), taps, groups=2)
    wanted = F.conv2d(blurred, layer.weight / math.sqrt(18), stride=2)
    assert wanted.shape == (1, 3, 4, 4)
    assert torch.allclose(layer(x), wanted, atol=1e-12)


def test_equal_images_have_no_spread():
    """The discriminator's map of standard deviations is 0 for copies, and one number per group otherwise."""
    x = torch.randn(1, 3, 4, 4).repeat(4, 1, 1, 1)
    assert float(spread_in_batch(x).max()) == pytest.approx(1e-4, rel=1e-3)  # the root of 1e-8
    x = torch.randn(6, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    found = spread_in_batch(x)[:, 0, 0, 0]
    assert found.shape == (6,)
    assert found.unique().numel() == 2


def test_styles_are_cut_with_the_maps_that_they_scale():
    """A group per map and per layer of the mapping network; a cut to half keeps rows of each layer's style."""
    made = network()
    groups = find_groups(made, (torch.randn(1, 12).double(),))
    assert groups.sizes == {
        "mapping.fc0": 10,
        "mapping.fc1": 10,
        "synthesis.b4.conv1.affine": 16,  # the constant, with the style that scales it
        "synthesis.b4.conv1": 16,
        "synthesis.b8.conv0": 16,
        "synthesis.b8.conv1": 16,
        "synthesis.b16.conv0": 8,
        "synthesis.b16.conv1": 8,
    }
    assert [one.reason.code for one in groups.unpruned] == ["writes_output"] * 3
    half = cut(made, groups, ChannelPlan({name: tuple(range(0, n, 2)) for name, n in groups.sizes.items()}))
    layer = half.synthesis.b16.conv0
    assert layer.weight.shape == (4, 8, 3, 3)
    assert layer.affine.weight.shape == (8, 5)
    assert layer.affine.scale == made.synthesis.b16.conv0.affine.scale  # of the dense layer
    assert half(torch.randn(3, 12).double()).shape == (3, 3, 16, 16)


@pytest.mark.parametrize(
    ("model", "arguments", "parameters"),
    [
        ("stylegan2_256", {}, 30_034_338),
        ("stylegan2_256", {"channel_base": 16384}, 24_767_458),  # the official code's `paper256`
        ("stylegan2_256", {"size": 1024}, 30_370_060),
        ("stylegan2", {}, 28_864_129),
    ],
)
def test_parameters_follow_from_the_published_widths(model, arguments, parameters):
    """Generators and the discriminator at full width, to the last parameter."""
    with torch.device("meta"):
        made = build(model, arguments)
    assert sum(each.numel() for each in made.parameters()) == parameters


def test_modulated_convolutions_are_nearly_all_of_the_macs():
    """Those of 3x3 at 256x256 cost 45.1 G by their sizes, transposed ones on their input grid; the rest below 1 %."""
    with torch.device("meta"):
        made = build("stylegan2_256", {})
    layers = {name: layer for name, layer in made.named_modules() if isinstance(layer, SynthesisLayer)}
    macs = sum(
        layer.weight.numel() * (layer.noise_const.numel() // (4 if layer.up else 1)) for layer in layers.values()
    )
    assert len(layers) == 13
    assert round(macs / 1e9, 1) == 45.1
    with FlopCounterMode(display=False) as counter:
        made(torch.empty(1, 512, device="meta"))
    rest = counter.get_total_flops() / 2 - macs  # images, styles, lengths, blurs
    assert 0 < rest < 0.01 * macs


def as_stylegan2_pytorch(state):
    """Return a state dict under the names, shapes and scales of stylegan2-pytorch."""
    found = {}
    for name, tensor in state.items():
        parts = name.split(".")
        leaf = ".".join(parts[2 if parts[0] == "mapping" else 3 :])
        if parts[0] == "mapping":
            found[f"style.{int(parts[1][2:]) + 1}.{leaf}"] = tensor
            continue
        level = int(math.log2(int(parts[1][1:]))) - 2
        if parts[2] == "const":
            found["input.input"] = tensor[None]
        elif parts[2] == "resample_filter":
            found[f"to_rgbs.{level - 1}.upsample.kernel"] = 4 * tensor
        elif parts[2] == "torgb":
            place = f"to_rgbs.{level - 1}" if level else "to_rgb1"
            names = {"weight": "conv.weight", "bias": "bias"}
            new = names.get(leaf, leaf.replace("affine", "conv.modulation"))
            shape = {"weight": tensor[None], "bias": tensor.reshape(1, -1, 1, 1)}.get(leaf, tensor)
            found[f"{place}.{new}"] = shape
        else:
            number = 2 * level - (parts[2] == "conv0")
            place = f"convs.{number - 1}" if number else "conv1"
            if leaf == "noise_const":
                found[f"noises.noise_{number}"] = tensor[None, None]
            elif leaf == "resample_filter":
                found[f"{place}.conv.blur.kernel"] = 4 * tensor
            elif leaf == "weight":
                found[f"{place}.conv.weight"] = tensor[None] * math.sqrt(tensor[0].numel())
            else:
                names = {"bias": "activate.bias", "noise_strength": "noise.weight"}
                new = names.get(leaf, leaf.replace("affine", "conv.modulation"))
                found[f"{place}.{new}"] = tensor.reshape(1) if leaf == "noise_strength" else tensor
    return {name: tensor.contiguous() for name, tensor in found.items()}


def test_checkpoints_of_stylegan2_pytorch_are_loaded(tmp_path):
    """Its names, its axis of one image and its scale of weights give the same network."""
    made = network()
    given = as_stylegan2_pytorch(made.state_dict())
    assert {"input.input", "conv1.conv.weight", "convs.3.noise.weight", "to_rgbs.1.conv.modulation.bias"} < {*given}
    assert {"noises.noise_4", "style.2.bias", "convs.2.conv.blur.kernel"} < {*given}
    torch.save({"g_ema": given, "latent_avg": torch.zeros(10)}, tmp_path / "teacher.pt")
    other = network(seed=1)
    load_into(other, tmp_path / "teacher.pt")
    z = torch.randn(2, 12).double()
    with torch.no_grad():
        assert torch.allclose(other(z), made(z), atol=1e-5)


def test_checkpoints_of_the_official_code_are_loaded(tmp_path):
    """It has filters in every layer and the mean style, which a network without truncation does not use."""
    made = network()
    state = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    spare = next(tensor for name, tensor in state.items() if name.endswith("resample_filter"))
    given = state | {re.sub("noise_const", "resample_filter", n): spare.clone() for n in state if "noise_const" in n}
    given |= {"synthesis.b4.resample_filter": spare.clone(), "mapping.w_avg": torch.full((10,), 0.5)}
    save_file(given, tmp_path / "teacher.safetensors")
    z = torch.randn(2, 12).double()
    for truncation in (1.0, 0.5):
        other = network(seed=1, truncation=truncation)
        load_into(other, tmp_path / "teacher.safetensors")
        with torch.no_grad():
            w = made.mapping(z)
            wanted = made.synthesis(0.5 + truncation * (w - 0.5) if truncation < 1 else w)
            assert torch.allclose(other(z), wanted, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 48}, "size=48 must be a power of 2, such as 64 or 256"),
        ({"truncation": 1.5}, "truncation=1.5 must be a number from 0 to 1"),
        ({"channel_base": 8}, "channel_base=8 must be a whole number of at least 16"),
    ],
)
def test_a_bad_argument_is_refused_in_one_line(arguments, message):
    """The message names the argument."""
    with pytest.raises(UserError, match=message):
        build("stylegan2_256", SMALL | arguments)
