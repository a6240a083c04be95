"""An int8 file computes the quantized network, on integers, in the bytes that were predicted."""

from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from ganprune.evaluators.cost.catalog import RUNTIMES
from ganprune.gan_models.costs.catalog import stored_cost
from ganprune.gan_models.export import int8_parity
from ganprune.gan_models.export.catalog import INT8, latency_writer
from ganprune.gan_models.export.exporter import ExportJob
from ganprune.gan_models.export.onnx_int8 import (
    arithmetic_lines,
    products_saturate,
    split_arithmetic,
    stored_bytes,
    write_int8,
)
from ganprune.gan_models.groups.discovery import find_groups
from ganprune.gan_models.groups.plan import ChannelPlan
from ganprune.gan_models.groups.surgery import cut
from ganprune.gan_models.networks.catalog import build
from ganprune.gan_models.quantization.calibration import calibrate
from ganprune.gan_models.quantization.fake_quant import quantized, quantized_bytes, quantized_layers
from ganprune.gan_models.quantization.settings import LayerRanges, Quantization, QuantSettings
from onnx import numpy_helper
from torch import nn

from ...examples import example_input
from ..network_cases import CASES

OURS = {
    "resnet": ("resnet", {"ngf": 4, "n_blocks": 1}, (3, 32, 32)),
    "unet": ("unet", {"num_downs": 5, "ngf": 4}, (3, 32, 32)),
    "sngan_32": ("sngan_32", {"ngf": 8}, (128,)),
}
CHANNELS = QuantSettings(per_channel=True)
ONNX_RUNTIME = RUNTIMES["onnxruntime"]


def export_int8(model, quantization, example, path, unsigned=None):
    write_int8(ExportJob(model, (example,), quantization=quantization), path, unsigned)


def measure_int8_parity(path, model, quantization, x):
    return int8_parity.measure_int8_parity(path, model, quantization, (x,), ONNX_RUNTIME.open)


def output(path: Path, x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(ONNX_RUNTIME.open(path)(x.numpy())[0])


@cache
def network(name: str) -> nn.Module:
    """A network whose outputs, biases and running statistics are far from their beginnings."""
    torch.manual_seed(0)
    model, arguments, _ = OURS[name]
    made = build(model, arguments).eval()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.3)
    return made


def inputs(name: str, n: int = 4, seed: int = 0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(n, *OURS[name][2], generator=random).clamp(-1, 1)


@cache
def quantization(name: str, settings: QuantSettings) -> Quantization:
    return calibrate(network(name), settings, [inputs(name, seed=i) for i in range(3)])


@pytest.mark.parametrize("name", ["resnet", "sngan_32"])
def test_what_a_latency_is_measured_of_runs_on_integers(tmp_path, name):
    """The file for inputs of fixed size has every plain convolution on integers, and leaves the network as it was."""
    model = network(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    latency_writer(INT8)(model, (inputs(name, 1),), tmp_path / "m.onnx")
    n = sum(type(module) is nn.Conv2d for module in model.modules())
    assert split_arithmetic(ONNX_RUNTIME.operators(tmp_path / "m.onnx"))[0]["QLinearConv"] == n
    assert list(tmp_path.iterdir()) == [tmp_path / "m.onnx"]
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize(("name", "settings"), [(n, CHANNELS) for n in OURS] + [("sngan_32", QuantSettings())])
def test_the_file_is_the_simulated_network(tmp_path, name, settings):
    """Every convolution runs on integers and is within a step of the simulated one, at any batch size; sizes fit."""
    model, found = network(name), quantization(name, settings)
    path = tmp_path / "g.onnx"
    export_int8(model, found, example_input(OURS[name][2]), path)
    convolutions = sum(isinstance(module, nn.Conv2d) for module in model.modules())
    operators = ONNX_RUNTIME.operators(path)
    integer, floating = split_arithmetic(operators)
    assert integer["QLinearConv"] == convolutions > 0
    assert "Conv" not in floating
    assert floating.get("ConvTranspose", 0) == sum(isinstance(m, nn.ConvTranspose2d) for m in model.modules())
    assert integer.get("QGemm", 0) == (name == "sngan_32")
    assert all("float: " in line for line in arithmetic_lines(operators)[1:])
    for n in (1, 4):
        parity = measure_int8_parity(path, model, found, inputs(name, n, seed=7))
        assert parity.passed
        assert parity.layers == convolutions
        assert parity.steps <= 1
        assert parity.share < 0.01
        assert parity.effect > 1e-3
    form = find_groups(model, example_input(OURS[name][2])).form
    assert (
        stored_bytes(path)
        == quantized_bytes(model, settings)
        == form.dense(stored_cost("bytes", 8, settings.per_channel))
    )


def test_without_a_norm_of_images_the_file_is_exact(tmp_path):
    """If nothing spreads a rounding over the map, file and simulated network agree to float32's rounding."""
    path = tmp_path / "g.onnx"
    export_int8(network("unet"), quantization("unet", CHANNELS), example_input((3, 32, 32)), path)
    found = quantization("unet", CHANNELS)
    with quantized(network("unet"), found.settings, found.ranges):
        with torch.no_grad():
            simulated = network("unet")(inputs("unet"))
    assert (output(path, inputs("unet")) - simulated).abs().max() < 1e-5


def test_unsigned_weights_are_the_same_values(tmp_path):
    """For CPUs whose products saturate, weights around 128 give the same outputs."""
    model, found = network("unet"), quantization("unet", CHANNELS)
    outputs = []
    for unsigned in (False, True):
        path = tmp_path / f"{unsigned}.onnx"
        export_int8(model, found, example_input((3, 32, 32)), path, unsigned)
        weight = next(t for t in onnx.load(path).graph.initializer if t.name.endswith("weight_int"))
        assert numpy_helper.to_array(weight).dtype == (np.uint8 if unsigned else np.int8)
        outputs.append(output(path, torch.zeros(1, 3, 32, 32)))
        assert measure_int8_parity(path, model, found, inputs("unet")).steps <= 1
    assert torch.allclose(*outputs, atol=1e-6)


@pytest.mark.parametrize(
    ("machine", "flags", "saturates"),
    [("x86_64", "avx2 avx512f", True), ("x86_64", "avx2 avx_vnni", False), ("aarch64", "", False)],
)
def test_cpus_that_saturate(monkeypatch, machine, flags, saturates):
    """x86 without VNNI cuts off sums of 8-bit products; others do not."""
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr(Path, "read_text", lambda *_args, **_named: f"flags : {flags}")
    assert products_saturate() is saturates


def test_a_wrong_grid_is_found(tmp_path):
    """A file made with other ranges, or of other weights, is told apart from the network it should be."""
    model, found = network("resnet"), quantization("resnet", CHANNELS)
    entry = found.ranges["model.4"]
    other = {**found.ranges, "model.4": LayerRanges(entry.input, (entry.output[0] * 1.1, entry.output[1] * 1.1))}
    path = tmp_path / "g.onnx"
    export_int8(model, Quantization(CHANNELS, other), example_input((3, 32, 32)), path)
    assert not measure_int8_parity(path, model, found, inputs("resnet")).passed
    export_int8(model, found, example_input((3, 32, 32)), path)
    changed = build("resnet", OURS["resnet"][1])
    assert not measure_int8_parity(path, changed, found, inputs("resnet")).passed


def test_a_channel_without_weights_keeps_its_bias(tmp_path):
    """A channel whose weights are all zero, or far smaller than its bias, still gives the bias."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 1)).eval()
    with torch.no_grad():
        model[0].weight[0] = 0
        model[0].weight[1] *= 1e-12
        model[0].bias[:2] = torch.tensor([0.77, 1.9])
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for settings in (CHANNELS, QuantSettings()):
        found = calibrate(model, settings, [x])
        export_int8(model, found, x, tmp_path / "g.onnx")
        assert measure_int8_parity(tmp_path / "g.onnx", model, found, x).steps <= 1


def test_what_cannot_run_on_integers_is_refused(tmp_path):
    """The published quantizer has 257 levels, four bits are no int8, and ranges of another network fit nothing."""
    model, example = network("resnet"), example_input((3, 32, 32))
    for settings, said in ((QuantSettings(scheme="published"), "257 levels"), (QuantSettings(bits=4), "has 4")):
        with pytest.raises(ValueError, match=said):
            export_int8(model, Quantization(settings, {}), example, tmp_path / "g.onnx")
    with pytest.raises(RuntimeError, match="does not have"):
        export_int8(model, quantization("unet", CHANNELS), example, tmp_path / "g.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [name for name in CASES if "128" not in name and "256" not in name])
@pytest.mark.parametrize("per_channel", [False, True])
def test_predicted_bytes_are_counted_bytes(name, per_channel):
    """For any network and plan the form's bytes in 8 bits are those of the network that was really cut."""
    make, inputs = CASES[name]
    torch.manual_seed(0)
    model, settings = make(), QuantSettings(per_channel=per_channel)
    groups = find_groups(model, inputs.examples())
    rng = np.random.default_rng(0)
    plans = [ChannelPlan.full(groups.sizes)]
    kept = {n: tuple(sorted(rng.permutation(s)[: rng.integers(1, s + 1)].tolist())) for n, s in groups.sizes.items()}
    for plan in [*plans, ChannelPlan(kept)]:
        small = cut(model, groups, plan)
        predicted = groups.form.predict(groups.form.widths(plan.widths), stored_cost("bytes", 8, per_channel))
        assert predicted == quantized_bytes(small, settings)
        whole = sum(4 * parameter.numel() for parameter in small.parameters())
        assert not quantized_layers(small) or predicted < whole + 4 * len(quantized_layers(small))
