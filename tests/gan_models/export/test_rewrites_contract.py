"""Every rewrite computes what it replaces, to rounding in float64, at sizes that it was not traced at."""

import itertools

import pytest
import torch
from ganprune.gan_models.export.exporter import ExportJob
from ganprune.gan_models.export.onnx_float import write as write_float
from ganprune.gan_models.export.program import trace
from ganprune.gan_models.export.rewrites.catalog import REWRITES
from ganprune.gan_models.export.rewrites.graph import RewrittenNetwork, rewrite_program
from ganprune.gan_models.export.rewrites.transposed_convolution import Axis, PhaseConvolution
from ganprune.gan_models.networks.catalog import build
from torch import Tensor, nn
from torch.nn import functional as F

EXACT = 1e-11  # float64, of outputs near 1


def traced(network: nn.Module, *inputs: Tensor, free: bool = False) -> torch.export.ExportedProgram:
    sides = {2: 3 * torch.export.Dim("height", min=2, max=999), 3: 3 * torch.export.Dim("width", min=2, max=999)}
    shapes = ({**sides},) * len(inputs) if free else None
    return torch.export.export(network.double().eval(), inputs, dynamic_shapes=shapes)


def rewritten(network: nn.Module, *inputs: Tensor, names: tuple[str, ...], free: bool = False) -> RewrittenNetwork:
    return rewrite_program(traced(network, *inputs, free=free), names)


def images(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


def operators(found: RewrittenNetwork) -> set[str]:
    return {str(node.target) for node in found.network.graph.nodes}


class Function(nn.Module):
    """A function as a network."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def seeded(make) -> nn.Module:
    torch.manual_seed(0)
    network = make()
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._NormBase) and module.running_mean is not None:
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
        if isinstance(module, nn.modules.batchnorm._NormBase) and module.weight is not None:
            nn.init.normal_(module.weight, 1)
            nn.init.normal_(module.bias)
        if isinstance(module, nn.PReLU):
            nn.init.uniform_(module.weight, 0, 1)
    return network


CASES = {
    "constants": [
        lambda: nn.utils.parametrizations.spectral_norm(nn.Conv2d(4, 4, 3)),
        lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(4, 6, 3)),
    ],
    "batch-norm": [
        lambda: nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6)),
        lambda: nn.Sequential(nn.Conv2d(4, 6, 3, bias=False), nn.BatchNorm2d(6, affine=False)),
        lambda: nn.Sequential(nn.ConvTranspose2d(4, 6, 3, 2, groups=2), nn.BatchNorm2d(6)),
        lambda: nn.Sequential(nn.ReLU(), nn.BatchNorm2d(4)),
        lambda: nn.Sequential(nn.Conv2d(4, 6, 3), nn.InstanceNorm2d(6, affine=True, track_running_stats=True)),
    ],
    "instance-norm": [lambda: nn.InstanceNorm2d(4), lambda: nn.InstanceNorm2d(4, affine=True, eps=1e-3)],
    "transposed-convolution": [
        lambda: nn.ConvTranspose2d(4, 5, 3, stride=2, padding=1, output_padding=1),
        lambda: nn.ConvTranspose2d(4, 6, (4, 3), stride=(2, 3), padding=(1, 0), groups=2, dilation=(1, 2)),
    ],
    "padding": [
        lambda: nn.ReflectionPad2d(3),
        lambda: nn.ReflectionPad2d((1, 2, 0, 3)),
        lambda: nn.ReplicationPad2d((2, 0, 1, 1)),
        lambda: Function(lambda x: F.pad(x, (0, 2, 1, 0), mode="reflect")),
    ],
    "prelu": [lambda: nn.PReLU(), lambda: nn.PReLU(4)],
    "pixel-shuffle": [lambda: nn.PixelShuffle(2), lambda: nn.PixelUnshuffle(3)],
    "upsampling": [
        lambda: nn.Upsample(scale_factor=2),
        lambda: nn.Upsample(scale_factor=(3, 1)),
        lambda: nn.Upsample(scale_factor=3, mode="bilinear"),
        lambda: Function(lambda x: F.interpolate(x, scale_factor=(2.0, 4.0), mode="bilinear")),
    ],
}


@pytest.mark.parametrize(
    ("name", "make"),
    [pytest.param(name, make, id=f"{name}-{i}") for name, made in CASES.items() for i, make in enumerate(made)],
)
def test_a_rewrite_computes_the_same(name, make):
    """Traced with free sides, it is exact at two sizes, and the operator itself is gone."""
    network = seeded(make).double().eval()
    found = rewritten(network, images(2, 4, 9, 12), names=(name,), free=True)
    assert {call.rewrite for call in found.calls} == {name}
    if name != "constants":
        assert not operators(found) & {call.operator for call in found.calls}
    for size in ((9, 12), (15, 6)):
        x = images(2, 4, *size)
        assert (found.network(x) - network(x)).abs().max() < EXACT


def test_every_row_is_proven():
    """Each rewrite has a case here; modulated convolutions have a test of their own."""
    assert {*CASES, "modulated-convolution"} == set(REWRITES.own)


def test_a_transposed_convolution_of_any_kind():
    """Kernels, strides, paddings, output paddings and dilations up to 4: outputs and their sizes are those of torch."""
    x = images(1, 2, 5, 6)
    for taps, stride, padding, extra, dilation in itertools.product((1, 2, 4), (1, 2, 3), (0, 1, 3), (0, 1), (1, 2)):
        weight, bias = images(2, 3, taps, taps), images(3)
        if extra >= max(stride, dilation):
            continue
        try:
            expected = F.conv_transpose2d(x, weight, bias, stride, padding, extra, 1, dilation)
        except RuntimeError:  # no output of this size
            continue
        axis = Axis(taps, stride, padding, extra, dilation)
        assert (PhaseConvolution(weight, bias, (axis, axis), 1)(x) - expected).abs().max() < EXACT


class Modulated(nn.Module):
    """StyleGAN2's convolution, as published code writes it: enlarging ones swap outputs and inputs first."""

    def __init__(self, demodulate: bool, up: bool = False, outputs: int = 5) -> None:
        super().__init__()
        self.weight, self.demodulate, self.up = nn.Parameter(torch.randn(outputs, 4, 3, 3)), demodulate, up
        self.style = nn.Linear(7, 4)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        n = x.shape[0]
        weight = 0.3 * self.weight.unsqueeze(0) * self.style(w).reshape(n, 1, -1, 1, 1)
        if self.demodulate:
            weight = weight * (weight.square().sum(dim=[2, 3, 4]) + 1e-8).rsqrt().reshape(n, -1, 1, 1, 1)
        x = x.reshape(1, -1, *x.shape[2:])
        if self.up:
            swapped = weight.transpose(1, 2).reshape(-1, *weight.shape[1:2], *weight.shape[3:])
            x = F.conv_transpose2d(x, swapped, stride=2, padding=1, output_padding=1, groups=n)
        else:
            x = F.conv2d(x, weight.reshape(-1, *weight.shape[2:]), padding=1, groups=n)
        return x.reshape(n, -1, *x.shape[2:])


@pytest.mark.parametrize("outputs", [4, 5])
@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize("demodulate", [False, True])
def test_a_modulated_convolution_has_constant_weights(demodulate, up, outputs):
    """Scales move to inputs and outputs, for any image's style; no convolution of computed weights is left."""
    torch.manual_seed(0)
    network = Modulated(demodulate, up, outputs).double().eval()
    x, w = images(2, 4, 6, 6), images(2, 7)
    found = rewritten(network, x, w, names=("constants", "modulated-convolution"))
    assert "modulated-convolution" in {call.rewrite for call in found.calls}
    assert not {"aten.conv2d.default", "aten.conv_transpose2d.input"} & {*operators(found)}
    for seed in (1, 2):
        styles = w * seed
        assert (found.network(x, styles) - network(x, styles)).abs().max() < EXACT


@pytest.mark.parametrize("up", [False, True])
def test_weights_per_image_are_written_for_any_batch(tmp_path, up):
    """The batch is no longer the number of groups: ONNX files take one image and five, and the card says so."""
    onnxruntime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    network = Modulated(True, up).eval()
    job = ExportJob(network, (torch.randn(2, 4, 6, 6), torch.randn(2, 7)), ("x", "w"))
    notes = write_float(job, tmp_path / "one.onnx")
    assert "weights scaled per image as scaled inputs and outputs" in " ".join(notes)
    session = onnxruntime.InferenceSession(str(tmp_path / "one.onnx"))
    for n in (1, 5):
        x, w = torch.randn(n, 4, 6, 6), torch.randn(n, 7)
        (found,) = session.run(None, {"x": x.numpy(), "w": w.numpy()})
        with torch.no_grad():
            assert abs(found - network(x, w).numpy()).max() < 1e-4


NETWORKS = {
    "resnet": ({"ngf": 4, "n_blocks": 1}, (3, 16, 16)),
    "unet": ({"ngf": 4, "num_downs": 5}, (3, 32, 32)),
    "sngan_32": ({"ngf": 8}, (128,)),
    "stylegan2_256": ({"size": 16, "style": 16, "layers": 2, "channel_base": 64, "channel_max": 8}, (512,)),
    "srvgg_compact": ({"num_feat": 8, "num_conv": 1}, (3, 8, 8)),
    "srresnet": ({"num_feat": 8, "num_block": 1}, (3, 8, 8)),
}


@pytest.mark.parametrize("name", list(NETWORKS))
def test_a_whole_network_computes_the_same(name):
    """All rewrites one after the other leave a catalog network's outputs, and none of the operators they are for."""
    arguments, shape = NETWORKS[name]
    network = seeded(lambda: build(name, arguments)).double().eval()
    found = rewritten(network, images(2, *shape), names=tuple(REWRITES.own))
    left = {operator for row in REWRITES.own.values() for operator in row.operators} - {"aten.conv2d.default"}
    assert not operators(found) & left
    x = images(2, *shape)
    assert (found.network(x) - network(x)).abs().max() < 1e-9
    assert all(call.module or call.rewrite == "constants" for call in found.calls) or name.startswith("sr")


def test_what_is_not_constant_is_left():
    """A transposed convolution whose weights are computed of the input stays as it is, and so does a random draw."""
    network = Function(lambda x: F.conv_transpose2d(x, x[:, :, :2, :2]))
    assert rewritten(network, images(4, 4, 4, 4), names=tuple(REWRITES.own)).calls == ()
    network = Function(lambda x: x + torch.rand(4, dtype=torch.float64))
    assert rewritten(network, images(1, 4, 4, 4), names=("constants",)).calls == ()


def test_the_network_itself_is_not_changed():
    """The program's weights are those of a copy."""
    network = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    rewrite_program(trace(ExportJob(network, (torch.zeros(2, 3, 8, 8),))), ("batch-norm",))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
