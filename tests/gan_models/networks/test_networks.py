"""The networks at full width: upstream's keys, documented behavior."""

import copy

import pytest
import torch
from ganprune.evaluators.cost.counters import count_cost
from ganprune.gan_models.networks.catalog import build
from torch import nn
from torch.nn.utils import parametrize

from ...examples import example_input
from ..foreign import FOREIGN

IMAGE = (3, 256, 256)


def on_meta(model: str, **arguments) -> nn.Module:
    with torch.device("meta"):
        return build(model, arguments).eval()


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_resnet_keys_are_upstreams(norm, dropout):
    """The ResNet's state dict has upstream's keys in upstream's order; dropout shifts each second conv by one."""
    entries = {
        "batch": ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"],
        "instance": [],
    }[norm]
    conv = ["weight"] if norm == "batch" else ["weight", "bias"]
    expected = []
    for index in (1, 4, 7):
        expected += [f"model.{index}.{k}" for k in conv] + [f"model.{index + 1}.{k}" for k in entries]
    second = 6 if dropout else 5
    for index in range(10, 19):
        for place in (1, second):
            expected += [f"model.{index}.conv_block.{place}.{k}" for k in conv]
            expected += [f"model.{index}.conv_block.{place + 1}.{k}" for k in entries]
    for index in (19, 22):
        expected += [f"model.{index}.{k}" for k in conv] + [f"model.{index + 1}.{k}" for k in entries]
    expected += ["model.26.weight", "model.26.bias"]
    network = on_meta("resnet_9blocks", norm=norm, dropout=dropout)
    assert list(network.state_dict()) == expected
    assert network.state_dict()["model.19.weight"].shape == (256, 128, 3, 3)


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("num_downs", [7, 8])
def test_unet_keys_are_upstreams(num_downs, dropout):
    """The U-Net's state dict nests as upstream's, with or without dropout, and has its shapes."""
    statistics = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    widths = [64, 128, 256, 512] + [512] * (num_downs - 4)
    expected: dict[str, tuple[int, ...]] = {"model.model.0.weight": (64, 3, 4, 4)}
    ends: list[dict[str, tuple[int, ...]]] = []
    prefix = "model.model"
    for level in range(1, num_downs):
        prefix += ".1.model" if level == 1 else ".3.model"
        outer, inner, last = widths[level - 1], widths[level], level == num_downs - 1
        expected[f"{prefix}.1.weight"] = (inner, outer, 4, 4)
        norm_at, up_at = (None, 3) if last else (2, 5)
        if norm_at:
            expected |= {f"{prefix}.{norm_at}.{k}": (inner,) for k in statistics[:-1]}
            expected[f"{prefix}.{norm_at}.{statistics[-1]}"] = ()
        end = {f"{prefix}.{up_at}.weight": (inner if last else 2 * inner, outer, 4, 4)}
        end |= {f"{prefix}.{up_at + 1}.{k}": (outer,) for k in statistics[:-1]}
        end[f"{prefix}.{up_at + 1}.{statistics[-1]}"] = ()
        ends.append(end)
    for end in reversed(ends):
        expected |= end
    expected |= {"model.model.3.weight": (128, 3, 4, 4), "model.model.3.bias": (3,)}
    state = on_meta(f"unet_{2**num_downs}", dropout=dropout).state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == expected
    assert list(state) == list(expected)


def test_patchgan_and_mobile_keys_are_upstreams():
    """The discriminators' keys are upstream's, mobile ResNet's are GAN Compression's with or without dropout."""
    basic = [f"model.{i}.{k}" for i in (0, 2, 5, 8, 11) for k in ("weight", "bias")]
    assert list(on_meta("basic").state_dict()) == basic
    pixel = [f"net.{i}.{k}" for i in (0, 2, 5) for k in ("weight", "bias")]
    assert list(on_meta("pixel").state_dict()) == pixel
    assert [k for k in on_meta("pixel", norm="batch").state_dict() if k.startswith("net.5")] == ["net.5.weight"]
    for dropout in (False, True):
        keys = [k for k in on_meta("mobile_resnet_9blocks", dropout=dropout).state_dict() if "model.10." in k]
        blocks = [f"model.10.conv_block.{i}.conv.{j}.{k}" for i in (1, 6) for j in (0, 2) for k in ("weight", "bias")]  # fmt: skip
        assert keys == blocks


def test_unet_skips_as_upstreams_in_place_activations():
    """Upstream's in-place LeakyReLU changes what its skips carry, and changes no output."""
    torch.manual_seed(0)
    ours = build("unet", {"num_downs": 5, "ngf": 4, "norm": "instance"}).eval().double()
    for parameter in ours.parameters():
        nn.init.normal_(parameter, 0.0, 0.3)
    upstream = copy.deepcopy(ours)
    for module in upstream.modules():
        if isinstance(module, nn.LeakyReLU | nn.ReLU):
            module.inplace = True
    x = example_input((3, 64, 64), 2).double()
    with torch.no_grad():
        assert torch.equal(ours(x), upstream(x.clone()))


def test_dropout_stands_where_upstream_has_it():
    """U-Net-256 drops out in its three intermediate widest levels, U-Net-128 in two, ResNet in every block."""
    counts = {
        model: sum(isinstance(m, nn.Dropout) for m in on_meta(model, dropout=True).modules())
        for model in ("unet_256", "unet_128", "resnet_9blocks", "mobile_resnet_9blocks")
    }
    assert counts == {"unet_256": 3, "unet_128": 2, "resnet_9blocks": 9, "mobile_resnet_9blocks": 9}
    levels = [n for n, m in on_meta("unet_256", dropout=True).named_modules() if isinstance(m, nn.Dropout)]
    assert min(levels, key=len) == "model.model.1.model.3.model.3.model.3.model.7"


def test_separable_convs_keep_instance_norm_beside_batch_norm():
    """Inside a separable conv the norm is InstanceNorm without scale whatever the network's norm is."""
    network = on_meta("mobile_resnet_9blocks", norm="batch", n_blocks=2)
    inside = [m for name, m in network.named_modules() if name.endswith(".conv.1")]
    assert len(inside) == 4
    assert all(isinstance(m, nn.InstanceNorm2d) and not m.affine for m in inside)


def test_initial_weights_are_upstreams():
    """Convolutions start as N(0, 0.02) with zero biases, BatchNorm scales as N(1, 0.02)."""
    torch.manual_seed(0)
    state = build("resnet_9blocks", {"ngf": 16, "n_blocks": 1, "norm": "batch"}).state_dict()
    weight, scale = state["model.10.conv_block.1.weight"], state["model.10.conv_block.2.weight"]
    assert weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert scale.mean().item() == pytest.approx(1.0, abs=0.02)
    assert 0.005 < scale.std().item() < 0.04
    assert state["model.14.bias" if "model.14.bias" in state else "model.18.bias"].abs().max() == 0


def test_shapes_and_ranges():
    """Generators keep the image's size and lie in [-1, 1]; PatchGAN scores 30x30 patches of 256x256, pixel each."""
    torch.manual_seed(0)
    with torch.no_grad():
        for model in ("resnet", "mobile_resnet_9blocks"):
            y = build(model, {"ngf": 4, "n_blocks": 1, "output_channels": 2})(example_input((3, 32, 20), 2))
            assert y.shape == (2, 2, 32, 20)
            assert y.abs().max() <= 1
        y = build("unet", {"num_downs": 5, "ngf": 2, "input_channels": 1})(example_input((1, 32, 64), 2))
        assert y.shape == (2, 3, 32, 64)
        assert build("sngan_32", {"ngf": 8})(example_input((128,), 3)).shape == (3, 3, 32, 32)
        assert build("sngan", {"ndf": 8})(example_input((3, 32, 32), 3)).shape == (3, 1)
    for model, shape in (("basic", (1, 1, 30, 30)), ("pixel", (1, 1, 256, 256))):
        assert on_meta(model)(torch.empty(1, *IMAGE, device="meta")).shape == shape
    assert on_meta("n_layers", n_layers=5)(torch.empty(1, *IMAGE, device="meta")).shape == (1, 1, 6, 6)


def test_shortcut_order_changes_cost_only():
    """SNGAN's shortcut gives the same images with its 1x1 conv before or after the upsampling, at a quarter of its MACs.

    Each of the three blocks doubles the side; the conv has c * c MACs per pixel of the grid that it works on.
    """
    torch.manual_seed(0)
    after, before = (build("sngan_32", {"ngf": 8, "upsample_shortcut_first": first}).eval() for first in (True, False))
    before.load_state_dict(after.state_dict())
    z = example_input((128,), 4)
    with torch.no_grad():
        torch.testing.assert_close(before(z), after(z), rtol=0, atol=1e-5)
    costs = [count_cost(network, (example_input((128,)),)) for network in (after, before)]
    first = sum(8 * 8 * side**2 for side in (8, 16, 32))
    late = sum(8 * 8 * side**2 for side in (4, 8, 16))
    assert costs[0].macs - costs[1].macs == first - late == 0.75 * first
    assert costs[0].params == costs[1].params


def test_spectral_norm_holds_copies_and_reloads():
    """Every weight of SNGAN's discriminator has spectral norm 1; it copies after a backward pass and reloads."""
    torch.manual_seed(0)
    network = build("sngan", {"ndf": 8})
    x = example_input((3, 32, 32), 2)
    for _ in range(60):  # each forward pass in train mode is one step of the power iteration
        network(x)
    network(x).sum().backward()
    layers = [m for m in network.modules() if parametrize.is_parametrized(m)]
    assert len(layers) == 4 * 2 + 2 + 1
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1.0, abs=0.02)
    copied = copy.deepcopy(network).eval()
    fresh = build("sngan", {"ndf": 8}).eval()
    fresh.load_state_dict(network.state_dict(), strict=True)
    with torch.no_grad():
        assert torch.equal(copied(x), network.eval()(x))
        assert torch.equal(fresh(x), copied(x))


def test_unet_says_which_sizes_it_takes():
    """An image that a U-Net cannot halve often enough is refused with the sizes it takes."""
    with pytest.raises(ValueError, match=r"multiples of 32, got 48x64"):
        build("unet", {"num_downs": 5, "ngf": 2})(torch.zeros(1, 3, 48, 64))


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        ("resnet", {"norm": "layer"}, "norm='layer' is not known: use one of 'batch', 'instance'"),
        ("resnet", {"affine": "trunk"}, "affine='trunk' is not known: use one of 'none', 'prunable', 'all'"),
        ("resnet", {"affine": "all", "norm": "batch"}, "BatchNorm is always affine"),
        ("resnet", {"n_blocks": -1}, "n_blocks=-1 must be a whole number of at least 0"),
        ("unet", {"ngf": 0}, "ngf=0 must be a whole number of at least 1"),
        ("unet", {"num_downs": 4}, "num_downs=4 must be a whole number of at least 5"),
        ("unet_256", {"ngf": 16.0}, "ngf=16.0 must be a whole number"),
        ("unet_256", {"dropout": 1}, "dropout=1 must be true or false"),
        ("mobile_resnet_9blocks", {"ngf": True}, "ngf=True must be a whole number"),
        ("sngan_32", {"latent": "128"}, "latent='128' must be a whole number"),
        ("n_layers", {"n_layers": 0}, "n_layers=0 must be a whole number of at least 1"),
        ("pixel", {"norm": None}, "norm=None is not known"),
    ],
)
def test_arguments_out_of_range(model, arguments, message):
    """A builder refuses an argument out of its range in one line that names it and what is allowed."""
    with pytest.raises(ValueError) as caught:
        build(model, arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_generators_run(name):
    """Each generator that is not ours makes three-channel images from a batch of its input."""
    factory, shape = FOREIGN[name]
    with torch.no_grad():
        images = factory()(example_input(shape, 2))
    assert images.shape[:2] == (2, 3)
    assert images.isfinite().all()
    assert images.std() > 0


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_generators_trace_on_meta_but_the_branching_one(name):
    """torch.export traces every foreign generator without memory, and refuses the one with a data-dependent branch."""
    factory, shape = FOREIGN[name]
    network, x = factory().eval().to("meta"), torch.empty(2, *shape, device="meta")
    if name == "branching":
        with pytest.raises(Exception, match="data-dependent"):
            torch.export.export(network, (x,))
    else:
        assert torch.export.export(network, (x,)).graph.output_node().args[0][0].meta["val"].shape[1] == 3
