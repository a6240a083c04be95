"""Quantizers give the published numbers, pass gradients straight through, and compose with gates."""

import json

import pytest
import torch
from ganprune.gan_models.files.plain_values import from_json, to_json
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.pruning.gates import gated_call, plan_gates
from ganprune.gan_models.quantization.fake_quant import (
    channel_axis,
    quantize_activation,
    quantize_weight,
    quantized,
    quantized_call,
    quantized_layers,
    weight_scale,
)
from ganprune.gan_models.quantization.settings import LayerRanges, Quantization, QuantSettings
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ...examples import example_input

SIGNED, PUBLISHED = QuantSettings(), QuantSettings(scheme="published")
ANY = torch.tensor(0.0)


def resnet() -> nn.Module:
    torch.manual_seed(0)
    return build("resnet", {"ngf": 4, "n_blocks": 1}).eval()


def test_published_weights():
    """Largest weight 1: the known answers of the released quantizer."""
    given = torch.tensor([1.0, 0.5, 0.3, 0.004])
    expected = torch.tensor([1.0, 0.503937, 0.299213, 0.007874])
    for settings in (SIGNED, PUBLISHED):
        assert quantize_weight(given, settings) == pytest.approx(expected, abs=1e-6)


def test_published_activations():
    """The known answers: 257 levels on [0, 4], and what is negative is lost."""
    given = torch.tensor([0.3, 1.23456, 3.999, 4.5, -0.2])
    expected = torch.tensor([0.296875, 1.234375, 4.0, 4.0, 0.0])
    assert torch.equal(quantize_activation(given, PUBLISHED, ANY, ANY), expected)
    levels = quantize_activation(torch.linspace(-1, 5, 10_000), PUBLISHED, ANY, ANY).unique()
    assert len(levels) == 257


def test_signed_activations():
    """256 levels over the range, zero is one of them, negatives stay, and no value moves by more than half a step."""
    low, high = torch.tensor(-1.3), torch.tensor(2.9)
    x = torch.linspace(-1.3, 2.9, 10_001)
    quantized_x = quantize_activation(x, SIGNED, low, high)
    assert len(quantized_x.unique()) == 256
    assert (quantized_x - x).abs().max() <= 4.2 / 255 * 0.5 * 1.01 + 4.2 / 255 / 2  # the ends: zero moves the grid
    assert (quantized_x - x)[1000:-1000].abs().max() <= 4.2 / 255 / 2 * 1.0001
    assert quantize_activation(torch.zeros(1), SIGNED, low, high).item() == 0
    assert quantized_x.min() < -1.29


@pytest.mark.parametrize("settings", [SIGNED, PUBLISHED, QuantSettings(4, per_channel=True), QuantSettings(3)])
def test_quantizing_twice_changes_nothing(settings):
    """With its range fixed an activation's quantizer is idempotent bit for bit; a weight's is, but for the last bit."""
    torch.manual_seed(1)
    x, low, high = torch.randn(1000) * 2, torch.tensor(-2.7), torch.tensor(3.1)
    once = quantize_activation(x, settings, low, high)
    assert torch.equal(quantize_activation(once, settings, low, high), once)
    weight = torch.randn(5, 7, 3, 3)
    once = quantize_weight(weight, settings)
    assert torch.allclose(quantize_weight(once, settings), once, rtol=3e-7, atol=0)
    assert not torch.equal(once, weight)


def test_per_channel_scales():
    """One scale an output channel: channels of very different size keep their own precision, also transposed ones."""
    per_channel = QuantSettings(per_channel=True)
    sizes = torch.tensor([1.0, 1e-3, 10.0])
    torch.manual_seed(0)
    for module, axis in ((nn.Conv2d(4, 3, 3), 0), (nn.ConvTranspose2d(4, 3, 3), 1), (nn.Linear(4, 3), 0)):
        assert channel_axis(module) == axis
        shape = [1] * module.weight.ndim
        shape[axis] = 3
        weight = module.weight.detach() * sizes.reshape(shape)
        scale = weight_scale(weight, per_channel, axis)
        expected = torch.stack([weight.select(axis, c).abs().max() / 127 for c in range(3)])
        assert torch.equal(scale, expected)
        small = quantize_weight(weight, per_channel, axis).select(axis, 1)
        assert (small - weight.select(axis, 1)).abs().max() <= scale[1] / 2 * 1.0001
        assert quantize_weight(weight, SIGNED, axis).select(axis, 1).eq(0).all()


def test_reduced_range():
    """With a reduced range weights take 127 values, -63 to 63 steps."""
    weight = torch.linspace(-1, 1, 2001)
    assert len(quantize_weight(weight, QuantSettings(reduce_range=True)).unique()) == 127
    assert len(quantize_weight(weight, SIGNED).unique()) == 255


def test_gradients_pass_straight_through():
    """The gradient is 1 wherever nothing was clamped, and 0 outside of the range."""
    weight = torch.tensor([[0.3, -2.0], [0.004, 1.0]], requires_grad=True)
    (quantize_weight(weight, SIGNED) * torch.tensor([1.0, 2.0])).sum().backward()
    assert torch.equal(weight.grad, torch.tensor([[1.0, 2.0], [1.0, 2.0]]))
    x = torch.tensor([-0.2, 0.0, 0.3, 3.9, 4.5], requires_grad=True)
    quantize_activation(x, PUBLISHED, ANY, ANY).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0]
    x = torch.tensor([-1.2, -0.9, 0.0, 1.9, 2.2], requires_grad=True)
    quantize_activation(x, SIGNED, torch.tensor(-1.0), torch.tensor(2.0)).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0]


def test_nothing_but_zeros():
    """Weights and activations that are all zero stay zero, without a division by zero."""
    zeros = torch.zeros(3, 3)
    assert torch.equal(quantize_weight(zeros, QuantSettings(per_channel=True)), zeros)
    assert torch.equal(quantize_activation(zeros, SIGNED, torch.tensor(0.0), torch.tensor(0.0)), zeros)


@pytest.mark.parametrize("settings", [SIGNED, PUBLISHED, QuantSettings(4, per_channel=True)])
def test_a_network_runs_quantized_and_is_left_as_it_was(settings):
    """Outputs are near the float ones but not equal; weights get gradients; afterwards nothing is left behind."""
    model, x = resnet(), example_input((3, 32, 32), 2)
    nn.init.kaiming_normal_(model.get_submodule("model.18").weight)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    plain = model(x)
    output = quantized_call(model, (x,), settings)
    difference = (output - plain).abs().mean()
    assert 0 < difference < (0.5 if settings.bits == 4 else 0.2)
    output.square().sum().backward()
    assert all(module.weight.grad.abs().sum() > 0 for module in quantized_layers(model).values())
    assert torch.equal(model(x), plain)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(isinstance(module.__dict__.get("weight"), torch.Tensor) for module in model.modules())


def test_one_layer_by_hand():
    """The published scheme leaves the network's input alone and quantizes what enters the second layer."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1))
    x = torch.randn(1, 3, 8, 8)
    weights = [quantize_weight(model[i].weight, PUBLISHED) for i in (0, 2)]
    hidden = nn.functional.conv2d(x, weights[0], model[0].bias).relu()
    hidden = quantize_activation(hidden, PUBLISHED, ANY, ANY)
    expected = nn.functional.conv2d(hidden, weights[1], model[2].bias)
    for _ in range(2):
        assert torch.equal(quantized_call(model, (x,), PUBLISHED), expected)


def test_tensors_in_the_place_of_parameters():
    """Weights that are handed in are quantized, gradients reach what they were made of."""
    model, x = resnet(), example_input((3, 32, 32), 1)
    twice = {name: 2 * value for name, value in model.named_parameters()}
    scale = torch.tensor(2.0, requires_grad=True)
    tensors = {name: scale * value.detach() for name, value in model.named_parameters()}
    output = quantized_call(model, (x,), SIGNED, tensors)
    assert torch.equal(output, quantized_call(model, (x,), SIGNED, twice))
    output.square().sum().backward()
    assert scale.grad is not None
    assert scale.grad != 0


def test_gated_and_quantized_is_cut_and_quantized():
    """Per channel the weights after gates have the same grids as the cut ones, so the two networks agree."""
    settings = QuantSettings(per_channel=True)
    model = resnet().double()
    x = example_input((3, 32, 32)).double()
    groups = find_groups(resnet(), example_input((3, 32, 32)))
    plan = ChannelPlan({name: tuple(range(0, size, 2)) for name, size in groups.sizes.items()})
    with quantized(model, settings), torch.no_grad():
        gated = gated_call(model, groups, plan_gates(groups, plan, x), x)
    small = cut(model, groups, plan)
    with torch.no_grad():
        output = quantized_call(small, (x,), settings, ranges=None)
        plain = small(x)
    # Channels that are gated off still widen the ranges of what the gated network's layers give.
    assert (output - gated).abs().max() < 0.1 * (output - output.mean()).abs().max()
    assert not torch.equal(output, plain)


def test_known_ranges_are_used_and_missing_ones_are_said():
    """With ranges the output of one image does not depend on the others of its batch; an unknown layer is named."""
    model, x = resnet(), example_input((3, 32, 32), 3)
    ranges = {name: LayerRanges((-3.0, 3.0), (-4.0, 4.0)) for name in quantized_layers(model)}
    with torch.no_grad():
        together = quantized_call(model, (x,), SIGNED, ranges=ranges)
        alone = quantized_call(model, (x[:1],), SIGNED, ranges=ranges)
    assert torch.allclose(together[:1], alone, atol=1e-2)
    del ranges["model.4"]
    with pytest.raises(ValueError, match=r"layer model\.4 has no range"):
        quantized_call(model, (x,), SIGNED, ranges=ranges)
    assert not any("weight" in module.__dict__ for module in model.modules())


def test_computed_weights_stay_float():
    """A weight that is computed, or a subclass with its own forward, is not quantized."""

    class Scaled(nn.Linear):
        def forward(self, input):
            return 2 * super().forward(input)

    model = nn.Sequential(spectral_norm(nn.Conv2d(3, 4, 1)), nn.Conv2d(4, 4, 1), Scaled(4, 4))
    assert list(quantized_layers(model)) == ["1"]


def test_the_last_layer_of_an_attention_stays_float():
    """torch's attention reads its weight without calling it, so that nothing of it would be quantized."""
    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.MultiheadAttention(8, 2))
    assert list(quantized_layers(network)) == ["0"]


def test_settings_are_json_both_ways():
    """Settings and ranges come back as they were, to the last bit; what is impossible is refused."""
    ranges = {"a": LayerRanges((-0.1, 1 / 3), (-1e-9, 2.0)), "b": LayerRanges((0.0, 1.0))}
    given = Quantization(QuantSettings(4, per_channel=True), ranges)
    assert from_json(Quantization, json.loads(json.dumps(to_json(given)))) == given
    for wrong in ({"bits": 32}, {"bits": 1}, {"scheme": "fp8"}, {"reduce_range": True, "scheme": "published"}):
        with pytest.raises(ValueError, match=r"bits|scheme"):
            from_json(QuantSettings, wrong)
    with pytest.raises(ValueError, match="ranges is missing"):
        from_json(Quantization, {"format": 1, "settings": {}})
    with pytest.raises(ValueError, match="range"):
        LayerRanges((1.0, float("nan")))
