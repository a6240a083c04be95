"""Networks that are told by their weights: those of the catalog alone, others by the package spandrel."""

from importlib import import_module

import pytest
import torch
from ganprune.gan_models.checkpoints.checkpoint import load_into, save_weights
from ganprune.gan_models.files.errors import UserError
from ganprune.gan_models.files.packages import Package, PackageMissing
from ganprune.gan_models.files.user_code import load_object
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.networks.upscalers import recognition
from ganprune.gan_models.networks.upscalers.recognition import recognize
from torch import nn

SMALL = {"num_feat": 8}
CASES = {
    "compact": ("srvgg_compact", {**SMALL, "num_conv": 3}),
    "compact x2, gray": ("srvgg_compact", {**SMALL, "num_conv": 1, "scale": 2, "input_channels": 1, "output_channels": 1}),
    "compact x3": ("srvgg_compact", {**SMALL, "scale": 3}),
    "blocks": ("rrdbnet", {**SMALL, "num_block": 2, "num_grow_ch": 4}),
    "folded blocks x2": ("rrdbnet", {**SMALL, "num_block": 1, "num_grow_ch": 4, "scale": 2}),
    "folded blocks x1": ("rrdbnet", {**SMALL, "num_block": 1, "num_grow_ch": 4, "scale": 1}),
    "residual": ("srresnet", {**SMALL, "num_block": 2}),
    "residual x3": ("srresnet", {**SMALL, "num_block": 1, "scale": 3}),
    "residual x2": ("srresnet", {**SMALL, "num_block": 1, "scale": 2}),
}  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of this test's own."""
    monkeypatch.setenv("GANPRUNE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("wrapper", ["", "params_ema"])
def test_a_network_of_the_catalog_is_told_by_its_weights(case, wrapper, tmp_path):
    """Name and arguments follow from names and shapes; the network is built from them, and the file fits it."""
    model, arguments = CASES[case]
    torch.manual_seed(0)
    source = build(model, arguments).eval()
    state = source.state_dict()
    torch.save({wrapper: state} if wrapper else state, tmp_path / "weights.pth")
    found = recognize(str(tmp_path / "weights.pth"))
    assert (found.model, found.inputs, found.value_range) == (model, "", "0,1")
    network = build(found.model, found.arguments).eval()
    load_into(network, found.teacher)
    x = torch.rand(1, arguments.get("input_channels", 3), 8, 8)
    with torch.no_grad():
        assert torch.equal(network(x), source(x))


def first_release(name: str) -> str:
    """Return a name of RRDBNet as ESRGAN's first release has it, with two blocks."""
    layer, _, kind = name.rpartition(".")
    whole = {
        "conv_first": "0",
        "conv_body": "1.sub.2",
        "conv_up1": "3",
        "conv_up2": "6",
        "conv_hr": "8",
        "conv_last": "10",
    }
    if layer in whole:
        return f"model.{whole[layer]}.{kind}"
    _, block, dense, conv = layer.split(".")
    return f"model.1.sub.{block}.{dense.upper()}.{conv}.0.{kind}"


def second_release(name: str) -> str:
    """Return a name of RRDBNet as BSRGAN and RealSR have it."""
    for new, old in (("conv_body", "trunk_conv"), ("conv_up", "upconv"), ("conv_hr", "HRconv")):
        name = name.replace(new, old)
    return f"RRDB_trunk.{name.removeprefix('body.').replace('rdb', 'RDB')}" if name.startswith("body.") else name


@pytest.mark.parametrize("rename", [first_release, second_release])
def test_older_names_of_rrdbnet_are_converted(rename, tmp_path):
    """Files of earlier releases become the catalog's network; the weights are written once under its names."""
    torch.manual_seed(0)
    source = build("rrdbnet", {"num_feat": 8, "num_block": 2, "num_grow_ch": 4}).eval()
    torch.save({rename(name): tensor for name, tensor in source.state_dict().items()}, tmp_path / "old.pth")
    found = recognize(str(tmp_path / "old.pth"))
    assert found.model == "rrdbnet"
    assert found == recognize(str(tmp_path / "old.pth"))
    network = build(found.model, found.arguments).eval()
    load_into(network, found.teacher)
    x = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        assert torch.equal(network(x), source(x))


def test_of_two_averages_the_published_choice_is_taken_or_the_named_one(tmp_path):
    """`params_ema` comes before `params`, as published code takes it; `FILE::key` names another."""
    torch.manual_seed(0)
    both = {key: build("srresnet", {"num_feat": 8, "num_block": 1}).state_dict() for key in ("params", "params_ema")}
    torch.save(both, tmp_path / "both.pth")
    for source, key in (("both.pth", "params_ema"), ("both.pth::params", "params")):
        network = build("srresnet", {"num_feat": 8, "num_block": 1})
        load_into(network, recognize(f"{tmp_path}/{source}").teacher)
        assert torch.equal(network.conv_last.weight, both[key]["conv_last.weight"])


def test_without_spandrel_another_network_names_the_command(tmp_path, monkeypatch):
    """Weights of a network outside the catalog need the extra, in one line."""
    save_weights(nn.Conv2d(3, 3, 3), tmp_path / "other.safetensors")
    monkeypatch.setattr(recognition, "PACKAGE", Package("no_such_package_here"))
    with pytest.raises(PackageMissing, match=r"pip install 'ganprune\[spandrel\]'") as caught:
        recognize(str(tmp_path / "other.safetensors"))
    assert "\n" not in str(caught.value)


@pytest.fixture
def spandrel():
    """The package, if it is installed and can be imported."""
    try:
        return import_module("spandrel")
    except Exception as error:  # a torchvision of another torch, for instance
        pytest.skip(f"spandrel cannot be imported: {' '.join(str(error).split())}")


def test_a_network_that_spandrel_knows_is_built_again(spandrel, tmp_path):
    """Class, arguments and inputs are recorded; the network is built from them without the file, and its weights fit."""
    from spandrel.architectures.SPAN import SPAN

    torch.manual_seed(0)
    source = SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=2).eval()
    save_weights(source.state_dict(), tmp_path / "span.safetensors")
    found = recognize(str(tmp_path / "span.safetensors"))
    assert (found.model, found.inputs, found.value_range) == ("spandrel.architectures.SPAN:SPAN", "3,64,64", "0,1")
    network = load_object(found.model, "model")(**found.arguments).eval()
    load_into(network, found.teacher)
    x = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(network(x), source(x))


def test_what_spandrel_does_not_know_is_refused(spandrel, tmp_path):
    """A state dict of any other network is one line."""
    save_weights(nn.Conv2d(3, 3, 3), tmp_path / "other.safetensors")
    with pytest.raises(UserError, match="is of no network that spandrel recognizes") as caught:
        recognize(str(tmp_path / "other.safetensors"))
    assert "\n" not in str(caught.value)
